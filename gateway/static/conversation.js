/** The turns of a conversation, and how they outlast a reload. */

import { Record } from "./record.js";
import { LOST } from "./turn.js";

const KEY = "conversation";
const KEPT_TURNS = 50;

export class Conversation {
  turns = []; // {record, events, view}

  get last() {
    return this.turns.at(-1);
  }

  /** What was said so far, as the messages of a request. */
  get history() {
    return this.turns.flatMap(({ record }) => record.exchange);
  }

  add(turn) {
    this.turns.push(turn);
    return turn;
  }

  dropLast() {
    this.turns.pop()?.view.element.remove();
  }

  clear() {
    for (const { view } of this.turns) view.element.remove();
    this.turns = [];
    this.save();
  }

  /** For this tab. A conversation too large for the storage is kept without its oldest turns. */
  save() {
    let records = this.turns.slice(-KEPT_TURNS).map(({ record }) => record);
    for (;;) {
      try {
        sessionStorage.setItem(KEY, JSON.stringify(records));
        return;
      } catch {
        if (records.length === 0) return;
        records = records.slice(Math.ceil(records.length / 2));
      }
    }
  }

  /** The records of the turns before the reload. One that was running then is lost. */
  static saved() {
    try {
      const records = JSON.parse(sessionStorage.getItem(KEY)) ?? [];
      return records.map((saved) => {
        const record = Record.from(saved);
        if (record.state === "running") record.take(LOST, record.lastArrival);
        return record;
      });
    } catch {
      return [];
    }
  }
}
