/** All that is known of one turn, as data: what views draw, a reload keeps and an export holds.
 *
 * Times are milliseconds since the request was sent. Pure: `now` comes in as an argument.
 */

import { estimatedTokens } from "./words.js";

const SAMPLE_MS = 250;
const GAP_MS = 1500;

export class Record {
  state = "running"; // then done, failed or stopped
  phase = "prompt"; // then reasoning, then answer
  promptSummary = "";
  lines = ""; // the live account
  summary = null; // the summary proper, which takes the place of the lines
  trace = "";
  answer = "";
  calls = []; // {name, text} of each tool call
  marks = {}; // when what was first seen: prompt_summary, reasoning, summary, output, end
  ticks = []; // when each line of the account came
  tokens = { reasoning: 0, output: 0 }; // estimates
  samples = []; // tokens that arrived in each quarter of a second
  gaps = []; // {from, to}: times of silence
  finishReason = null;
  error = null; // {message, code, status}
  usage = null;
  timings = null; // the gateway's own
  lastArrival = 0;
  lastHeartbeat = null;

  /** `choice`: see request.js; `history`: the messages before the prompt. */
  constructor({ prompt, choice, history }) {
    this.prompt = prompt;
    this.choice = choice;
    this.history = history;
  }

  /** One that was saved. */
  static from(saved) {
    return Object.assign(new Record(saved), saved);
  }

  get messages() {
    return [...this.history, { role: "user", content: this.prompt }];
  }

  /** What the next turn is told of this one: nothing if there was no answer. */
  get exchange() {
    if (!this.answer.trim()) return [];
    const answer = { role: "assistant", content: this.answer };
    return [{ role: "user", content: this.prompt }, answer];
  }

  get thoughtMs() {
    const begin =
      this.timings?.first_reasoning_ms ?? this.marks.reasoning ?? this.marks.prompt_summary;
    return (this.marks.output ?? this.marks.end ?? 0) - (begin ?? 0);
  }

  get reasoningTokens() {
    const counted = this.usage?.completion_tokens_details?.reasoning_tokens;
    return counted ?? Math.round(this.tokens.reasoning);
  }

  get outputTokens() {
    const whole = this.usage?.completion_tokens;
    const counted = this.usage?.completion_tokens_details?.reasoning_tokens;
    return whole != null && counted != null ? whole - counted : Math.round(this.tokens.output);
  }

  /** Tokens of the answer a second, null while there is nothing to measure. */
  get rate() {
    const { output, end } = this.marks;
    return end - output > 50 && this.outputTokens > 1
      ? this.outputTokens / ((end - output) / 1000)
      : null;
  }

  /** Takes a step (see formats.js) that arrived at `now`. */
  take(step, now) {
    if (step.kind === "heartbeat") {
      this.lastHeartbeat = now;
      return;
    }
    if (now - this.lastArrival > GAP_MS) this.gaps.push({ from: this.lastArrival, to: now });
    this.lastArrival = now;
    this[`on_${step.kind}`]?.(step, now);
  }

  on_prompt_summary({ text }, now) {
    this.#mark("prompt_summary", now);
    this.promptSummary += text;
    if (this.phase === "prompt") this.phase = "reasoning";
  }

  on_reasoning_delta({ text }, now) {
    this.#mark("reasoning", now);
    this.trace += text;
    this.#count("reasoning", text, now);
    if (this.phase === "prompt") this.phase = "reasoning";
  }

  on_reasoning_summary_delta({ text }, now) {
    this.#mark("summary", now);
    if (!this.lines || this.lines.endsWith("\n")) this.ticks.push(now);
    this.lines += text;
    if (this.phase === "prompt") this.phase = "reasoning";
  }

  on_reasoning_summary({ text }, now) {
    this.#mark("summary", now);
    this.summary = text;
  }

  on_final_output_delta({ text }, now) {
    this.#answering(now);
    this.answer += text;
    this.#count("output", text, now);
  }

  on_tool_call_delta({ index, name, text }, now) {
    this.#answering(now);
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

  on_failed({ message, code, status }, now) {
    this.error = { message, code, status };
    this.#end("failed", now);
  }

  on_stopped(_, now) {
    this.#end("stopped", now);
  }

  /** The longest time without anything new, in milliseconds. */
  get longestGapMs() {
    return Math.max(0, ...this.gaps.map(({ from, to }) => to - from));
  }

  /** The times of the turn, for other programs. */
  timeline() {
    const { prompt, choice, state, finishReason, error, marks, ticks, gaps, usage, timings } = this;
    const { samples, reasoningTokens, outputTokens, rate } = this;
    return {
      ...{ prompt, choice, state, finish_reason: finishReason, error },
      marks_ms: marks,
      summary_lines_ms: ticks,
      gaps_ms: gaps,
      tokens: { reasoning: reasoningTokens, output: outputTokens, output_per_second: rate },
      tokens_arrived: {
        every_ms: SAMPLE_MS,
        counts: Array.from(samples, (n) => Math.round(n ?? 0)),
      },
      usage,
      gateway_timings: timings,
    };
  }

  #answering(now) {
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

export { SAMPLE_MS };
