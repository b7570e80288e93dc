/** The wire: a turn's events as they arrived. Of a long list only what is in view is in the page. */

import { h, patch } from "./dom.js";
import { Follower } from "./follow.js";
import { setText } from "./lines.js";
import { byteSize, bytes, count } from "./words.js";

const ROW_PX = 26;
const MORE_ROWS = 6;
const PREVIEW_CHARS = 240;

export class WireView {
  #parts;
  #end;
  #turn = null;
  #taken = 0; // how many of the turn's events have been looked at
  #matching = []; // indexes of the events that pass the filter
  #bytes = 0;
  #filter = "";
  #paused = false;
  #chosen = -1; // position among the matching
  #rows = [];
  #stale = true;

  /** `parts`: list, space, detail, filter, pause, sum. */
  constructor(parts) {
    this.#parts = parts;
    this.#end = new Follower(parts.list);
    parts.list.addEventListener("scroll", () => this.#refresh(), { passive: true });
    parts.list.addEventListener("click", ({ target }) => {
      const row = target.closest("[data-at]");
      if (row) this.#choose(Number(row.dataset.at));
    });
    parts.list.addEventListener("keydown", (event) => this.#key(event));
    parts.filter.addEventListener("input", () => this.#filterBy(parts.filter.value));
    parts.pause.addEventListener("click", () => this.#pause(!this.#paused));
  }

  show(turn) {
    if (turn === this.#turn) return;
    this.#turn = turn;
    this.#filterBy(this.#parts.filter.value);
    this.#pause(false);
    this.#end.toEnd();
  }

  /** Draws what is new. */
  paint() {
    if (!this.#turn) return;
    if (this.#paused) this.#sum();
    else this.#take();
    if (!this.#stale) return;
    this.#stale = false;
    this.#parts.space.style.height = `${this.#matching.length * ROW_PX}px`;
    this.#end.keep();
    this.#draw();
    this.#sum();
  }

  #take() {
    const { events } = this.#turn;
    if (this.#taken === events.length) return;
    for (; this.#taken < events.length; this.#taken += 1) {
      const event = events[this.#taken];
      event.size ??= byteSize(event.raw);
      this.#bytes += event.size;
      if (this.#passes(event)) this.#matching.push(this.#taken);
    }
    this.#stale = true;
  }

  #passes({ name, raw }) {
    return !this.#filter || name.includes(this.#filter) || raw.toLowerCase().includes(this.#filter);
  }

  #filterBy(text) {
    this.#filter = text.trim().toLowerCase();
    this.#matching = [];
    this.#taken = 0;
    this.#bytes = 0;
    this.#choose(-1);
    this.#take();
    this.#refresh();
  }

  #refresh() {
    this.#stale = true;
    if (this.#turn) this.paint();
  }

  #pause(paused) {
    this.#paused = paused;
    this.#parts.pause.setAttribute("aria-pressed", String(paused));
    this.#refresh();
  }

  #draw() {
    const { list, space } = this.#parts;
    const first = Math.max(Math.floor(list.scrollTop / ROW_PX) - MORE_ROWS, 0);
    const last = Math.ceil((list.scrollTop + list.clientHeight) / ROW_PX) + MORE_ROWS;
    const rows = this.#matching
      .slice(first, last)
      .map((index, offset) => this.#row(this.#turn.events[index], first + offset));
    space.style.paddingTop = `${first * ROW_PX}px`;
    patch(space, this.#rows, rows);
    this.#rows = rows;
  }

  #row({ at, name, raw, size }, position) {
    return h(
      "div",
      {
        class: "wire-row",
        id: `wire-${position}`,
        role: "option",
        "data-at": String(position),
        "aria-selected": String(position === this.#chosen),
        "aria-posinset": String(position + 1),
        "aria-setsize": String(this.#matching.length),
      },
      h("span", { class: "wire-time" }, `${((at - this.#turn.sent) / 1000).toFixed(3)} s`),
      h("span", { class: "wire-name" }, name),
      h("span", { class: "wire-size" }, bytes(size)),
      h("span", { class: "wire-raw" }, preview(raw)),
    );
  }

  #sum() {
    const { events, record } = this.#turn;
    if (!events.length && record.state !== "running") {
      setText(this.#parts.sum, "No events: none arrived, or the page was loaded again since.");
      return;
    }
    const waiting = events.length - this.#taken;
    const shown = this.#filter ? `${count(this.#matching.length, "event")} of ` : "";
    const sum = `${shown}${count(this.#taken, "event")}, ${bytes(this.#bytes)}`;
    setText(this.#parts.sum, waiting ? `${sum}. Paused: ${waiting} more` : sum);
  }

  #choose(position) {
    this.#chosen = position;
    const event = this.#turn?.events[this.#matching[position]];
    const { list, detail } = this.#parts;
    detail.hidden = !event;
    setText(detail, event ? readable(event.raw) : "");
    if (event) {
      list.setAttribute("aria-activedescendant", `wire-${position}`);
      this.#reveal(position); // the detail has taken some of the list's room
    } else list.removeAttribute("aria-activedescendant");
    this.#refresh();
  }

  #key(event) {
    const last = this.#matching.length - 1;
    const page = Math.floor(this.#parts.list.clientHeight / ROW_PX) || 1;
    const at = this.#chosen;
    const next = {
      ArrowDown: at + 1,
      ArrowUp: Math.max(at - 1, 0),
      PageDown: at + page,
      PageUp: Math.max(at - page, 0),
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.#choose(Math.min(next, last));
  }

  #reveal(position) {
    const { list } = this.#parts;
    const top = position * ROW_PX;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW_PX > list.scrollTop + list.clientHeight) {
      list.scrollTop = top + ROW_PX - list.clientHeight;
    }
    this.#end.look();
  }
}

/** The beginning of an event's data. */
const preview = (raw) =>
  raw
    .slice(0, 2 * PREVIEW_CHARS)
    .replace(/^(id|event): .*\n/gm, "")
    .replace(/^data: /, "")
    .slice(0, PREVIEW_CHARS);

/** An event with its JSON indented. */
function readable(raw) {
  return raw.trimEnd().replace(/^((?:data: ?)?)(\{.*\})$/gm, (line, label, json) => {
    try {
      return `${label}${JSON.stringify(JSON.parse(json), null, 2)}`;
    } catch {
      return line;
    }
  });
}
