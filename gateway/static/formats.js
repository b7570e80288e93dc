/** Adapters: the server-sent events of each format become the same steps.
 *
 * `adapterFor(format, reasoning)` returns a function from a server-sent event to a list of steps:
 *
 *   {kind: "prompt_summary" | "reasoning_delta" | "reasoning_summary_delta" | "reasoning_summary"
 *          | "final_output_delta", text}
 *   {kind: "tool_call_delta", index, name, text}
 *   {kind: "heartbeat"}, {kind: "usage", usage}, {kind: "timings", timings}
 *   {kind: "done", finishReason}, {kind: "failed", message, code}
 *
 * The usage has the names of chat completions in every format.
 *
 * `reasoning_summary` replaces the deltas before it; every other text is appended.
 */

/** Removes a label from the start of a text that arrives in pieces. */
class LabelStripper {
  #label;
  #held = "";
  #done = false;

  constructor(label) {
    this.#label = label;
  }

  strip(text) {
    if (this.#done) return text;
    this.#held += text;
    if (this.#held.length < this.#label.length && this.#label.startsWith(this.#held)) return "";
    this.#done = true;
    return this.#held.startsWith(this.#label) ? this.#held.slice(this.#label.length) : this.#held;
  }
}

const textStep = (kind, text) => (text ? [{ kind, text }] : []);

/** The step for an error, which is a string in some formats and an object in others. */
export const failed = (error) => ({
  kind: "failed",
  message:
    (typeof error === "string" ? error : error?.message) ||
    "The gateway reported an error without a message.",
  code: error?.code ?? null,
});

const valueStep = (kind, value) => (value ? [{ kind, [kind]: value }] : []);

const toolCalls = (calls) =>
  (calls ?? []).map((call, i) => ({
    kind: "tool_call_delta",
    index: call.index ?? i,
    name: call.function?.name ?? call.name ?? "",
    text: call.function?.arguments ?? call.arguments ?? "",
  }));

/** A delta of the live summary. Where a format sends its lines as paragraphs, they become lines. */
const liveLine = (text) =>
  textStep("reasoning_summary_delta", text?.trim() && text.replace(/\n+$/, "\n"));

/** Named events: each name is the kind of a step. */
function events() {
  const readers = {
    prompt_summary: (data) => textStep("prompt_summary", data.text),
    reasoning_delta: (data) => textStep("reasoning_delta", data.text),
    reasoning_summary_delta: (data) => liveLine(data.text && `${data.text}\n`),
    reasoning_summary: (data) => textStep("reasoning_summary", data.text),
    final_output_delta: (data) => textStep("final_output_delta", data.text),
    tool_call_delta: (data) => toolCalls([data]),
    heartbeat: () => [{ kind: "heartbeat" }],
    done: (data) => [
      ...valueStep("usage", data.usage),
      ...valueStep("timings", data.timings),
      { kind: "done", finishReason: data.finish_reason },
    ],
    failed: (data) => [failed(data.error)],
  };
  return ({ event, data }) => readers[event]?.(JSON.parse(data)) ?? [];
}

/** The common part of all formats of chat completion chunks: errors, finish reason, delta. */
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
      ...valueStep("usage", chunk.usage),
      ...valueStep("timings", chunk.timings),
    ];
  };
}

/** `phase` says what the content is. The labels are for clients that show only the content. */
function phased() {
  const labels = {
    prompt_summary: new LabelStripper("[Prompt Summary] "),
    reasoning_summary: new LabelStripper("[Reasoning Summary] "),
  };
  return chunks((delta, phase) => {
    const content = labels[phase]?.strip(delta.content ?? "") ?? delta.content;
    const readers = {
      prompt_summary: () => textStep("prompt_summary", content),
      reasoning_summary: () => liveLine(content),
    };
    return [
      ...textStep("reasoning_delta", delta.reasoning_content),
      ...(readers[phase]?.() ?? textStep("final_output_delta", content)),
    ];
  });
}

