/** The turns of a conversation. They are kept in the tab's session storage, across a reload. */

import { Record } from "./record.js";
import { LOST } from "./turn.js";

const STORAGE_KEY = "conversation";
const MAX_SAVED_TURNS = 50;

export class Conversation {
  turns = []; // {record, events, view, sentAt}

  get last() {
    return this.turns.at(-1);
  }

  /** The earlier turns as messages of the next request. */
  get history() {
    return this.turns.flatMap(({ record }) => record.exchange);
  }

  add(turn) {
    this.turns.push(turn);
    return turn;
  }

  removeLast() {
    this.turns.pop()?.view.element.remove();
  }

  clear() {
    for (const { view } of this.turns) view.element.remove();
    this.turns = [];
    this.save();
  }

  /** Saves the newest turns. If they do not fit into the storage, the older half is left out. */
  save() {
    let records = this.turns.slice(-MAX_SAVED_TURNS).map(({ record }) => record);
    for (;;) {
      try {
        sessionStorage.setItem(STORAGE_KEY, JSON.stringify(records));
        return;
      } catch {
        if (records.length === 0) return;
        records = records.slice(Math.ceil(records.length / 2));
      }
    }
  }

  /** The saved records. A turn that was running when it was saved has lost its connection. */
  static load() {
    try {
      const records = JSON.parse(sessionStorage.getItem(STORAGE_KEY)) ?? [];
      return records.map((saved) => {
        const record = Record.from(saved);
        if (record.state === "running") record.apply(LOST, record.lastArrival);
        return record;
      });
    } catch {
      return [];
    }
  }
}
