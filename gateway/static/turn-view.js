/** Draws one turn from its record: the prompt, the three phases, and the outcome. */

import { AutoScroll } from "./follow.js";
import { MarkdownView } from "./markdown/view.js";
import { GrowingText, setText, showAlert } from "./text.js";
import { clock, count, duration } from "./units.js";

const STALL_MS = 8000;
const LOST_MS = 45_000;
const NOT_DETECTED = "Reasoning not detected.";

/** Advice for an error, by its code or its HTTP status. */
const ADVICE = {
  unreachable: "Check that it is running and that you are online, then try again.",
  lost: "The text received so far is kept. Try again when the connection is back.",
  upstream_unreachable: "Check that the model server is running, then try again.",
  upstream_broke_off:
    "The text received so far is kept. Try again; if it fails again, see the model server's log.",
  upstream_connect_timeout: "Check that the model server is running, then try again.",
  upstream_first_byte_timeout:
    "The model server may be overloaded. Try again later, or choose another model.",
  upstream_idle_timeout:
    "The model server may be overloaded. Try again later, or choose another model.",
  upstream_total_timeout: "Ask for a shorter answer, or raise the gateway's TOTAL_TIMEOUT_S.",
  gateway_draining: "The gateway is restarting. Try again in a few seconds.",
  internal_error: "See the gateway's log for the cause.",
  400: "Change the request, then try again.",
  401: "Enter a key under Options, then try again.",
  404: "Choose another model.",
  413: "Send a shorter prompt.",
};

/** Its parts are the template's elements with `data-part`. */
export class TurnView {
  #record;
  #parts;
  #answer;
  #answerDrawn = 0; // characters of the answer that the view has
  #summary;
  #liveSummary;
  #trace;
  #traceScroll;
  #last = false;
  #toggledByUser = false; // the user has opened or closed the thoughts
  #ended = false;