/** Content is the answer. The reasoning fields carry the summary or the trace, as requested. */
function openai(reasoning) {
  const wantsTrace = reasoning === "raw" || reasoning === "both";
  return chunks((delta, phase) => {
    const text = delta.reasoning_content ?? delta.reasoning;
    if (phase === "prompt_summary") return textStep("prompt_summary", text);
    return [
      ...(wantsTrace ? textStep("reasoning_delta", text) : liveLine(text)),
      ...liveLine(delta.reasoning_summary),
      ...textStep("final_output_delta", delta.content),
    ];
  });
}

/** Only the answer. */
function plain() {
  return chunks((delta) => textStep("final_output_delta", delta.content));
}

/** Anthropic's Messages API: thinking block 0 is the prompt summary, then summary or trace. */
function messages(reasoning) {
  const wantsTrace = reasoning === "raw" || reasoning === "both";
  const tools = new Map();
  let stopReason = null;
  const deltaReaders = {
    thinking_delta: (index, { thinking }) => {
      if (index === 0) return textStep("prompt_summary", thinking);
      return wantsTrace && index === 1 ? textStep("reasoning_delta", thinking) : liveLine(thinking);
    },
    text_delta: (_, { text }) => textStep("final_output_delta", text),
    input_json_delta: (index, { partial_json }) =>
      toolCalls([{ index, name: tools.get(index), arguments: partial_json }]),
  };
  const readers = {
    ping: () => [{ kind: "heartbeat" }],
    content_block_start({ index, content_block: { type, name } }) {
      if (type === "tool_use") tools.set(index, name);
      return [];
    },
    content_block_delta: (data) => deltaReaders[data.delta.type]?.(data.index, data.delta) ?? [],
    message_delta(data) {
      stopReason = data.delta.stop_reason;
      return valueStep("usage", asChatUsage(data.usage, "thinking_tokens"));
    },
    message_stop: () => [
      { kind: "done", finishReason: stopReason === "max_tokens" ? "length" : stopReason },
    ],
    error: (data) => [failed(data.error)],
  };
  return ({ data }) => {
    const event = JSON.parse(data);
    return readers[event.type]?.(event) ?? [];
  };
}

/** OpenAI's Responses API: summary part 0 is the prompt summary, the others the summary. */
function responses() {
  const tools = new Map();
  const onEnd = ({ response }) => [
    ...valueStep("usage", asChatUsage(response.usage, "reasoning_tokens")),
    {
      kind: "done",
      finishReason: response.incomplete_details?.reason === "max_output_tokens" ? "length" : "stop",
    },
  ];
  const readers = {
    "response.output_item.added"({ output_index, item }) {
      tools.set(output_index, item.name);
      return [];
    },
    "response.reasoning_summary_text.delta": ({ summary_index, delta }) =>
      summary_index === 0 ? textStep("prompt_summary", delta) : liveLine(delta),
    "response.reasoning_text.delta": ({ delta }) => textStep("reasoning_delta", delta),
    "response.output_text.delta": ({ delta }) => textStep("final_output_delta", delta),
    "response.function_call_arguments.delta": ({ output_index: index, delta }) =>
      toolCalls([{ index, name: tools.get(index), arguments: delta }]),
    "response.completed": onEnd,
    "response.incomplete": onEnd,
    "response.failed": ({ response }) => [failed(response.error)],
    error: (data) => [failed(data.error ?? data)],
    keepalive: () => [{ kind: "heartbeat" }],
  };
  return ({ data }) => {
    if (data === "[DONE]") return [];
    const event = JSON.parse(data);
    return readers[event.type]?.(event) ?? [];
  };
}

/** The usage with the names of chat completions; `reasoningField` is its own name of that count. */
const asChatUsage = (usage, reasoningField) =>
  usage && {
    prompt_tokens: usage.input_tokens,
    completion_tokens: usage.output_tokens,
    completion_tokens_details: {
      reasoning_tokens: usage.output_tokens_details?.[reasoningField],
    },
  };

const FORMATS = { events, phased, openai, plain, messages, responses };

export function adapterFor(format, reasoning) {
  const adapt = (FORMATS[format] ?? phased)(reasoning);
  return (event) => ("comment" in event ? [{ kind: "heartbeat" }] : adapt(event));
}
