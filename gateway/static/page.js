/** The page: what its controls do, and the one loop that draws. */

import { Conversation } from "./conversation.js";
import { copy } from "./copy.js";
import { Follower } from "./follow.js";
import { Inspector } from "./inspector.js";
import { key, rememberKey, saveKey } from "./key.js";
import { alertWith, setText } from "./lines.js";
import { anyListed, fillModels, model, showField } from "./models.js";
import { Pace } from "./pace.js";
import { Record } from "./record.js";
import { requestFor } from "./request.js";
import * as settings from "./settings.js";
import { TurnView } from "./turn-view.js";
import { runTurn } from "./turn.js";
import { clock, duration } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const ui = {
  composer: $("#composer"),
  prompt: $("#prompt"),
  send: $("#send"),
  stop: $("#stop"),
  model: $("#model"),
  modelName: $("#model-name"),
  format: $("#format"),
  formatHint: $("#format-hint"),
  status: $("#status"),
  clock: $("#clock"),
  complaint: $("#complaint"),
  turns: $("#turns"),
  welcome: $("#welcome"),
  options: $("#options"),
  key: $("#key"),
};
const template = $("#turn-template");
const conversation = new Conversation();
const inspector = new Inspector();
const pageEnd = new Follower(document.scrollingElement, window);
const pace = new Pace();

/** The turn that runs, with what stops it; or null. */
let running = null;

const STATUS = { prompt: "Thinking…", reasoning: "Thinking…", answer: "Answering…" };

const ENDED = {
  done: ({ marks, finishReason }) =>
    `Done in ${duration(marks.end)}${finishReason === "length" ? ", cut at the token limit" : ""}`,
  failed: ({ marks }) => `Failed after ${duration(marks.end)}`,
  stopped: () => "Stopped",
};

/** Adds a turn to the page, one that begins or one that was saved. */
function addTurn(record) {
  const view = new TurnView(record, template);
  const turn = conversation.add({ record, view, events: [], sent: performance.now() });
  const title = `Turn ${conversation.turns.length}`;
  setText(view.element.querySelector("h2"), title);
  ui.turns.append(view.element);
  ui.welcome.hidden = true;
  for (const each of conversation.turns) each.view.last = each === turn;
  const act = (name, action) => {
    for (const button of view.element.querySelectorAll(`[data-do="${name}"]`)) {
      button.addEventListener("click", () => action(button));
    }
  };
  act("copy", (button) => copy(record.answer, button));
  act("regenerate", regenerate);
  act("inspect", (button) => {
    inspector.select(turn, title);
    inspector.show(button);
  });
  inspector.select(turn, title);
  return turn;
}

/** Asks, and sees the turn through to its end. */
async function ask(prompt) {
  const choice = { ...settings.chosen(), model: model() };
  const record = new Record({ prompt, choice, history: conversation.history });
  const turn = addTurn(record);
  running = { turn, abort: new AbortController() };
  showRunning(true);
  pageEnd.toEnd();
  requestAnimationFrame(draw);
  turn.sent = performance.now();
  const request = requestFor(record.messages, choice);
  await runTurn(request, choice, running.abort.signal, (steps, events) => {
    const now = performance.now() - turn.sent;
    turn.events.push(...events);
    for (const step of steps) record.take(step, now);
    if (turn !== conversation.last) return; // a new chat has begun
    setText(ui.status, (ENDED[record.state] ?? (() => STATUS[record.phase]))(record));
  });
  running = null;
  showRunning(false);
  conversation.save();
}

function showRunning(runs) {
  ui.send.hidden = runs;
  ui.stop.hidden = !runs;
  if (!runs && (document.activeElement === ui.stop || document.activeElement === document.body)) {
    ui.prompt.focus({ preventScroll: true });
  }
}

/** Once a frame while something is new: the turn, its pane, the clock, the end of the page. */
function draw() {
  const begun = performance.now();
  const turn = running?.turn ?? conversation.last;
  const now = begun - turn?.sent;
  const more = turn?.view.paint(now, pageEnd.following, pace.chars);
  setText(ui.clock, running ? ` ${clock(now)}` : "");
  inspector.paint({ last: !running });
  pageEnd.keep();
  if (more) pace.took(performance.now() - begun);
  if (running || more) requestAnimationFrame(draw);
}

