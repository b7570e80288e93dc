/** What each format says, in one language.
 *
 * `adapterFor(format, reasoning)` gives a function from a server-sent event to a list of steps:
 *
 *   {kind: "prompt_summary" | "reasoning_delta" | "reasoning_summary_delta" | "reasoning_summary"
 *          | "final_output_delta", text}
 *   {kind: "tool_call_delta", index, name, text}
 *   {kind: "heartbeat"}, {kind: "done", finishReason}, {kind: "failed", message}
 *
 * `reasoning_summary` stands in place of the deltas before it; every other text is appended.
 */

/** Takes a label off the front of a text that arrives in pieces. */
class Label {
  #label;
  #held = "";
  #past = false;

  constructor(label) {
    this.#label = label;
  }

  strip(text) {
    if (this.#past) return text;
    this.#held += text;
    if (this.#held.length < this.#label.length && this.#label.startsWith(this.#held)) return "";
    this.#past = true;
    return this.#held.startsWith(this.#label) ? this.#held.slice(this.#label.length) : this.#held;
  }
}

const step = (kind, text) => (text ? [{ kind, text }] : []);

const failed = (error) => ({
  kind: "failed",
  message: (typeof error === "string" ? error : error?.message) || "The gateway reported an error without a reason.",
});

const toolCalls = (calls) =>
  (calls ?? []).map((call, at) => ({
    kind: "tool_call_delta",
    index: call.index ?? at,
    name: call.function?.name ?? call.name ?? "",
    text: call.function?.arguments ?? call.arguments ?? "",
  }));

/** A piece of the live account. Its lines follow one another, also where they came as paragraphs. */
const liveLine = (text) => step("reasoning_summary_delta", text?.replace(/\n+$/, "\n"));

/** Named events: one kind each. */
function events() {
  const read = {
    prompt_summary: (data) => step("prompt_summary", data.text),
    reasoning_delta: (data) => step("reasoning_delta", data.text),
    reasoning_summary_delta: (data) => liveLine(data.text && `${data.text}\n`),
    reasoning_summary: (data) => step("reasoning_summary", data.text),
    final_output_delta: (data) => step("final_output_delta", data.text),
    tool_call_delta: (data) => toolCalls([data]),
    heartbeat: () => [{ kind: "heartbeat" }],
    done: (data) => [{ kind: "done", finishReason: data.finish_reason }],
    failed: (data) => [failed(data.error)],
  };
  return ({ event, data }) => read[event]?.(JSON.parse(data)) ?? [];
}

/** What the formats made of chat completion chunks have in common: errors, the end, the delta. */
function chunks(readDelta) {
  let finishReason = null;
  return ({ data }) => {
    if (data === "[DONE]") return [{ kind: "done", finishReason }];
    const chunk = JSON.parse(data);
    if (chunk.error) return [failed(chunk.error)];
    const choice = chunk.choices?.[0];
    finishReason = choice?.finish_reason ?? finishReason;
    const delta = choice?.delta ?? {};
    return [...readDelta(delta, chunk.phase), ...toolCalls(delta.tool_calls)];
  };
}

/** The phase says what the content is; the labels are for readers who see the content alone. */
function phased() {
  const labels = {
    prompt_summary: new Label("[Prompt Summary] "),
    reasoning_summary: new Label("[Reasoning Summary] "),
  };
  return chunks((delta, phase) => {
    const content = labels[phase]?.strip(delta.content ?? "") ?? delta.content;
    const read = {
      prompt_summary: () => step("prompt_summary", content),
      reasoning_summary: () => liveLine(content),
    };
    return [
      ...step("reasoning_delta", delta.reasoning_content),
      ...(read[phase]?.() ?? step("final_output_delta", content)),
    ];
  });
}

/** Only the answer is content. The same reasoning field carries summary or trace, as was asked for. */
function openai(reasoning) {
  const traced = reasoning === "raw" || reasoning === "both";
  return chunks((delta, phase) => {
    const text = delta.reasoning_content ?? delta.reasoning;
    if (phase === "prompt_summary") return step("prompt_summary", text);
    return [
      ...(traced ? step("reasoning_delta", text) : liveLine(text)),
      ...liveLine(delta.reasoning_summary),
      ...step("final_output_delta", delta.content),
    ];
  });
}

/** The answer alone. */
function plain() {
  return chunks((delta) => step("final_output_delta", delta.content));
}

export const FORMATS = { events, phased, openai, plain };

export function adapterFor(format, reasoning) {
  return (FORMATS[format] ?? phased)(reasoning);
}