  constructor(record, template) {
    this.#record = record;
    this.element = template.content.firstElementChild.cloneNode(true);
    const parts = this.element.querySelectorAll("[data-part]");
    this.#parts = Object.fromEntries(Array.from(parts, (part) => [part.dataset.part, part]));
    this.#summary = new GrowingText(this.#parts.summary);
    this.#liveSummary = new GrowingText(this.#parts.liveLines);
    this.#trace = new GrowingText(this.#parts.traceLines);
    this.#traceScroll = new AutoScroll(this.#parts.traceLines);
    this.#answer = new MarkdownView(this.#parts.answer);
    setText(this.#parts.prompt, record.prompt);
    this.#setUp();
  }

  #setUp() {
    const { thoughts, trace, note } = this.#parts;
    const { format, reasoning } = this.#record.choice;
    thoughts.hidden = format === "plain";
    setText(note, noteFor(this.#record));
    trace.open = reasoning === "raw";
    thoughts.querySelector("summary").addEventListener("click", () => {
      this.#toggledByUser = true;
    });
  }

  /** Draws what is new. Returns true if there is more to draw.
   *
   * @param {boolean} atEnd the page is scrolled to its end
   * @param {number} [chars] how much of the answer to draw at most
   */
  paint(now, atEnd, chars) {
    const record = this.#record;
    const { promptSummary, promptSummaryText, thoughts, calls } = this.#parts;
    promptSummary.hidden = !record.promptSummary;
    setText(promptSummaryText, record.promptSummary.trim());
    this.#paintThoughts(now);
    if (thoughts.dataset.state === "active" && record.phase === "answer") this.#endThinking(atEnd);
    this.#answer.append(record.answer.slice(this.#answerDrawn));
    this.#answerDrawn = record.answer.length;
    const more = this.#answer.paint(chars);
    const calledTools = record.calls.filter(Boolean).map(({ name, text }) => `${name}(${text})`);
    setText(calls, calledTools.join("\n"));
    this.#paintStall(now);
    if (record.state !== "running" && !more && !this.#ended) this.#end();
    return more;
  }

  #paintThoughts(now) {
    const record = this.#record;
    const { title, live, liveTitle, trace, traceTitle } = this.#parts;
    if (record.state === "running" && record.phase !== "answer") {
      setText(title, ["Thinking for", clock(now), ...this.#tokenCount()].join(" "));
    }
    const replaced = record.summary !== null && !sameWords(record.summary, record.liveSummary);
    this.#summary.show(withoutBlankLines(replaced ? record.summary : record.liveSummary));
    live.hidden = !replaced || !record.liveSummary;
    if (!live.hidden) {
      this.#liveSummary.show(withoutBlankLines(record.liveSummary));
      setText(liveTitle, count(record.liveSummary.trim().split(/\n+/).length, "live line"));
    }
    trace.hidden = !record.trace;
    if (!trace.hidden) {
      this.#trace.show(record.trace);
      setText(traceTitle, `Raw trace · ${count(record.reasoningTokens, "token")}`);
      if (trace.open) this.#traceScroll.follow();
    }
  }

  #tokenCount() {
    const { reasoningTokens } = this.#record;
    return reasoningTokens ? [`· ${count(reasoningTokens, "token")}`] : [];
  }

  /** The thinking is over. Closes the thoughts, unless the user may be reading them. */
  #endThinking(atEnd) {
    const { thoughts, title } = this.#parts;
    const { state, phase, summary, liveSummary, trace, choice, thinkingMs } = this.#record;
    const complete = phase === "answer" || state === "done";
    const notRequested = choice.reasoning === "none";
    const empty = 
      !trace && (notRequested || summary === NOT_DETECTED || (!summary && !liveSummary));
    thoughts.hidden ||= empty && !complete;
    thoughts.dataset.state = !complete ? state : empty ? "skipped" : "done";
    const took = [complete ? "Thought for" : "Thinking ended after", duration(thinkingMs)];
    const none = notRequested ? "Reasoning not shown" : "No reasoning";
    setText(title, complete && empty ? none : [...took, ...this.#tokenCount()].join(" "));
    if (atEnd && complete && !this.#toggledByUser) thoughts.open = false;
  }

  #paintStall(now) {
    const { state, lastArrival, lastHeartbeat } = this.#record;
    const silence = now - lastArrival;
    const { stall } = this.#parts;
    stall.hidden = state !== "running" || silence < STALL_MS;
    if (stall.hidden) return;
    const sinceHeartbeat = lastHeartbeat > lastArrival ? now - lastHeartbeat : null;
    const connection =
      sinceHeartbeat !== null && sinceHeartbeat < LOST_MS
        ? `The connection is alive: a heartbeat arrived ${clock(sinceHeartbeat)} ago.`
        : silence > LOST_MS
          ? "No heartbeat either: the connection may be lost. Stop, then try again."
          : "";
    setText(stall, `Nothing new for ${clock(silence)}. ${connection}`.trim());
  }

  #end() {
    this.#ended = true;
    const record = this.#record;
    const { note, foot, error, answer } = this.#parts;
    this.#endThinking(false);
    this.#answer.close();
    answer.dataset.state = record.state;
    foot.hidden = false;
    setText(this.#parts.figures, this.#figures());
    setText(note, noteFor(record));
    this.#showButtons();
    if (record.state === "failed") showAlert(error, errorText(record.error));
  }

  #figures() {
    const { marks, outputTokens, rate } = this.#record;
    return [
      duration(marks.end),
      ...(outputTokens ? [count(outputTokens, "token")] : []),
      ...(rate ? [`${Math.round(rate)} tokens/s`] : []),
    ].join(" · ");
  }

  /** Only the last turn can be sent again. */
  set last(last) {
    this.#last = last;
    this.#showButtons();
  }

  /** Shows the buttons that apply. Regenerate and Try again do the same: one of them is enough. */
  #showButtons() {
    const { copy, regenerate, problem, tryAgain } = this.#parts;
    const { state, answer } = this.#record;
    copy.hidden = !answer.trim();
    problem.hidden = state !== "failed";
    regenerate.hidden = !this.#last || state === "failed";
    tryAgain.hidden = !this.#last;
  }
}

const normalized = (text) => text.trim().split(/\s+/).join(" ");
const sameWords = (a, b) => normalized(a) === normalized(b);
const withoutBlankLines = (text) => text.replace(/\n+/g, "\n");

/** A note on the outcome, "" for most turns. */
function noteFor({ state, finishReason, choice, answer, calls }) {
  const noAnswer = !answer.trim() && !calls.length;
  if (state === "stopped") return "You stopped this answer.";
  if (finishReason === "length" && noAnswer) {
    return "The model reached the token limit while thinking. Raise Max tokens to get an answer.";
  }
  if (finishReason === "length") {
    return "The answer was cut off at the token limit. Raise Max tokens to get the rest.";
  }
  if (state === "done" && noAnswer) return "The answer has no text.";
  return choice.format === "plain" ? "The plain format contains only the answer." : "";
}

/** The error as a sentence, followed by advice. */
function errorText({ message, code, status }) {
  const sentence = /[.!?。？！]$/.test(message) ? message : `${message}.`;
  const advice = ADVICE[code] ?? ADVICE[status] ?? "";
  return `${sentence} ${advice}`.trim();
}
