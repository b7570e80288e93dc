/** The turns of a conversation, and the versions of each.
 *
 * A turn is `{record, view, events, sentAt, versions, tail}`. `versions` is shared by the turns that
 * stand at the same place; `tail` are the turns behind a version that is not shown.
 *
 * The tab's session storage keeps the conversation across a reload, the library beyond it.
 */

import { saveChat } from "./library.js";
import { Record } from "./record.js";
import { LOST } from "./turn.js";

const STORAGE_KEY = "conversation";
const ID_KEY = "conversation-id";
const MAX_SAVED_TURNS = 50;
const TITLE_CHARS = 80;

const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(3)), String).join("");

/** A turn that stands alone at its place. */
export const newTurn = (record) => {
  const turn = { record, view: null, events: [], sentAt: 0, versions: [], tail: [] };
  turn.versions.push(turn);
  return turn;
};

export class Conversation {
  id = newId();
  turns = [];

  get last() {
    return this.turns.at(-1);
  }

  get title() {
    return this.turns[0]?.record.prompt.trim().slice(0, TITLE_CHARS) || "Images";
  }

  /** The turns before an index as messages of the next request. */
  historyBefore(index) {
    return this.turns.slice(0, index).flatMap(({ record }) => record.exchange);
  }

  /** Puts a turn at an index. A turn with an answer that stands there becomes another version. */
  put(index, turn) {
    const old = this.turns[index];
    if (old) {
      old.tail = this.turns.splice(index).slice(1);
      const isWorthKeeping = old.record.answer.trim() || old.tail.length;
      turn.versions = old.versions;
      if (isWorthKeeping) turn.versions.push(turn);
      else turn.versions[turn.versions.indexOf(old)] = turn;
    }
    this.turns.push(turn);
  }

  /** Shows another version of a turn, with the turns behind it. */
  showVersion(turn, step) {
    const index = this.turns.indexOf(turn);
    const other = turn.versions[turn.versions.indexOf(turn) + step];
    if (index < 0 || !other) return;
    turn.tail = this.turns.splice(index).slice(1);
    this.turns.push(other, ...other.tail);
    other.tail = [];
    this.#updateHistory();
  }

  /** The histories follow from the turns: they are not saved, and change with the versions. */
  #updateHistory() {
    for (const [i, { record }] of this.turns.entries()) record.history = this.historyBefore(i);
  }

  clear() {
    this.id = newId();
    this.turns = [];
    this.save();
  }

  /** Saves the newest turns. If they do not fit, the images are left out, then the older half. */
  save() {
    const texts = this.#savedTexts();
    try {
      sessionStorage.setItem(ID_KEY, this.id);
      for (const text of texts) if (fits(text)) break;
    } catch {
      // The browser forbids storage.
    }
    if (this.turns.length) saveChat(this.id, this.title, texts);
  }

  #savedTexts() {
    const full = this.turns.slice(-MAX_SAVED_TURNS).map(savedTurn);
    const plain = full.map((saved) => withoutImages(saved));
    const texts = [JSON.stringify(full), JSON.stringify(plain)];
    for (let n = plain.length; n > 1; ) {
      n = Math.floor(n / 2);
      texts.push(JSON.stringify(plain.slice(-n)));
    }
    return [...new Set(texts)];
  }

  /** Restores saved turns. */
  restore(id, saved) {
    this.id = id ?? this.id;
    this.turns = saved.map(restoredTurn);
    this.#updateHistory();
  }

  /** What the tab has saved: the id of its conversation, and the turns. */
  static ofTab() {
    try {
      const saved = JSON.parse(sessionStorage.getItem(STORAGE_KEY)) ?? [];
      return [sessionStorage.getItem(ID_KEY), Array.isArray(saved) ? saved : []];
    } catch {
      return [null, []];
    }
  }
}

function fits(text) {
  try {
    sessionStorage.setItem(STORAGE_KEY, text);
    return true;
  } catch {
    return false;
  }
}

/** A turn as it is saved: its record, and in `others` the other versions, each with its tail. */
function savedTurn(turn) {
  const { record, versions } = turn;
  if (versions.length < 2) return { ...record.saved };
  const others = versions
    .filter((other) => other !== turn)
    .map((other) => [{ ...other.record.saved }, ...other.tail.map(savedTurn)]);
  return { ...record.saved, version: versions.indexOf(turn), others };
}

const withoutImages = ({ others, ...saved }) => ({
  ...saved,
  images: [],
  ...(others && { others: others.map((turns) => turns.map(withoutImages)) }),
});

function restoredTurn({ version, others = [], ...saved }) {
  const turn = newTurn(restoredRecord(saved));
  const versions = others.map(([first, ...tail]) => {
    const other = newTurn(restoredRecord(first));
    other.tail = tail.map(restoredTurn);
    return other;
  });
  versions.splice(version ?? 0, 0, turn);
  for (const each of versions) each.versions = versions;
  return turn;
}

/** A record as it was saved. One that was running is resumed if its stream has an id. */
function restoredRecord(saved) {
  const record = Record.from(saved);
  if (record.state === "running" && !record.canResume) record.apply(LOST, record.lastArrival);
  return record;
}
