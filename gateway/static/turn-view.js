/** Draws one turn from its record: the question, the three phases, how it ended. */

import { Follower } from "./follow.js";
import { alertWith, Lines, setText } from "./lines.js";
import { MarkdownView } from "./markdown/view.js";
import { clock, count, duration } from "./words.js";

const STALL_MS = 8000;
const LOST_MS = 45_000;
const NOT_DETECTED = "Reasoning not detected.";

/** What to do about an error, by its code or its status. */
const ADVICE = {
  unreachable: "Check that it is running and that you are online, then try again.",
  lost: "What had arrived is kept. Try again when the connection is back.",
  upstream_unreachable: "Check that the model server is running, then try again.",
  upstream_broke_off:
    "What had arrived is kept. Try again; if it happens again, look at the model server's log.",
  upstream_connect_timeout: "Check that the model server is running, then try again.",
  upstream_first_byte_timeout:
    "The model server may be overloaded. Try again later, or choose another model.",
  upstream_idle_timeout:
    "The model server may be overloaded. Try again later, or choose another model.",
  upstream_total_timeout: "Ask for a shorter answer, or raise the gateway's TOTAL_TIMEOUT_S.",
  gateway_draining: "The gateway is being restarted. Try again in a few seconds.",
  internal_error: "The gateway's log says why.",
  400: "Change the request, then try again.",
  401: "Type a key under Options, then try again.",
  404: "Choose another model.",
  413: "Send a shorter prompt.",
};

/** Its parts are those that the template names with `data-part`. */
export class TurnView {
  #record;
  #parts;
  #answer;
  #answered = 0;
  #lines;
  #live;
  #trace;
  #traceEnd;
  #last = false;
  #touched = false; // the reader has opened or closed the thoughts
  #ended = false;

