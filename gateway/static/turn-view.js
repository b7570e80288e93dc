/** Draws one turn from its record: the prompt, the three phases, and the outcome. */

import { errorText } from "./error-text.js";
import { AutoScroll } from "./follow.js";
import { NOT_DETECTED } from "./record.js";
import { addSheet } from "./sheet.js";
import { GrowingText, setText, showAlert } from "./text.js";
import { clock, count, duration, tokens } from "./units.js";

const STALL_MS = 8000;
const LOST_MS = 45_000;
const QUIET_MS = 1200; // after which something shows that the model still works

const MARKDOWN = [
  "markdown/view",
  "markdown/elements",
  "markdown/parser",
  "markdown/formula-marks",
  "markdown/formula",
  "markdown/code",
  "markdown/libraries",
  "markdown/links",
  "markdown/memo",
].map((name) => `${name}.js`);
const MARKDOWN_IT = "vendor/markdown-it/markdown-it.esm.min.mjs";
const here = (name) => new URL(name, import.meta.url).href;
let markdown = null; // the promise of the class that draws answers

/** Loads what draws the answers, when the first is near. All modules at once: they form a chain. */
export function loadMarkdown() {
  markdown ??= Promise.all([
    ...[...MARKDOWN, MARKDOWN_IT].map((name) => import(here(name))),
    addSheet(here("markdown/markdown.css")),
  ]).then(
    ([view]) => view.MarkdownView,
    () => {
      markdown = null; // the next turn tries again
      return PlainView;
    },
  );
  return markdown;
}

/** Shows an answer as it is, until the modules are loaded, or if they could not be. */
class PlainView {
  #element;
  constructor(element) {
    this.#element = element;
    element.dataset.plain = "";
  }
  append(text) {
    this.#element.append(text);
  }
  paint() {
    return false;
  }
  close() {}
}

