/** Compares two models, or two formats: one prompt, two turns side by side. */

import { statusOf } from "../chat.js";
import { copy } from "../copy.js";
import { h, patch } from "../dom.js";
import { fetchWithKey } from "../key.js";
import { chosenModel } from "../models.js";
import { Pace } from "../pace.js";
import { Record } from "../record.js";
import { requestFor } from "../request.js";
import { chosen } from "../settings.js";
import { addSheet } from "../sheet.js";
import { setText } from "../text.js";
import { figures } from "../timeline.js";
import { TurnView } from "../turn-view.js";
import { runTurn } from "../turn.js";
import { count, duration } from "../units.js";

const FIGURES = new Set(["First reasoning", "First output", "End", "Reasoning", "Answer"]);
const SAME_MS = 50; // a difference that nobody sees
const $ = (selector) => document.querySelector(selector);
const dialog = $("#compare");
const form = $("#compare-form");
const field = $("#compare-prompt");
const run = $("#compare-run");
const stop = $("#compare-stop");
const verdict = $("#compare-verdict");
const context = $("#compare-context");
const pace = new Pace();

let chat = null;
let sides = [];

/** One column: its choice, and the turn that it shows. */
class Side {
  record = null;
  sentAt = 0;
  events = [];
  #element;
  #parts;
  #view = null;
  #abort = null;
  #rows = [];

