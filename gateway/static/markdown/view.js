/** Shows Markdown that grows: only what changed is written, only the last block read again. */

import { patch } from "../dom.js";
import { blocks } from "./blocks.js";

export class MarkdownView {
  #element;
  #waiting = "";
  #rest = ""; // from the start of the last block on
  #shown = [];
  #final = 0; // how many nodes stand for good before those of the last block
  #level = 2;

  constructor(element) {
    this.#element = element;
  }

  append(text) {
    this.#waiting += text.replaceAll("\r", "");
  }

  /** Shows what has arrived, so many characters of it. For once a frame; true: there is more. */
  paint(chars = Infinity) {
    if (!this.#waiting) return false;
    this.#rest += this.#waiting.slice(0, chars);
    this.#waiting = this.#waiting.slice(chars);
    this.#show(true);
    return this.#waiting !== "";
  }

  /** No more will come: shows all, and what looked unfinished as it stands. */
  close() {
    this.#rest += this.#waiting;
    this.#waiting = "";
    this.#show(false);
  }

  #show(open) {
    const lines = this.#rest.split("\n");
    if (!lines.at(-1).trim()) lines.pop(); // not yet a line: it may be the beginning of anything
    const found = blocks(lines, { open, heading: { level: this.#level } });
    const nodes = found.map(({ node }) => node);
    patch(this.#element, this.#shown, nodes, this.#final);
    this.#shown = nodes;
    if (open) this.#settle(found, lines);
  }

  /** All blocks but the last are final once two lines of that are whole: a table needs both. */
  #settle(found, lines) {
    const last = found.at(-1);
    const whole = this.#rest.endsWith("\n") ? lines.length : lines.length - 1;
    if (found.length < 2 || last.start + 2 > whole) return;
    this.#level = found.at(-2).level;
    this.#final += found.length - 1;
    this.#shown = this.#shown.slice(-1);
    this.#rest = this.#rest.split("\n").slice(last.start).join("\n");
  }
}
