/** What each format says, in one language.
 *
 * `adapterFor(format, reasoning)` gives a function from a server-sent event to a list of steps:
 *
 *   {kind: "prompt_summary" | "reasoning_delta" | "reasoning_summary_delta" | "reasoning_summary"
 *          | "final_output_delta", text}
 *   {kind: "tool_call_delta", index, name, text}
 *   {kind: "heartbeat"}, {kind: "usage", usage}, {kind: "timings", timings}
 *   {kind: "done", finishReason}, {kind: "failed", message, code}
 *
 * The usage has the names of chat completions, whatever the format has for it.
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

/** An error in any of the forms that the formats give it. */
export const failed = (error) => ({
  kind: "failed",
  message:
    (typeof error === "string" ? error : error?.message) ||
    "The gateway reported an error without a reason.",
  code: error?.code ?? null,
});

const said = (kind, value) => (value ? [{ kind, [kind]: value }] : []);

const toolCalls = (calls) =>
  (calls ?? []).map((call, at) => ({
    kind: "tool_call_delta",
    index: call.index ?? at,
    name: call.function?.name ?? call.name ?? "",
    text: call.function?.arguments ?? call.arguments ?? "",
  }));

/** A piece of the live account. Its lines follow one another, also if they came as paragraphs. */
const liveLine = (text) =>
  step("reasoning_summary_delta", text?.trim() && text.replace(/\n+$/, "\n"));

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
    done: (data) => [
      ...said("usage", data.usage),
      ...said("timings", data.timings),
      { kind: "done", finishReason: data.finish_reason },
    ],
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
    return [
      ...readDelta(delta, chunk.phase),
      ...toolCalls(delta.tool_calls),
      ...said("usage", chunk.usage),
      ...said("timings", chunk.timings),
    ];
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

/** Only the answer is content. One reasoning field carries summary or trace, as was asked for. */
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

/** Anthropic's Messages API: thinking block 0 is the prompt summary, then account or trace. */
function messages(reasoning) {
  const traced = reasoning === "raw" || reasoning === "both";
  const tools = new Map();
  let stopReason = null;
  const delta = {
    thinking_delta: (index, { thinking }) => {
      if (index === 0) return step("prompt_summary", thinking);
      return traced && index === 1 ? step("reasoning_delta", thinking) : liveLine(thinking);
    },
    text_delta: (_, { text }) => step("final_output_delta", text),
    input_json_delta: (index, { partial_json }) =>
      toolCalls([{ index, name: tools.get(index), arguments: partial_json }]),
  };
  const read = {
    ping: () => [{ kind: "heartbeat" }],
    content_block_start({ index, content_block: { type, name } }) {
      if (type === "tool_use") tools.set(index, name);
      return [];
    },
    content_block_delta: (data) => delta[data.delta.type]?.(data.index, data.delta) ?? [],
    message_delta(data) {
      stopReason = data.delta.stop_reason;
      return said("usage", counted(data.usage, "thinking_tokens"));
    },
    message_stop: () => [
      { kind: "done", finishReason: stopReason === "max_tokens" ? "length" : stopReason },
    ],
    error: (data) => [failed(data.error)],
  };
  return ({ data }) => {
    const event = JSON.parse(data);
    return read[event.type]?.(event) ?? [];
  };
}

/** OpenAI's Responses API: part 0 of the reasoning is the prompt summary, then the account. */
function responses() {
  const tools = new Map();
  const ended = ({ response }) => [
    ...said("usage", counted(response.usage, "reasoning_tokens")),
    {
      kind: "done",
      finishReason: response.incomplete_details?.reason === "max_output_tokens" ? "length" : "stop",
    },
  ];
  const read = {
    "response.output_item.added"({ output_index, item }) {
      tools.set(output_index, item.name);
      return [];
    },
    "response.reasoning_summary_text.delta": ({ summary_index, delta }) =>
      summary_index === 0 ? step("prompt_summary", delta) : liveLine(delta),
    "response.reasoning_text.delta": ({ delta }) => step("reasoning_delta", delta),
    "response.output_text.delta": ({ delta }) => step("final_output_delta", delta),
    "response.function_call_arguments.delta": ({ output_index: index, delta }) =>
      toolCalls([{ index, name: tools.get(index), arguments: delta }]),
    "response.completed": ended,
    "response.incomplete": ended,
    "response.failed": ({ response }) => [failed(response.error)],
    error: (data) => [failed(data.error ?? data)],
    keepalive: () => [{ kind: "heartbeat" }],
  };
  return ({ data }) => {
    if (data === "[DONE]") return [];
    const event = JSON.parse(data);
    return read[event.type]?.(event) ?? [];
  };
}

/** Usage under the names that chat completions have for it. */
const counted = (usage, reasoning) =>
  usage && {
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    completion_tokens_details: {
      reasoning_tokens: usage.output_tokens_details?.[reasoning],
    },
  };

const FORMATS = { events, phased, openai, plain, messages, responses };

export function adapterFor(format, reasoning) {
  const adapt = (FORMATS[format] ?? phased)(reasoning);
  return (event) => ("comment" in event ? [{ kind: "heartbeat" }] : adapt(event));
}
