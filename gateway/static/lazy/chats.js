/** The drawer with this browser's conversations: search, open, rename, save, delete one or all with
 * undo. */

import { deleteChats, listChats, loadChat, renameChat } from "../library.js";
import { setText } from "../text.js";
import { count } from "../units.js";
import { saveAs } from "./save.js";

const $ = (selector) => document.querySelector(selector);
const dialog = $("#chats");
const search = $("#chats-search");
const list = $("#chats-list");
const note = $("#chats-note");
const undo = $("#chats-undo");
const removeAll = $("#chats-delete-all");
const template = $("#chat-template");

let page = null; // {chat, newChat} of the last call
let bringBack = null; // brings back what was deleted last

export function showChats(context) {
  page = context;
  page.chat.conversation.save();
  search.value = "";
  forgetDeleted();
  draw();
  dialog.showModal();
  search.focus();
}

/** The text of a conversation, for the search. */
const textOf = (id) =>
  loadChat(id)
    .flatMap(({ prompt, answer }) => [prompt, answer])
    .join("\n")
    .toLowerCase();

function draw() {
  const words = search.value.trim().toLowerCase();
  const chats = listChats();
  const found = chats.filter(
    ({ id, title }) => !words || title.toLowerCase().includes(words) || textOf(id).includes(words),
  );
  list.replaceChildren(...found.map(row));
  const empty = words ? "No conversation contains this." : "No conversations yet.";
  if (!bringBack) setText(note, found.length ? "" : empty);
  removeAll.hidden = Boolean(words) || chats.length < 2; // not what the search has found
  const isEmpty = !page.chat.conversation.turns.length;
  for (const button of dialog.querySelectorAll("[data-save]")) button.disabled = isEmpty;
}

function row({ id, title, at }) {
  const item = template.content.cloneNode(true).firstElementChild;
  const [open, rename, remove] = item.querySelectorAll("button");
  const [name, time] = open.children;
  setText(name, title);
  setText(time, when(new Date(at)));
  open.dataset.chat = id;
  if (id === page.chat.conversation.id) open.setAttribute("aria-current", "true");
  rename.setAttribute("aria-label", `Rename “${title}”`);
  remove.setAttribute("aria-label", `Delete “${title}”`);
  open.addEventListener("click", () => openChat(id));
  rename.addEventListener("click", () => startRename(item, id, title));
  remove.addEventListener("click", () => deleteAndOffer([id], `“${title}” is deleted.`));
  return item;
}

/** "14:05" today, else "27 Nov". */
function when(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleDateString([], { day: "numeric", month: "short" });
}

function openChat(id) {
  dialog.close();
  if (id === page.chat.conversation.id) return;
  const saved = loadChat(id);
  page.chat.inspector.close();
  page.chat.open(id, saved);
  page.chat.conversation.save();
}

function startRename(item, id, title) {
  const field = document.createElement("input");
  field.value = title;
  field.className = "chat-name";
  field.maxLength = 120;
  field.setAttribute("aria-label", "New name");
  let isOver = false;
  const end = (isKept) => {
    if (isOver) return;
    isOver = true;
    const name = field.value.trim();
    if (isKept && name && name !== title) renameChat(id, name);
    draw();
    [...list.querySelectorAll("[data-chat]")].find((each) => each.dataset.chat === id)?.focus();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    end(event.key === "Enter");
  });
  field.addEventListener("blur", () => end(true));
  item.replaceChildren(field);
  field.focus();
  field.select();
}

function deleteAndOffer(ids, said) {
  const { id } = page.chat.conversation;
  const isShown = ids.includes(id);
  if (isShown) page.newChat();
  const restore = deleteChats(ids);
  bringBack = () => {
    restore();
    if (isShown && !page.chat.conversation.turns.length) page.chat.open(id, loadChat(id));
  };
  draw();
  setText(note, said);
  undo.hidden = false;
  undo.focus();
}

function forgetDeleted() {
  bringBack = null;
  undo.hidden = true;
  setText(note, "");
}

note.setAttribute("role", "status");
search.addEventListener("input", draw);
undo.addEventListener("click", () => {
  bringBack?.();
  forgetDeleted();
  draw();
  search.focus();
});
removeAll.addEventListener("click", () => {
  const ids = listChats().map(({ id }) => id);
  deleteAndOffer(ids, `${count(ids.length, "conversation")} are deleted.`);
});
for (const button of dialog.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => saveAs(button.dataset.save, page.chat.conversation));
}
addEventListener("storage", () => dialog.open && draw());