  constructor(record, template) {
    this.#record = record;
    this.element = template.content.firstElementChild.cloneNode(true);
    const parts = this.element.querySelectorAll("[data-part]");
    this.#parts = Object.fromEntries(Array.from(parts, (part) => [part.dataset.part, part]));
    this.#lines = new Lines(this.#parts.lines);
    this.#live = new Lines(this.#parts.liveLines);
    this.#trace = new Lines(this.#parts.traceLines);
    this.#traceEnd = new Follower(this.#parts.traceLines);
    this.#answer = new MarkdownView(this.#parts.answer);
    setText(this.#parts.asked, record.prompt);
    this.#begin();
  }

  #begin() {
    const { thoughts, trace, note } = this.#parts;
    const { format, reasoning } = this.#record.choice;
    thoughts.hidden = format === "plain";
    setText(note, noteOn(this.#record));
    trace.open = reasoning === "raw";
    thoughts.querySelector("summary").addEventListener("click", () => {
      this.#touched = true;
    });
  }

  /** Draws what is new, of the answer so many characters. `follows`: the reader is at the page's end.
   * True: there is more to draw. */
  paint(now, follows, chars) {
    const record = this.#record;
    const { gist, promptSummary, thoughts, calls } = this.#parts;
    gist.hidden = !record.promptSummary;
    setText(promptSummary, record.promptSummary.trim());
    this.#paintThoughts(now);
    if (thoughts.dataset.state === "active" && record.phase === "answer") this.#settle(follows);
    this.#answer.append(record.answer.slice(this.#answered));
    this.#answered = record.answer.length;
    const more = this.#answer.paint(chars);
    const made = record.calls.filter(Boolean).map(({ name, text }) => `${name}(${text})`);
    setText(calls, made.join("\n"));
    this.#paintStall(now);
    if (record.state !== "running" && !more && !this.#ended) this.#end();
    return more;
  }

  #paintThoughts(now) {
    const record = this.#record;
    const { title, live, liveTitle, trace, traceTitle } = this.#parts;
    if (record.state === "running" && record.phase !== "answer") {
      setText(title, ["Thinking for", clock(now), ...this.#tokens()].join(" "));
    }
    const replaced = record.summary !== null && !same(record.summary, record.lines);
    this.#lines.show(oneLineApart(replaced ? record.summary : record.lines));
    live.hidden = !replaced || !record.lines;
    if (!live.hidden) {
      this.#live.show(oneLineApart(record.lines));
      setText(liveTitle, count(record.lines.trim().split(/\n+/).length, "live line"));
    }
    trace.hidden = !record.trace;
    if (!trace.hidden) {
      this.#trace.show(record.trace);
      setText(traceTitle, `Raw trace · ${count(record.reasoningTokens, "token")}`);
      if (trace.open) this.#traceEnd.keep();
    }
  }

  #tokens() {
    const { reasoningTokens } = this.#record;
    return reasoningTokens ? [`· ${count(reasoningTokens, "token")}`] : [];
  }

  /** The thinking is over: one line is left of it, unless the reader is looking at it. */
  #settle(follows) {
    const { thoughts, title } = this.#parts;
    const { state, phase, summary, lines, trace, choice, thoughtMs } = this.#record;
    const whole = phase === "answer" || state === "done";
    const unasked = choice.reasoning === "none";
    const empty = !trace && (unasked || summary === NOT_DETECTED || (!summary && !lines));
    thoughts.hidden ||= empty && !whole;
    thoughts.dataset.state = !whole ? state : empty ? "skipped" : "done";
    const thought = [whole ? "Thought for" : "Thinking ended after", duration(thoughtMs)];
    const none = unasked ? "Reasoning not shown" : "No reasoning";
    setText(title, whole && empty ? none : [...thought, ...this.#tokens()].join(" "));
    if (follows && whole && !this.#touched) thoughts.open = false;
  }

  #paintStall(now) {
    const { state, lastArrival, lastHeartbeat } = this.#record;
    const silence = now - lastArrival;
    const { stall } = this.#parts;
    stall.hidden = state !== "running" || silence < STALL_MS;
    if (stall.hidden) return;
    const beat = lastHeartbeat > lastArrival ? now - lastHeartbeat : null;
    const signs =
      beat !== null && beat < LOST_MS
        ? `The connection is alive: a heartbeat came ${clock(beat)} ago.`
        : silence > LOST_MS
          ? "Not even a heartbeat: the connection may be lost. Stop, then try again."
          : "";
    setText(stall, `Nothing new for ${clock(silence)}. ${signs}`.trim());
  }

  #end() {
    this.#ended = true;
    const record = this.#record;
    const { note, foot, error, answer } = this.#parts;
    this.#settle(false);
    this.#answer.close();
    answer.dataset.state = record.state;
    foot.hidden = false;
    setText(this.#parts.figures, this.#figures());
    setText(note, noteOn(record));
    this.#offer();
    if (record.state === "failed") alertWith(error, complaint(record.error));
  }

  #figures() {
    const { marks, outputTokens, rate } = this.#record;
    return [
      duration(marks.end),
      ...(outputTokens ? [count(outputTokens, "token")] : []),
      ...(rate ? [`${Math.round(rate)} tokens/s`] : []),
    ].join(" · ");
  }

  /** Only the last turn can be asked again. */
  set last(last) {
    this.#last = last;
    this.#offer();
  }

  /** Shows the buttons that make sense, of those that ask again one. */
  #offer() {
    const { copy, regenerate, problem, tryAgain } = this.#parts;
    const { state, answer } = this.#record;
    copy.hidden = !answer.trim();
    problem.hidden = state !== "failed";
    regenerate.hidden = !this.#last || state === "failed";
    tryAgain.hidden = !this.#last;
  }
}

const words = (text) => text.trim().split(/\s+/).join(" ");
const same = (one, other) => words(one) === words(other);
const oneLineApart = (text) => text.replace(/\n+/g, "\n");

/** What has to be said of how a turn ended, "" of most. */
function noteOn({ state, finishReason, choice, answer, calls }) {
  const silent = !answer.trim() && !calls.length;
  if (state === "stopped") return "You stopped this answer.";
  if (finishReason === "length" && silent) {
    return "The model was still thinking at the token limit. Raise Max tokens to read on.";
  }
  if (finishReason === "length") {
    return "The answer was cut at the token limit. Raise Max tokens to read on.";
  }
  if (state === "done" && silent) return "The answer has no text.";
  return choice.format === "plain" ? "The plain format carries the answer alone." : "";
}

/** The error as a sentence, and what to do. */
function complaint({ message, code, status }) {
  const sentence = /[.!?。？！]$/.test(message) ? message : `${message}.`;
  const advice = ADVICE[code] ?? ADVICE[status] ?? "";
  return `${sentence} ${advice}`.trim();
}