  constructor(name, onContinue) {
    this.name = name;
    this.#element = $("#side-template").content.cloneNode(true).firstElementChild;
    const parts = this.#element.querySelectorAll("[data-part]");
    this.#parts = Object.fromEntries(Array.from(parts, (part) => [part.dataset.part, part]));
    this.#element.setAttribute("aria-label", name);
    setText(this.#parts.heading, name);
    this.#parts.continue.addEventListener("click", () => onContinue(this));
    $("#compare-sides").append(this.#element);
  }

  get isRunning() {
    return this.#abort !== null;
  }

  /** Fills the pickers from those of the page. */
  offer({ model, format, reasoning }) {
    const { model: models, format: formats, reasoning: modes } = this.#parts;
    const listed = [...$("#model").children].filter((each) => each.value !== "");
    models.replaceChildren(...listed.map((each) => each.cloneNode(true)));
    if (![...models.options].some(({ value }) => value === model)) {
      models.prepend(new Option(model, model));
    }
    models.value = model;
    for (const [target, source, value] of [
      [formats, $("#format"), format],
      [modes, $('[data-setting="reasoning"]'), reasoning],
    ]) {
      target.replaceChildren(...[...source.options].map((each) => each.cloneNode(true)));
      target.value = value;
    }
  }

  get choice() {
    const { model, format, reasoning } = this.#parts;
    const { path } = format.selectedOptions[0].dataset;
    return {
      ...chosen(),
      ...{ model: model.value, format: format.value, reasoning: reasoning.value, path },
    };
  }

  async ask(prompt, history) {
    const { choice } = this;
    const record = new Record({ prompt, choice, history });
    Object.assign(this, { record, events: [], sentAt: performance.now() });
    this.#view = new TurnView(record, $("#turn-template"));
    this.#view.place = { title: this.name, last: false, version: 1, versions: 1 };
    const copyButton = this.#view.element.querySelector('[data-do="copy"]');
    copyButton.addEventListener("click", () => copy(record.answer, copyButton));
    this.#parts.turn.replaceChildren(this.#view.element);
    this.#parts.continue.hidden = true;
    this.#abort = new AbortController();
    const onRead = (steps, events) => {
      this.events.push(...events);
      for (const step of steps) record.apply(step, performance.now() - this.sentAt);
    };
    const onStream = (id) => {
      record.streamId = id;
    };
    const request = requestFor(record.messages, choice);
    await runTurn(request, choice, this.#abort.signal, onRead, onStream);
    this.#abort = null;
    this.#parts.continue.hidden = !record.answer.trim();
  }

  stop() {
    if (!this.isRunning) return;
    this.#abort.abort();
    const { streamId } = this.record;
    if (streamId) fetchWithKey(`./v1/streams/${streamId}`, { method: "DELETE" }).catch(() => {});
  }

  /** Draws what is new. Returns true if there is more to draw. */
  paint() {
    const { record } = this;
    if (!record) return false;
    const now = performance.now() - this.sentAt;
    const more = this.#view.paint(now, true, pace.chars);
    setText(this.#parts.status, statusOf(record));
    const told = figures(record, now).filter(([name]) => FIGURES.has(name));
    const rows = told.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value)),
    );
    patch(this.#parts.figures, this.#rows, rows);
    this.#rows = rows;
    return more;
  }
}

/** Which side was faster, in a sentence; "" if one of them has no answer. */
export function verdictOf(left, right) {
  if (![left, right].every(({ record }) => record.state === "done" && record.marks.output)) {
    return "";
  }
  const faster = (mark) => {
    const ms = right.record.marks[mark] - left.record.marks[mark];
    return { by: Math.abs(ms), who: Math.abs(ms) < SAME_MS ? null : ms > 0 ? left : right };
  };
  const begin = faster("output");
  const end = faster("end");
  const isSame = begin.who === end.who;
  const earlier = ({ by, who }) => (who ? `${duration(by)} earlier` : "at the same time");
  const name = ({ who }) => who?.name ?? "Both";
  const was = end.who ? "was" : "were";
  const second = isSame ? was : `${name(end).toLowerCase()} ${was}`;
  return `${name(begin)} began to answer ${earlier(begin)}, and ${second} done ${earlier(end)}.`;
}

export async function showCompare(page) {
  chat = page;
  await styled;
  if (!sides.length) {
    sides = ["Left", "Right"].map((name) => new Side(name, continueWith));
    const { format, reasoning } = { reasoning: "both", ...chosen() };
    const model = chosenModel();
    const models = [...$("#model").options].map(({ value }) => value).filter(Boolean);
    const other = models.find((name) => name !== model) ?? model;
    sides[0].offer({ model, format, reasoning });
    sides[1].offer({ model: other, format, reasoning });
  }
  const turns = chat.conversation.turns.length;
  const are = turns === 1 ? "is" : "are";
  setText(context, turns ? `The ${count(turns, "turn")} of the conversation ${are} sent with it.` : "");
  if (!field.value) field.value = $("#prompt").value;
  dialog.showModal();
  field.focus();
}

const styled = addSheet(new URL("./compare.css", import.meta.url));

async function ask() {
  const prompt = field.value.trim();
  if (!prompt || sides.some(({ isRunning }) => isRunning)) return field.focus();
  const { conversation } = chat;
  const history = conversation.historyBefore(conversation.turns.length);
  setText(verdict, "");
  run.hidden = true;
  stop.hidden = false;
  const turns = Promise.all(sides.map((side) => side.ask(prompt, history)));
  requestAnimationFrame(draw);
  await turns;
  run.hidden = false;
  stop.hidden = true;
  setText(verdict, verdictOf(...sides));
}

function draw() {
  const start = performance.now();
  const more = sides.map((side) => side.paint()).some(Boolean);
  if (more) pace.frameTook(performance.now() - start);
  if (more || sides.some(({ isRunning }) => isRunning)) requestAnimationFrame(draw);
  else for (const side of sides) side.paint();
}

/** Adds the turn of a side to the conversation. The other side's answer becomes a version of it. */
function continueWith(side) {
  stopAll();
  const other = sides.find((each) => each !== side);
  chat.adopt([other, side].filter(({ record }) => record?.state === "done"));
  dialog.close();
}

const stopAll = () => sides.forEach((side) => side.stop());

verdict.setAttribute("role", "status");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
stop.addEventListener("click", stopAll);
dialog.addEventListener("cancel", (event) => {
  if (!sides.some(({ isRunning }) => isRunning)) return;
  event.preventDefault();
  stopAll();
});
dialog.addEventListener("close", stopAll);
