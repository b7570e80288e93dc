/** Shows growing Markdown: parses only the last block again, and updates only changed nodes. */

import { patch } from "../dom.js";
import { blocks } from "./blocks.js";

export class MarkdownView {
  #element;
  #pending = ""; // appended, but not drawn yet
  #source = ""; // of the blocks that are not final yet
  #shown = []; // the nodes of `#source`
  #finalCount = 0; // nodes before them, which will not change
  #headingLevel = 2; // of the last final heading

  constructor(element) {
    this.#element = element;
  }

  append(text) {
    this.#pending += text.replaceAll("\r", "");
  }

  /** Draws up to `chars` characters of the appended text. Returns true if there is more. */
  paint(chars = Infinity) {
    if (!this.#pending) return false;
    this.#source += this.#pending.slice(0, chars);
    this.#pending = this.#pending.slice(chars);
    this.#show(true);
    return this.#pending !== "";
  }

  /** The text is complete: draws the rest, and unclosed marks as plain text. */
  close() {
    this.#source += this.#pending;
    this.#pending = "";
    this.#show(false);
  }

  #show(open) {
    const lines = this.#source.split("\n");
    if (!lines.at(-1).trim()) lines.pop(); // a line without text yet may become any block
    const found = blocks(lines, { open, heading: { level: this.#headingLevel } });
    const nodes = found.map(({ node }) => node);
    patch(this.#element, this.#shown, nodes, this.#finalCount);
    this.#shown = nodes;
    if (open) this.#finishBlocks(found, lines);
  }

  /** Once the last block has two whole lines, the blocks before it are final (see blocks.js). */
  #finishBlocks(found, lines) {
    const last = found.at(-1);
    const wholeLines = this.#source.endsWith("\n") ? lines.length : lines.length - 1;
    if (found.length < 2 || last.start + 2 > wholeLines) return;
    this.#headingLevel = found.at(-2).level;
    this.#finalCount += found.length - 1;
    this.#shown = this.#shown.slice(-1);
    this.#source = this.#source.split("\n").slice(last.start).join("\n");
  }
}
