/** Shows growing Markdown: parses only the last block again, of a list only its last item, and
 * updates only changed nodes. */

import { patch } from "../dom.js";
import { blocks } from "./elements.js";

export class MarkdownView {
  #element;
  #pending = ""; // appended, but not drawn yet
  #source = ""; // of the blocks that are not final yet
  #shown = []; // the nodes of `#source`
  #finalCount = 0; // nodes before them, which will not change
  #finalItems = 0; // items of the list after these, which will not change either
  #headingLevel = 2; // of the last final heading
  #open = true; // more text may follow
  #unready = []; // final blocks that wait for a library: {index, node, lines, level, items}
  #waiting = null; // the promise of the next library to arrive

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
    this.#show();
    return this.#pending !== "";
  }

  /** The text is complete: draws the rest, and unclosed marks as plain text. */
  close() {
    this.#source += this.#pending;
    this.#pending = "";
    this.#open = false;
    this.#show();
  }

  /** Resolves when nothing waits for a library any more. */
  get settled() {
    return this.#waiting ? this.#waiting.then(() => this.settled) : Promise.resolve();
  }

  #show() {
    const lines = this.#source.split("\n");
    if (!lines.at(-1).trim()) lines.pop(); // a line without text yet may become any block
    const missing = new Set();
    const found = blocks(lines, { open: this.#open, level: this.#headingLevel, missing });
    this.#patch(found.map(({ node }) => node));
    if (this.#open) this.#finish(found, lines);
    this.#waitFor(missing);
  }

  #patch(nodes) {
    const isInList = this.#finalItems ? 1 : 0;
    if (isInList) {
      const list = this.#element.childNodes[this.#finalCount];
      patch(list, this.#shown[0].children, nodes[0].children, this.#finalItems);
    }
    const [shown, rest] = [this.#shown, nodes].map((all) => all.slice(isInList));
    patch(this.#element, shown, rest, this.#finalCount + isInList);
    this.#shown = nodes;
  }

  /** What is before a block, or an item of a list, that has two whole lines is final: see parser.js. */
  #finish(found, lines) {
    const wholeLines = this.#source.endsWith("\n") ? lines.length : lines.length - 1;
    const isSettled = (start) => start + 2 <= wholeLines;
    const at = found.findLastIndex((block) => isSettled(block.start));
    if (at < 0) return;
    if (at > 0) this.#finishBlocks(found.slice(0, at), found[at].start, lines);
    const { node, items, waits, start } = found[at];
    const finished = waits ? 0 : Math.max(items.findLastIndex(isSettled), 0);
    if (finished) {
      this.#finalItems += finished;
      this.#shown[0] = { ...node, children: node.children.slice(finished) };
    }
    const from = finished ? items[finished] : start;
    this.#source = this.#source.split("\n").slice(from).join("\n");
  }

  #finishBlocks(found, end, lines) {
    found.forEach(({ node, start, waits }, at) => {
      if (!waits) return;
      const level = at ? found[at - 1].level : this.#headingLevel;
      const own = lines.slice(start, found[at + 1]?.start ?? end);
      const index = this.#finalCount + at;
      this.#unready.push({ index, node, lines: own, level, items: at ? 0 : this.#finalItems });
    });
    this.#headingLevel = found.at(-1).level;
    this.#finalCount += found.length;
    this.#finalItems = 0;
    this.#shown = this.#shown.slice(found.length);
  }

  #waitFor(missing) {
    if (this.#waiting || !missing.size) return;
    this.#waiting = Promise.race(missing).then(() => {
      this.#waiting = null;
      this.#drawUnready();
      this.#show();
      this.#element.dispatchEvent(new Event("redrawn", { bubbles: true }));
    });
  }

  #drawUnready() {
    const missing = new Set();
    this.#unready = this.#unready.filter((block) => {
      const [{ node, waits }] = blocks(block.lines, { level: block.level, missing });
      if (block.items) {
        const list = this.#element.childNodes[block.index];
        patch(list, block.node.children, node.children, block.items);
      } else patch(this.#element, [block.node], [node], block.index);
      block.node = node;
      return waits;
    });
    this.#waitFor(missing);
  }
}