/** Its parts are the template's elements with `data-part`. */
export class TurnView {
  #record;
  #parts;
  #answer; // the view that draws it
  #answerDrawn = 0; // characters of the answer that the view has
  #summary;
  #liveSummary;
  #trace;
  #traceScroll;
  #place = {};
  #toggledByUser = false; // the user has opened or closed the thoughts
  #thinks = true; // or waits
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
    this.#answer = new PlainView(this.#parts.answer);
    /** Resolves when the answer is drawn as Markdown. */
    this.ready = loadMarkdown().then((View) => this.#drawWith(View));
    setText(this.#parts.prompt, record.prompt);
    this.#parts.prompt.hidden = !record.prompt;
    this.#showImages(record.images);
    this.#setUp();
  }

  #showImages(urls) {
    const { images } = this.#parts;
    images.hidden = !urls.length;
    images.replaceChildren(
      ...urls.map((url, i) =>
        Object.assign(new Image(), { src: url, alt: `Attached image ${i + 1}` }),
      ),
    );
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
    if (this.#thinks && record.phase === "answer") this.#endThinking(atEnd);
    const more = this.#paintAnswer(chars);
    const calledTools = record.calls.filter(Boolean).map(({ name, text }) => `${name}(${text})`);
    setText(calls, calledTools.join("\n"));
    this.#paintStall(now);
    if (record.state !== "running" && !more && !this.#ended) this.#end();
    return more;
  }

  #paintAnswer(chars) {
    const { answer } = this.#record;
    this.#answer.append(answer.slice(this.#answerDrawn));
    this.#answerDrawn = answer.length;
    return this.#answer.paint(chars);
  }

  #drawWith(View) {
    if (View === PlainView) return;
    const { answer } = this.#parts;
    answer.replaceChildren();
    delete answer.dataset.plain;
    this.#answer = new View(answer);
    this.#answerDrawn = 0;
    if (!this.#ended) return;
    this.#paintAnswer();
    this.#answer.close();
  }

  #paintThoughts(now) {
    const record = this.#record;
    const { thoughts, title, live, liveTitle, trace, traceTitle } = this.#parts;
    if (record.state === "running" && record.phase === "waiting") {
      setText(title, `Waiting for ${clock(now)}`);
    } else if (record.state === "running" && record.phase === "reasoning") {
      thoughts.dataset.state = "active";
      const since = record.marks.reasoning ?? record.marks.summary;
      setText(title, ["Thinking for", clock(now - since), ...this.#tokenCount()].join(" "));
    }
    this.#paintWork(now);
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
      setText(traceTitle, ["Raw trace", ...this.#tokenCount()].join(" "));
      if (trace.open) this.#traceScroll.follow();
    }
  }

  #tokenCount() {
    const { reasoningTokens, isCounted } = this.#record;
    return reasoningTokens ? [`· ${tokens(reasoningTokens, isCounted)}`] : [];
  }

  /** Between two lines, a quiet sign that the model works: the end of its trace, or dots. */
  #paintWork(now) {
    const { phase, state, trace, lineTimes } = this.#record;
    const { work } = this.#parts;
    const sinceLine = now - (lineTimes.at(-1) ?? 0);
    work.hidden = state !== "running" || phase !== "reasoning" || sinceLine < QUIET_MS;
    if (work.hidden) return;
    const tail = trace.slice(-120).replace(/\s+/g, " ").match(/(?:^|\s)(\S.{0,80})$/);
    setText(work, `… ${tail?.[1].trim() ?? ""}`);
  }

  /** The thinking is over. Closes the thoughts, unless the user may be reading them. */
  #endThinking(atEnd) {
    const { thoughts, title, gist } = this.#parts;
    const { state, phase, summary, liveSummary, trace, choice, thinkingMs } = this.#record;
    this.#thinks = false;
    const complete = phase === "answer" || state === "done";
    const notRequested = choice.reasoning === "none";
    const empty =
      !trace && (notRequested || summary === NOT_DETECTED || (!summary && !liveSummary));
    thoughts.hidden ||= empty && !complete;
    thoughts.dataset.state = !complete ? state : empty ? "skipped" : "done";
    const took = [complete ? "Thought for" : "Thinking ended after", duration(thinkingMs ?? 0)];
    const none = notRequested ? "Reasoning not shown" : "No reasoning";
    setText(title, complete && empty ? none : [...took, ...this.#tokenCount()].join(" "));
    setText(gist, this.#record.gist);
    gist.hidden = empty || !gist.textContent;
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
    const { note, foot, error, said, saidText, answer } = this.#parts;
    this.#endThinking(false);
    this.#answer.close();
    answer.dataset.state = record.state;
    foot.hidden = false;
    setText(this.#parts.figures, this.#figures());
    setText(note, noteFor(record));
    this.#showButtons();
    if (record.state !== "failed") return;
    const { text, detail } = errorText(record.error);
    showAlert(error, text);
    said.hidden = !detail;
    setText(saidText, detail);
  }

  #figures() {
    const { marks, outputTokens, rate, isCounted } = this.#record;
    return [
      duration(marks.end),
      ...(outputTokens ? [tokens(outputTokens, isCounted)] : []),
      ...(rate ? [`${isCounted ? "" : "≈ "}${Math.round(rate)} tokens/s`] : []),
    ].join(" · ");
  }

  /** Where the turn stands: `{title, last, version, versions}`. Only the last can be sent again. */
  set place(place) {
    this.#place = place;
    const { heading, versions, versionText, older, newer } = this.#parts;
    setText(heading, place.title);
    versions.hidden = place.versions < 2;
    setText(versionText, `${place.version}/${place.versions}`);
    older.disabled = place.version === 1;
    newer.disabled = place.version === place.versions;
    this.#showButtons();
  }

  get place() {
    return this.#place;
  }

  /** Shows the buttons that apply. Regenerate and Try again do the same: one of them is enough. */
  #showButtons() {
    const { copy, regenerate, problem, tryAgain } = this.#parts;
    const { state, answer } = this.#record;
    copy.hidden = !answer.trim();
    problem.hidden = state !== "failed";
    regenerate.hidden = !this.#place.last || state === "failed";
    tryAgain.hidden = !this.#place.last;
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
