/** The page's main module: its controls. */

import { AnswerNow } from "./answer-now.js";
import { Chat } from "./chat.js";
import { Conversation } from "./conversation.js";
import { copy } from "./copy.js";
import { AutoScroll } from "./follow.js";
import { Inspector } from "./inspector.js";
import { apiKey, restoreKey, saveKey } from "./key.js";
import { chosenModel, fillModels, hasListedModels, showChosen } from "./models.js";
import { Recall } from "./recall.js";
import * as settings from "./settings.js";
import { setText, showAlert } from "./text.js";
import { loadMarkdown } from "./turn-view.js";

const $ = (selector) => document.querySelector(selector);
const ui = {
  composer: $("#composer"),
  prompt: $("#prompt"),
  send: $("#send"),
  stop: $("#stop"),
  latest: $("#latest"),
  modelName: $("#model-name"),
  format: $("#format"),
  formatHint: $("#format-hint"),
  status: $("#status"),
  clock: $("#clock"),
  inputError: $("#input-error"),
  turns: $("#turns"),
  options: $("#options"),
  key: $("#key"),
};
const pageScroll = new AutoScroll(document.scrollingElement, window);
const chat = new Chat({
  ui,
  template: $("#turn-template"),
  scroll: pageScroll,
  inspector: new Inspector(),
  answerNow: new AnswerNow($("#answer-now"), (why) => showError(why)),
  onAction: (name, turn, button) => turnActions[name](turn, button),
});
new Recall(ui.prompt, () => chat.conversation.turns.map(({ record }) => record.prompt));

/** What the buttons of a turn do. */
const turnActions = {
  copy: ({ record }, button) => copy(record.answer, button),
  regenerate: () => chat.regenerate(),
  inspect: (turn, button) => inspect(turn, button),
  edit: (turn) => edit(turn),
  older: (turn) => chat.showVersion(turn, -1),
  newer: (turn) => chat.showVersion(turn, 1),
};

/** Loads a module that the first paint does not need. Returns null, and says so, if that fails. */
async function load(name) {
  try {
    return await import(`./lazy/${name}.js`);
  } catch {
    showError("A part of the page could not be loaded. Check your connection, then try again.");
    return null;
  }
}

function inspect(turn, opener) {
  if (turn) chat.inspector.select(turn, turn.view.place.title);
  chat.inspector.show(opener);
}

async function edit(turn) {
  const module = await load("edit");
  const index = chat.conversation.turns.indexOf(turn);
  if (!module || chat.running || index < 0) return;
  const { prompt, images } = turn.record;
  module.editPrompt(turn.view.element, prompt, (text) => chat.ask(text, { images, index }));
}

let images = null; // those of the next prompt, once there has been one

async function attach(files) {
  const module = await load("images");
  if (!module || !files.length) return;
  images ??= new module.Images($("#thumbnails"), (message) => showError(message));
  await images.add(files);
  ui.prompt.focus();
}

/** The files that are pasted or dropped: images, as text is for the field itself. */
const filesOf = (data) => [...(data?.files ?? [])];

async function showChats() {
  const module = await load("chats");
  module?.showChats({ chat, newChat });
}

async function compare() {
  const module = await load("compare");
  module?.showCompare(chat);
}

async function showShortcuts() {
  const module = await load("shortcuts");
  module?.showShortcuts();
}

/** Sends the prompt, or says what is missing. */
async function send() {
  // By now the gateway may accept the key, or its model server may have started: ask again.
  if (!(await modelsLoaded) || !(chosenModel() || hasListedModels())) reloadModels();
  const keyAccepted = await modelsLoaded;
  if (chat.running) return;
  if (!keyAccepted) {
    ui.options.showModal();
    ui.key.focus();
    return;
  }
  const prompt = ui.prompt.value.trim();
  const attached = images?.urls ?? [];
  ui.prompt.setAttribute("aria-invalid", String(!prompt && !attached.length));
  ui.modelName.setAttribute("aria-invalid", String(!chosenModel()));
  if (!prompt && !attached.length) showError("Write a prompt first.", ui.prompt);
  else if (!chosenModel()) showError(noModelMessage(), ui.modelName);
  else {
    showError("");
    ui.prompt.value = "";
    images?.clear();
    await chat.ask(prompt, { images: attached });
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

function newChat() {
  chat.clear();
  chat.inspector.close();
  showError("");
  ui.prompt.focus();
}

function showFormatHint() {
  setText(ui.formatHint, ui.format.selectedOptions[0]?.dataset.hint ?? "");
}

/** The keys that work everywhere, by what they do. A single character only outside of fields. */
function onKey(event) {
  const { key, code, altKey, ctrlKey, metaKey, target } = event;
  if (document.querySelector("dialog[open]")) return;
  const isTyping = target.matches("input, textarea, select");
  const isPlain = !(altKey || ctrlKey || metaKey);
  if (key === "Escape") {
    if (chat.running) chat.stop();
    else if (chat.inspector.open) chat.inspector.close();
    return;
  }
  if ((ctrlKey || metaKey) && key.toLowerCase() === "k") showChats();
  else if (altKey && code === "KeyN") newChat();
  else if (key === "?" && isPlain && !isTyping) showShortcuts();
  else if (key === "/" && isPlain && !isTyping) ui.prompt.focus();
  else return;
  event.preventDefault();
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
ui.prompt.addEventListener("input", loadMarkdown, { once: true });
ui.prompt.addEventListener("paste", (event) => {
  const files = filesOf(event.clipboardData);
  if (!files.length) return;
  event.preventDefault();
  attach(files);
});
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  attach(filesOf(event.dataTransfer));
});
$("#attach").addEventListener("click", () => $("#images").click());
$("#images").addEventListener("change", async ({ target }) => {
  await attach([...target.files]);
  target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("keydown", onKey);
document.addEventListener("change", ({ target }) => {
  if (!("setting" in target.dataset)) return;
  settings.save();
  showChosen();
  showFormatHint();
});
addEventListener("pagehide", () => chat.conversation.save());
addEventListener("scroll", () => chat.showLatest(), { passive: true });
ui.stop.addEventListener("click", () => chat.stop());
ui.latest.addEventListener("click", () => {
  pageScroll.scrollToEnd();
  chat.showLatest();
  ui.prompt.focus({ preventScroll: true });
});
ui.turns.addEventListener("click", ({ target }) => {
  if (target.dataset.copy)
    copy(target.closest(".listing").querySelector("code").textContent, target);
});
$("#new-chat").addEventListener("click", newChat);
$("#chats-open").addEventListener("click", showChats);
$("#compare-open").addEventListener("click", compare);
$("#shortcuts-open").addEventListener("click", showShortcuts);
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
  chat.inspector.open ? chat.inspector.close() : inspect(chat.conversation.last, currentTarget),
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
chat.open(...Conversation.ofTab());
