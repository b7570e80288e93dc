/** The page: reads the form, runs a turn, shows its steps. Text from a model only ever becomes text nodes. */

import { MarkdownView } from "./markdown/view.js";
import { listModels, runTurn } from "./turn.js";

const $ = (selector, within = document) => within.querySelector(selector);
const ui = {
  composer: $("#composer"),
  prompt: $("#prompt"),
  send: $("#send"),
  stop: $("#stop"),
  model: $("#model"),
  modelName: $("#model-name"),
  format: $("#format"),
  formatHint: $("#format-hint"),
  reasoning: $("#reasoning"),
  turn: $("#turn"),
  status: $("#status"),
  clock: $("#clock"),
  error: $("#error"),
};

const seconds = (ms) => {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} m ${Math.floor((ms % 60_000) / 1000)} s`;
};
const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms));

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A text that grows. What is appended is written once a frame, without the white space around the whole. */
class Panel {
  #node = new Text();
  #pending = "";

  constructor(element) {
    this.element = element;
    element.replaceChildren(this.#node);
  }

  get text() {
    return this.#node.data + this.#pending;
  }

  append(text) {
    this.#pending += text;
  }

  replace(text) {
    this.#node.data = "";
    this.#pending = text;
  }

  paint() {
    const ready = this.#pending.trimEnd();
    if (!ready) return;
    this.#node.appendData(this.#node.length ? ready : ready.trimStart());
    this.#pending = this.#pending.slice(ready.length);
  }
}

/** The same for a text whose lines stand apart. */
class Lines {
  #last = null;
  #pending = "";

  constructor(element) {
    this.element = element;
  }

  get text() {
    return this.element.textContent + this.#pending;
  }

  append(text) {
    this.#pending += text;
  }

  replace(text) {
    this.element.replaceChildren();
    this.#last = null;
    this.#pending = text;
  }

  paint() {
    const ready = this.#pending.trimEnd();
    if (!ready) return;
    this.#pending = this.#pending.slice(ready.length);
    const [rest, ...lines] = (this.#last ? ready : ready.trimStart()).split(/\n+/);
    if (this.#last) this.#last.appendData(rest);
    else this.#begin(rest);
    for (const line of lines) this.#begin(line);
  }

  #begin(text) {
    this.#last?.appendData("\n");
    this.#last = new Text(text);
    const line = document.createElement("div");
    line.className = "line";
    line.append(this.#last);
    this.element.append(line);
  }
}

/** The answer. */
class Answer {
  text = "";
  #view;

  constructor(element) {
    this.element = element;
    this.replace("");
  }

  append(text) {
    this.text += text;
    this.#view.append(text);
  }

  replace(text) {
    this.element.replaceChildren();
    this.#view = new MarkdownView(this.element);
    this.text = "";
    this.append(text);
  }

  paint() {
    this.#view.paint();
  }

  close() {
    this.#view.close();
  }
}

/** Keeps a scrolling element at its end for as long as the reader is there. */
class Follower {
  #scroller;
  #following = true;

  constructor(scroller, events = scroller) {
    this.#scroller = scroller;
    events.addEventListener("scroll", () => this.look(), { passive: true });
  }

  look() {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    this.#following = scrollHeight - clientHeight - scrollTop < 48;
  }

  keep() {
    if (this.#following) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

/** One of the three steps of the flow: its bead, its note, its clock. */
class Phase {
  #item;
  #started = 0;

  constructor(name) {
    this.#item = $(`[data-phase="${name}"]`);
  }

  get state() {
    return this.#item.dataset.state;
  }

  note(text) {
    setText($(".note", this.#item), text);
  }

  reset() {
    this.#item.dataset.state = "idle";
    this.note("");
    setText($(".elapsed", this.#item), "");
  }

  start(now) {
    this.#item.dataset.state = "active";
    this.#started = now;
  }

  tick(now) {
    setText($(".elapsed", this.#item), seconds(now - this.#started));
  }

  end(state, now) {
    this.#item.dataset.state = state;
    setText($(".elapsed", this.#item), duration(now - this.#started));
  }

  skip(note) {
    this.#item.dataset.state = "skipped";
    this.note(note);
  }
}

const phases = ["prompt", "reasoning", "answer"].map((name) => new Phase(name));
const [PROMPT, REASONING, ANSWER] = phases.keys();

const hook = (name) => $(`[data-testid="${name}"]`);
const asked = new Panel(hook("prompt-summary"));
const summary = new Lines(hook("reasoning-summary"));
const liveLines = new Lines(hook("reasoning-live"));
const trace = new Panel(hook("reasoning-trace"));
const answer = new Answer(hook("final-output"));
const panels = [asked, summary, liveLines, trace, answer];

/** The reasoning has two panes; each is there when it was asked for or has something to show. */
const reasoning = {
  panes: $(".panes"),
  live: $("#live"),

  reset(mode) {
    this.live.hidden = true;
    this.live.open = false;
    $("#summary-pane").hidden = mode !== "summary" && mode !== "both";
    $("#trace-pane").hidden = mode !== "raw" && mode !== "both";
    this.split();
  },

  show(pane) {
    if (!$(pane).hidden) return;
    $(pane).hidden = false;
    this.split();
  },

  split() {
    this.panes.classList.toggle("split", !$("#summary-pane").hidden && !$("#trace-pane").hidden);
  },

  /** After the turn, only what has something to show stays. */
  tidy() {
    $("#summary-pane").hidden ||= summary.text === "";
    $("#trace-pane").hidden ||= trace.text === "";
    this.split();
  },

  /** The final summary takes the place of the live lines, which stay one click away. */
  settle(text) {
    const words = (lines) => lines.trim().split(/\s+/).join(" ");
    const lines = summary.text.trim();
    summary.replace(text);
    if (!lines || words(lines) === words(text)) return;
    liveLines.replace(lines);
    const count = lines.split(/\n+/).length;
    setText($("summary", this.live), count === 1 ? "1 live line" : `${count} live lines`);
    this.live.hidden = false;
  },
};

/** Tool calls, each with the arguments that have arrived. */
const calls = {
  list: hook("tool-calls"),
  known: new Map(),

  reset() {
    this.known.clear();
    this.list.replaceChildren();
  },

  add({ index, name, text }) {
    const call = this.known.get(index) ?? { name: "", text: "" };
    call.name ||= name;
    call.text += text;
    this.known.set(index, call);
  },

  paint() {
    for (const [at, { name, text }] of [...this.known.values()].entries()) {
      const element = this.list.children[at] ?? this.list.appendChild(document.createElement("pre"));
      setText(element, `${name}(${text})`);
    }
  },
};

const pageEnd = new Follower(document.scrollingElement, window);
const traceEnd = new Follower(trace.element);

/** The turn that runs, or null. */
let running = null;

function say(text) {
  setText(ui.status, text);
}

function complain(sentence) {
  setText(ui.error, sentence);
}

function goTo(index, now = performance.now()) {
  if (running.phase >= index) return;
  for (const phase of phases.slice(0, index)) {
    if (phase.state === "active") phase.end("done", now);
    if (phase.state === "idle") phase.skip("Nothing arrived.");
  }
  running.phase = index;
  phases[index].start(now);
}

const onStep = {
  prompt_summary({ text }) {
    asked.append(text);
    goTo(REASONING);
  },
  reasoning_delta({ text }) {
    trace.append(text);
    reasoning.show("#trace-pane");
    goTo(REASONING);
  },
  reasoning_summary_delta({ text }) {
    summary.append(text);
    reasoning.show("#summary-pane");
    goTo(REASONING);
  },
  reasoning_summary({ text }) {
    reasoning.settle(text);
    reasoning.show("#summary-pane");
    goTo(REASONING);
  },
  final_output_delta({ text }) {
    answer.append(text);
    startAnswering();
  },
  tool_call_delta(call) {
    calls.add(call);
    startAnswering();
  },
  heartbeat() {},
  done({ finishReason }, now) {
    goTo(ANSWER, now);
    phases[ANSWER].end("done", now);
    if (!answer.text.trim() && !calls.known.size) phases[ANSWER].note("The answer has no text.");
    const limited = finishReason === "length" ? ", cut at the token limit" : "";
    say(`Done in ${seconds(now - running.started)}${limited}`);
  },
  failed({ message }, now) {
    phases[running.phase].end("failed", now);
    say(`Failed after ${duration(now - running.started)}`);
    complain(message);
  },
  stopped(_, now) {
    phases[running.phase].end("stopped", now);
    say("Stopped");
  },
};

function startAnswering() {
  goTo(ANSWER);
  running.answering = true;
  say("Answering…");
}

function paint() {
  if (!running) return;
  const now = performance.now();
  phases[running.phase].tick(now);
  setText(ui.clock, running.answering ? "" : ` ${seconds(now - running.started)}`);
  paintText();
  running.frame = requestAnimationFrame(paint);
}

function paintText() {
  for (const each of panels) each.paint();
  calls.paint();
  traceEnd.keep();
  pageEnd.keep();
}

function begin({ format, reasoning: mode }) {
  const now = performance.now();
  running = { abort: new AbortController(), started: now, phase: -1, answering: false, frame: 0 };
  complain("");
  for (const phase of phases) phase.reset();
  for (const each of panels) each.replace("");
  calls.reset();
  reasoning.reset(format === "plain" ? "none" : mode);
  goTo(PROMPT, now);
  if (format === "plain") {
    phases[PROMPT].skip("The plain format carries the answer alone.");
    phases[REASONING].skip("");
    goTo(ANSWER, now);
  } else if (mode === "none") {
    phases[REASONING].note("Not shown in this turn.");
  }
  say("Thinking…");
  ui.send.setAttribute("aria-disabled", "true");
  ui.stop.hidden = false;
  if (ui.turn.getBoundingClientRect().top > innerHeight / 2) ui.turn.scrollIntoView();
  pageEnd.look();
  running.frame = requestAnimationFrame(paint);
}

function end() {
  cancelAnimationFrame(running.frame);
  running = null;
  reasoning.tidy();
  paintText();
  answer.close();
  setText(ui.clock, "");
  for (const phase of phases) if (phase.state === "idle") phase.skip("Not reached.");
  ui.send.removeAttribute("aria-disabled");
  if (document.activeElement === ui.stop) ui.prompt.focus({ preventScroll: true });
  ui.stop.hidden = true;
}

/** What the form says, or null after a sentence that names what is missing. */
function readForm() {
  const content = ui.prompt.value.trim();
  const model = ui.model.value || ui.modelName.value.trim();
  ui.prompt.setAttribute("aria-invalid", String(!content));
  ui.modelName.setAttribute("aria-invalid", String(!model));
  if (!content) {
    complain("Write a prompt first.");
    ui.prompt.focus();
    return null;
  }
  if (!model) {
    complain("Name a model first.");
    ui.modelName.focus();
    return null;
  }
  return {
    model,
    messages: [{ role: "user", content }],
    format: ui.format.value,
    reasoning: ui.reasoning.value,
  };
}

async function send() {
  if (running) return;
  await modelsKnown;
  if (running) return;
  const request = readForm();
  if (!request) return;
  begin(request);
  for await (const step of runTurn(request, running.abort.signal)) {
    onStep[step.kind]?.(step, performance.now());
  }
  end();
}

async function fillModels() {
  const ids = await listModels();
  ui.model.replaceChildren(...ids.map((id) => new Option(id, id)), new Option("Other…", ""));
  ui.model.value = ids.includes("default") ? "default" : (ids[0] ?? "");
  showModelName();
}

function showModelName() {
  ui.modelName.hidden = ui.model.value !== "";
}

function showFormatHint() {
  setText(ui.formatHint, ui.format.selectedOptions[0]?.dataset.hint ?? "");
}

ui.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
ui.prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
ui.prompt.addEventListener("input", () => ui.prompt.removeAttribute("aria-invalid"));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort.abort();
});
answer.element.addEventListener("click", async ({ target }) => {
  if (!target.matches("[data-copy]")) return;
  await navigator.clipboard.writeText($("code", target.closest(".listing")).textContent);
  setText(target, "Copied");
});
ui.stop.addEventListener("click", () => running?.abort.abort());
ui.model.addEventListener("change", showModelName);
ui.format.addEventListener("change", showFormatHint);
for (const chip of document.querySelectorAll(".chip")) {
  chip.addEventListener("click", () => {
    if (running) return;
    ui.prompt.value = chip.dataset.prompt;
    send();
  });
}

showFormatHint();
const modelsKnown = fillModels();