/** Sends what the box holds, or says what is missing. */
async function send() {
  // The gateway may have learned the key meanwhile, or its model server may have been started.
  if (!(await modelsKnown) || !(model() || anyListed())) refillModels();
  const welcome = await modelsKnown;
  if (running) return;
  if (!welcome) {
    ui.options.showModal();
    ui.key.focus();
    return;
  }
  const prompt = ui.prompt.value.trim();
  ui.prompt.setAttribute("aria-invalid", String(!prompt));
  ui.modelName.setAttribute("aria-invalid", String(!model()));
  if (!prompt) complain("Write a prompt first.", ui.prompt);
  else if (!model()) complain(unnamed(), ui.modelName);
  else {
    complain("");
    ui.prompt.value = "";
    await ask(prompt);
  }
}

const unnamed = () =>
  anyListed()
    ? "Name a model first."
    : "Name a model first: the gateway can list none. Is the model server running?";

function complain(sentence, field) {
  alertWith(ui.complaint, sentence);
  field?.focus();
}

/** Fills the picker. False: the gateway wants another key, which is said. */
async function showModels(wanted) {
  const welcome = await fillModels(wanted);
  if (welcome) complain("");
  else if (key()) complain("The gateway does not know this key. Type another under Options.");
  else complain("This gateway wants a key. Type it under Options.");
  return welcome;
}

function refillModels() {
  modelsKnown = showModels(model() || undefined);
}

function regenerate() {
  if (running || !conversation.last) return;
  const { prompt } = conversation.last.record;
  conversation.dropLast();
  ask(prompt);
}

function stop() {
  running?.abort.abort();
}

function newChat() {
  stop();
  conversation.clear();
  inspector.close();
  ui.welcome.hidden = false;
  complain("");
  setText(ui.status, "Ready");
  ui.prompt.focus();
}

function showFormatHint() {
  setText(ui.formatHint, ui.format.selectedOptions[0]?.dataset.hint ?? "");
}

function onKey(event) {
  if (event.key !== "Escape" || ui.options.open) return;
  if (running) stop();
  else if (inspector.open) inspector.close();
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
document.addEventListener("keydown", onKey);
document.addEventListener("change", ({ target }) => {
  if (!("setting" in target.dataset)) return;
  settings.save();
  showField();
  showFormatHint();
});
addEventListener("pagehide", () => conversation.save());
ui.stop.addEventListener("click", stop);
ui.turns.addEventListener("click", ({ target }) => {
  if (target.dataset.copy)
    copy(target.closest(".listing").querySelector("code").textContent, target);
});
$("#new-chat").addEventListener("click", newChat);
$("#options-open").addEventListener("click", () => ui.options.showModal());
$("#options-reset").addEventListener("click", () => {
  $("#options-form").reset();
  settings.save();
  rememberKey();
});
ui.key.addEventListener("change", () => {
  saveKey();
  refillModels();
});
$("#options-link").addEventListener("click", ({ currentTarget }) =>
  copy(settings.link(ui.prompt.value.trim()), currentTarget),
);
$("#inspector-open").addEventListener("click", ({ currentTarget }) =>
  inspector.open ? inspector.close() : inspector.show(currentTarget),
);
for (const chip of document.querySelectorAll("[data-prompt]")) {
  chip.addEventListener("click", () => {
    ui.prompt.value = chip.dataset.prompt;
    send();
  });
}

const begin = settings.remembered();
settings.choose(begin);
if (begin.prompt) ui.prompt.value = begin.prompt;
showFormatHint();
rememberKey();
let modelsKnown = showModels(begin.model);
for (const record of Conversation.saved()) {
  const { view } = addTurn(record);
  view.paint(record.marks.end ?? 0, true);
}
scrollTo(0, document.scrollingElement.scrollHeight);
