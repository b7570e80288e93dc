/** The page's main module: its controls, and the loop that draws. */

import { AnswerNow } from "./answer-now.js";
import { Conversation } from "./conversation.js";
import { copy } from "./copy.js";
import { AutoScroll } from "./follow.js";
import { Inspector } from "./inspector.js";
import { apiKey, restoreKey, saveKey } from "./key.js";
import { chosenModel, fillModels, hasListedModels, updateNameField } from "./models.js";
import { Pace } from "./pace.js";
import { Record } from "./record.js";
import { requestFor } from "./request.js";
import * as settings from "./settings.js";
import { setText, showAlert } from "./text.js";
import { TurnView } from "./turn-view.js";
import { runTurn } from "./turn.js";
import { clock, duration } from "./units.js";

const $ = (selector) => document.querySelector(selector);
const ui = {
  composer: $("#composer"),
  prompt: $("#prompt"),
  send: $("#send"),
  stop: $("#stop"),
  answerNow: $("#answer-now"),
  model: $("#model"),
  modelName: $("#model-name"),
  format: $("#format"),
  formatHint: $("#format-hint"),
  status: $("#status"),
  clock: $("#clock"),
  inputError: $("#input-error"),
  turns: $("#turns"),
  welcome: $("#welcome"),
  options: $("#options"),
  key: $("#key"),
};
const template = $("#turn-template");
const conversation = new Conversation();
const inspector = new Inspector();
const pageScroll = new AutoScroll(document.scrollingElement, window);
const pace = new Pace();
const answerNow = new AnswerNow(ui.answerNow, ui.status);

/** The running turn with its AbortController, or null. */
let running = null;

const RUNNING_STATUS = { prompt: "Thinking…", reasoning: "Thinking…", answer: "Answering…" };

const FINAL_STATUS = {
  done: ({ marks, finishReason }) => {
    const cutOff = finishReason === "length" ? ", cut off at the token limit" : "";
    return `Done in ${duration(marks.end)}${cutOff}`;
  },
  failed: ({ marks }) => `Failed after ${duration(marks.end)}`,
  stopped: () => "Stopped",
};

/** Adds a new or a restored turn to the page. */
function addTurn(record) {
  const view = new TurnView(record, template);
  const turn = conversation.add({ record, view, events: [], sentAt: performance.now() });
  const title = `Turn ${conversation.turns.length}`;
  setText(view.element.querySelector("h2"), title);
  ui.turns.append(view.element);
  ui.welcome.hidden = true;
  for (const each of conversation.turns) each.view.last = each === turn;
  const onAction = (name, action) => {
    for (const button of view.element.querySelectorAll(`[data-do="${name}"]`)) {
      button.addEventListener("click", () => action(button));
    }
  };
  onAction("copy", (button) => copy(record.answer, button));
  onAction("regenerate", regenerate);
  onAction("inspect", (button) => {
    inspector.select(turn, title);
    inspector.show(button);
  });
  inspector.select(turn, title);
  return turn;
}

/** Runs a turn from the request to its end. */
async function ask(prompt) {
  const choice = { ...settings.chosen(), model: chosenModel() };
  const record = new Record({ prompt, choice, history: conversation.history });
  const turn = addTurn(record);
  running = { turn, abort: new AbortController() };
  showRunning(true);
  pageScroll.scrollToEnd();
  requestAnimationFrame(draw);
  turn.sentAt = performance.now();
  const request = requestFor(record.messages, choice);
  const onRead = (steps, events) => {
    const now = performance.now() - turn.sentAt;
    turn.events.push(...events);
    for (const step of steps) record.apply(step, now);
    if (turn !== conversation.last) return; // the user has started a new chat
    setText(ui.status, FINAL_STATUS[record.state]?.(record) ?? RUNNING_STATUS[record.phase]);
  };
  await runTurn(request, choice, running.abort.signal, onRead, (id) => {
    answerNow.streamId = id;
  });
  running = null;
  answerNow.streamId = null;
  showRunning(false);
  conversation.save();
}

function showRunning(isRunning) {
  ui.send.hidden = isRunning;
  ui.stop.hidden = !isRunning;
  const { activeElement, body } = document;
  if (!isRunning && (activeElement === ui.stop || activeElement === body)) {
    ui.prompt.focus({ preventScroll: true });
  }
}

/** Draws a frame: the turn, the inspector, the clock. Repeats until everything is drawn. */
function draw() {
  const start = performance.now();
  const turn = running?.turn ?? conversation.last;
  const now = start - turn?.sentAt;
  const more = turn?.view.paint(now, pageScroll.following, pace.chars);
  answerNow.paint(running && turn.record.phase !== "answer");
  setText(ui.clock, running ? ` ${clock(now)}` : "");
  inspector.paint({ last: !running });
  pageScroll.follow();
  if (more) pace.frameTook(performance.now() - start);
  if (running || more) requestAnimationFrame(draw);
}

/** Sends the prompt, or says what is missing. */
async function send() {
  // By now the gateway may accept the key, or its model server may have started: ask again.
  if (!(await modelsLoaded) || !(chosenModel() || hasListedModels())) reloadModels();
  const keyAccepted = await modelsLoaded;
  if (running) return;
  if (!keyAccepted) {
    ui.options.showModal();
    ui.key.focus();
    return;
  }
  const prompt = ui.prompt.value.trim();
  ui.prompt.setAttribute("aria-invalid", String(!prompt));
  ui.modelName.setAttribute("aria-invalid", String(!chosenModel()));
  if (!prompt) showError("Write a prompt first.", ui.prompt);
  else if (!chosenModel()) showError(noModelMessage(), ui.modelName);
  else {
    showError("");
    ui.prompt.value = "";
    await ask(prompt);
  }
}

const noModelMessage = () =>
  hasListedModels()
    ? "Enter a model name first."
    : "Enter a model name first: the gateway lists no models. Is the model server running?";

/** Shows a message above the prompt; "" removes it. */
function showError(message, field) {
  showAlert(ui.inputError, message);
  field?.focus();
}

/** Fills the model picker. Returns false, and says so, if the gateway rejects the API key. */
async function loadModels(preferred) {
  const keyAccepted = await fillModels(preferred);
  if (keyAccepted) showError("");
  else if (apiKey()) showError("The gateway rejects this API key. Enter another under Options.");
  else showError("This gateway requires an API key. Enter it under Options.");
  return keyAccepted;
}

function reloadModels() {
  modelsLoaded = loadModels(chosenModel() || undefined);
}

function regenerate() {
  if (running || !conversation.last) return;
  const { prompt } = conversation.last.record;
  conversation.removeLast();
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
  showError("");
  setText(ui.status, "Ready");
  ui.prompt.focus();
}

function showFormatHint() {
  setText(ui.formatHint, ui.format.selectedOptions[0]?.dataset.hint ?? "");
}

function onEscape(event) {
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
document.addEventListener("keydown", onEscape);
document.addEventListener("change", ({ target }) => {
  if (!("setting" in target.dataset)) return;
  settings.save();
  updateNameField();
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
  restoreKey();
});
ui.key.addEventListener("change", () => {
  saveKey();
  reloadModels();
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

const initial = settings.initial();
settings.choose(initial);
if (initial.prompt) ui.prompt.value = initial.prompt;
showFormatHint();
restoreKey();
let modelsLoaded = loadModels(initial.model);
for (const record of Conversation.load()) {
  const { view } = addTurn(record);
  view.paint(record.marks.end ?? 0, true);
}
scrollTo(0, document.scrollingElement.scrollHeight);
