/** The data of one turn. The views draw it, a reload restores it, the timeline exports it.
 *
 * Times are milliseconds since the request was sent. Pure: `now` is an argument.
 */

import { estimatedTokens } from "./units.js";

export const SAMPLE_MS = 250;
/** The gateway's summary of a turn without reasoning. */
export const NOT_DETECTED = "Reasoning not detected.";
const MIN_GAP_MS = 1500;
/** White space behind a sentence's end, before anything but a small letter; none in Chinese. */
const SENTENCE_END = /(?<=[.!?…؟]["'”»)\]]*)\s+(?=[^\p{Ll}\s])|(?<=[。！？])(?=.)/u;

export class Record {
  state = "running"; // then done, failed or stopped
  phase = "waiting"; // until the first reasoning has arrived; then reasoning, then answer
  promptSummary = "";
  liveSummary = ""; // one line after another
  summary = null; // the final summary, which replaces the live one
  trace = "";
  answer = "";
  calls = []; // {name, text} of each tool call
  marks = {}; // times of the first prompt_summary, reasoning, summary and output, and of the end
  lineTimes = []; // when each line of the live summary began
  tokens = { reasoning: 0, output: 0 }; // estimates
  samples = []; // tokens per SAMPLE_MS
  gaps = []; // {from, to}: times without any step but heartbeats
  finishReason = null;
  error = null; // {message, code, status, wait}
  usage = null;
  timings = null; // measured by the gateway
  lastArrival = 0;
  steps = 0; // taken so far, heartbeats not counted
  streamId = null; // under which the gateway keeps the stream
  startedAt = Date.now();
  lastHeartbeat = null;

  /** `choice`: see request.js; `history`: the messages before the prompt; `images`: data URLs. */
  constructor({ prompt, choice, history = [], images = [] }) {
    this.prompt = prompt;
    this.choice = choice;
    this.history = history;
    this.images = images;
  }

  /** Restores a saved record. */
  static from(saved) {
    return Object.assign(new Record(saved), saved);
  }

  /** A stream that may still be read, as after a reload. */
  get canResume() {
    return this.state === "running" && Boolean(this.streamId);
  }

  /** What is saved: all but the history, which follows from the turns before. */
  get saved() {
    const { history, ...saved } = this;
    return saved;
  }

  get messages() {
    return [...this.history, this.#question];
  }

  get #question() {
    if (!this.images.length) return { role: "user", content: this.prompt };
    const images = this.images.map((url) => ({ type: "image_url", image_url: { url } }));
    const text = this.prompt ? [{ type: "text", text: this.prompt }] : [];
    return { role: "user", content: [...text, ...images] };
  }

  /** The turn as messages of the next request; none if there was no answer. */
  get exchange() {
    if (!this.answer.trim()) return [];
    const answer = { role: "assistant", content: this.answer };
    return [this.#question, answer];
  }

  /** From the first sign of reasoning to the answer; null if there was none. */
  get thinkingMs() {
    const { output, end, reasoning, summary } = this.marks;
    const begin = this.timings?.first_reasoning_ms ?? reasoning ?? summary;
    return begin == null ? null : Math.max((output ?? end ?? 0) - begin, 0);
  }

  /** Whether the model server has counted the tokens. Until then all numbers are estimates. */
  get isCounted() {
    return this.usage?.completion_tokens_details?.reasoning_tokens != null;
  }

  get reasoningTokens() {
    const counted = this.usage?.completion_tokens_details?.reasoning_tokens;
    return counted ?? Math.round(this.tokens.reasoning);
  }

  /** The last conclusion of the summary: its last sentence, or else the last live line. */
  get gist() {
    if (this.summary === NOT_DETECTED) return "";
    const text = (this.summary ?? this.liveSummary).trim();
    const line = text.slice(text.lastIndexOf("\n") + 1);
    return line.split(SENTENCE_END).at(-1).trim();
  }

  get outputTokens() {
    const total = this.usage?.completion_tokens;
    const reasoning = this.usage?.completion_tokens_details?.reasoning_tokens;
    return total != null && reasoning != null
      ? total - reasoning
      : Math.round(this.tokens.output);
  }

  /** Tokens of the answer per second; null if there are too few to measure. */
  get rate() {
    const { output, end } = this.marks;
    return end - output > 50 && this.outputTokens > 1
      ? this.outputTokens / ((end - output) / 1000)
      : null;
  }

  /** Applies a step (see formats.js) that arrived at `now`. */
  apply(step, now) {
    if (step.kind === "heartbeat") {
      this.lastHeartbeat = now;
      return;
    }
    this.steps += 1;
    if (now - this.lastArrival > MIN_GAP_MS) this.gaps.push({ from: this.lastArrival, to: now });
    this.lastArrival = now;
    this[`on_${step.kind}`]?.(step, now);
  }

  on_prompt_summary({ text }, now) {
    this.#mark("prompt_summary", now);
    this.promptSummary += text;
  }

  on_reasoning_delta({ text }, now) {
    this.#mark("reasoning", now);
    this.trace += text;
    this.#count("reasoning", text, now);
    this.#startThinking();
  }

  on_reasoning_summary_delta({ text }, now) {
    this.#mark("summary", now);
    if (!this.liveSummary || this.liveSummary.endsWith("\n")) this.lineTimes.push(now);
    this.liveSummary += text;
    this.#startThinking();
  }

  on_reasoning_summary({ text }, now) {
    this.#mark("summary", now);
    this.#startThinking();
    this.summary = text;
  }

  on_final_output_delta({ text }, now) {
    this.#startAnswer(now);
    this.answer += text;
    this.#count("output", text, now);
  }

  on_tool_call_delta({ index, name, text }, now) {
    this.#startAnswer(now);
    this.calls[index] ??= { name: "", text: "" };
    this.calls[index].name ||= name ?? "";
    this.calls[index].text += text;
    this.#count("output", text, now);
  }

  on_usage({ usage }) {
    this.usage = usage;
  }

  on_timings({ timings }) {
    this.timings = timings;
  }

  on_done({ finishReason }, now) {
    this.finishReason = finishReason;
    this.#end("done", now);
  }

  on_failed({ message, code, status, wait }, now) {
    this.error = { message, code, status, wait };
    this.#end("failed", now);
  }

  on_stopped(_, now) {
    this.#end("stopped", now);
  }

  /** The longest gap between two steps, in milliseconds. */
  get longestGapMs() {
    return Math.max(0, ...this.gaps.map(({ from, to }) => to - from));
  }

  /** The timeline as it is saved as JSON. */
  timeline() {
    const { prompt, choice, state, finishReason, error, usage, timings } = this;
    const { marks, lineTimes, gaps, samples, reasoningTokens, outputTokens, rate } = this;
    return {
      ...{ prompt, choice, state, finish_reason: finishReason, error },
      marks_ms: marks,
      summary_lines_ms: lineTimes,
      gaps_ms: gaps,
      tokens: {
        reasoning: reasoningTokens,
        output: outputTokens,
        output_per_second: rate,
        estimated: !this.isCounted,
      },
      tokens_arrived: {
        every_ms: SAMPLE_MS,
        counts: Array.from(samples, (n) => Math.round(n ?? 0)),
      },
      usage,
      gateway_timings: timings,
    };
  }

  #startThinking() {
    if (this.phase === "waiting") this.phase = "reasoning";
  }

  #startAnswer(now) {
    this.#mark("output", now);
    this.phase = "answer";
  }

  #end(state, now) {
    this.state = state;
    this.marks.end = now;
    this.calls = this.calls.filter(Boolean);
  }

  #mark(name, now) {
    this.marks[name] ??= now;
  }

  #count(kind, text, now) {
    const tokens = estimatedTokens(text);
    const at = Math.floor(now / SAMPLE_MS);
    this.tokens[kind] += tokens;
    this.samples[at] = (this.samples[at] ?? 0) + tokens;
  }
}
