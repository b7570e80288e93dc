/** The wire: a turn's events as they arrived, in a list that renders visible rows only. */

import { h, patch } from "./dom.js";
import { AutoScroll } from "./follow.js";
import { setText } from "./text.js";
import { byteSize, bytes, count } from "./units.js";

const ROW_PX = 26;
const OVERSCAN_ROWS = 6;
const PREVIEW_CHARS = 240;

export class WireView {
  #parts;
  #autoScroll;
  #turn = null;
  #seen = 0; // how many of the turn's events the list has taken
  #matching = []; // indexes of the events that pass the filter
  #bytes = 0;
  #filter = "";
  #paused = false;
  #selected = -1; // index into #matching
  #rows = [];
  #stale = true; // the list has to be drawn again

  /** `parts`: the elements list, space, detail, filter, pause and totals. */
  constructor(parts) {
    this.#parts = parts;
    this.#autoScroll = new AutoScroll(parts.list);
    parts.list.addEventListener("scroll", () => this.#refresh(), { passive: true });
    parts.list.addEventListener("click", ({ target }) => {
      const row = target.closest("[data-at]");
      if (row) this.#select(Number(row.dataset.at));
    });
    parts.list.addEventListener("keydown", (event) => this.#onKey(event));
    parts.filter.addEventListener("input", () => this.#setFilter(parts.filter.value));
    parts.pause.addEventListener("click", () => this.#setPaused(!this.#paused));
  }

  show(turn) {
    if (turn === this.#turn) return;
    this.#turn = turn;
    this.#setFilter(this.#parts.filter.value);
    this.#setPaused(false);
    this.#autoScroll.scrollToEnd();
  }

  /** Draws what is new. */
  paint() {
    if (!this.#turn) return;
    if (this.#paused) this.#showTotals();
    else this.#addEvents();
    if (!this.#stale) return;
    this.#stale = false;
    this.#parts.space.style.height = `${this.#matching.length * ROW_PX}px`;
    this.#autoScroll.follow();
    this.#draw();
    this.#showTotals();
  }

  #addEvents() {
    const { events } = this.#turn;
    if (this.#seen === events.length) return;
    for (; this.#seen < events.length; this.#seen += 1) {
      const event = events[this.#seen];
      event.size ??= byteSize(event.raw);
      this.#bytes += event.size;
      if (this.#matches(event)) this.#matching.push(this.#seen);
    }
    this.#stale = true;
  }

  #matches({ name, raw }) {
    return !this.#filter || name.includes(this.#filter) || raw.toLowerCase().includes(this.#filter);
  }

  #setFilter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#matching = [];
    this.#seen = 0;
    this.#bytes = 0;
    this.#select(-1);
    this.#addEvents();
    this.#refresh();
  }

  #refresh() {
    this.#stale = true;
    if (this.#turn) this.paint();
  }

  #setPaused(paused) {
    this.#paused = paused;
    this.#parts.pause.setAttribute("aria-pressed", String(paused));
    this.#refresh();
  }

  #draw() {
    const { list, space } = this.#parts;
    const first = Math.max(Math.floor(list.scrollTop / ROW_PX) - OVERSCAN_ROWS, 0);
    const last = Math.ceil((list.scrollTop + list.clientHeight) / ROW_PX) + OVERSCAN_ROWS;
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
        "aria-selected": String(position === this.#selected),
        "aria-posinset": String(position + 1),
        "aria-setsize": String(this.#matching.length),
      },
      h("span", { class: "wire-time" }, `${((at - this.#turn.sentAt) / 1000).toFixed(3)} s`),
      h("span", { class: "wire-name" }, name),
      h("span", { class: "wire-size" }, bytes(size)),
      h("span", { class: "wire-raw" }, preview(raw)),
    );
  }

  #showTotals() {
    const { events, record } = this.#turn;
    if (!events.length && record.state !== "running") {
      setText(this.#parts.totals, "No events: none arrived, or the page has been reloaded since.");
      return;
    }
    const waiting = events.length - this.#seen;
    const shown = this.#filter ? `${count(this.#matching.length, "event")} of ` : "";
    const total = `${shown}${count(this.#seen, "event")}, ${bytes(this.#bytes)}`;
    setText(this.#parts.totals, waiting ? `${total}. Paused: ${waiting} more` : total);
  }

  #select(position) {
    this.#selected = position;
    const event = this.#turn?.events[this.#matching[position]];
    const { list, detail } = this.#parts;
    detail.hidden = !event;
    setText(detail, event ? readable(event.raw) : "");
    if (event) {
      list.setAttribute("aria-activedescendant", `wire-${position}`);
      this.#scrollTo(position); // the detail has made the list shorter
    } else list.removeAttribute("aria-activedescendant");
    this.#refresh();
  }

  #onKey(event) {
    const last = this.#matching.length - 1;
    const page = Math.floor(this.#parts.list.clientHeight / ROW_PX) || 1;
    const current = this.#selected;
    const next = {
      ArrowDown: current + 1,
      ArrowUp: Math.max(current - 1, 0),
      PageDown: current + page,
      PageUp: Math.max(current - page, 0),
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    this.#select(Math.min(next, last));
  }

  #scrollTo(position) {
    const { list } = this.#parts;
    const top = position * ROW_PX;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW_PX > list.scrollTop + list.clientHeight) {
      list.scrollTop = top + ROW_PX - list.clientHeight;
    }
    this.#autoScroll.update();
  }
}

/** The start of an event's data, for its row. */
const preview = (raw) =>
  raw
    .slice(0, 2 * PREVIEW_CHARS)
    .replace(/^(id|event): .*\n/gm, "")
    .replace(/^data: /, "")
    .slice(0, PREVIEW_CHARS);

/** An event with its JSON indented, for the detail. */
function readable(raw) {
  return raw.trimEnd().replace(/^((?:data: ?)?)(\{.*\})$/gm, (line, label, json) => {
    try {
      return `${label}${JSON.stringify(JSON.parse(json), null, 2)}`;
    } catch {
      return line;
    }
  });
}
