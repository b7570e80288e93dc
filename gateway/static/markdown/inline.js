/** Inline Markdown: emphasis, code, links, formulas. Pure: takes text, returns nodes (see dom.js).
 *
 * Follows CommonMark as far as models use it, with these exceptions: a line break stays a line
 * break, only absolute http and https URLs become links, images become links, and HTML stays text.
 */

import { h } from "../dom.js";
import { isGrowing, MATH_MARKS, MONEY } from "./formula-marks.js";
import { anchor, balanced, closingBracket, webUrl } from "./links.js";
import { formula } from "./math.js";

const SPECIAL = /[\\`*_~[!<&$\n]|https?:\/\//g;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/** The nodes of a text. `open`: more text may follow, so unclosed marks count as closed. */
export function inline(text, { open = false, links = true } = {}) {
  // A mark at the end may be incomplete. If it closes something, that is shown as closed anyway.
  const ready = open ? text.replace(/[*_~`\\]+$/, "") : text;
  return new Inline(ready.trimEnd(), open, links).nodes();
}

class Inline {
  #text;
  #open;
  #links;
  #at = 0;
  #out = [];
  #openers = [];
  /** Kind of closer → the openers below this index do not match it; CommonMark's openers_bottom. */
  #bottoms = new Map();
  #unclosed = new Set();

  constructor(text, open, links) {
    this.#text = text;
    this.#open = open;
    this.#links = links;
  }

  nodes() {
    const text = this.#text;
    while (this.#at < text.length) {
      SPECIAL.lastIndex = this.#at;
      const found = SPECIAL.exec(text);
      const next = found ? found.index : text.length;
      if (next > this.#at) this.#out.push(text.slice(this.#at, next));
      this.#at = next;
      if (found) this.#special(found[0]);
    }
    if (this.#open) this.#closeAll();
    return joined(this.#out);
  }

  #special(found) {
    if (!this.#parse(found)) this.#push(found.length, found);
  }

  /** Parses the construct that a special character starts. False: the character is plain text. */
  #parse(found) {
    switch (found) {
      case "\n":
        return this.#break();
      case "\\":
        return this.#formula() || this.#escape();
      case "`":
        return this.#code();
      case "$":
        return this.#formula();
      case "[":
      case "!":
        return this.#link();
      case "<":
        return this.#autolink();
      case "&":
        return this.#entity();
      case "*":
      case "_":
      case "~":
        return this.#delimiter(found);
      default:
        return this.#bareLink();
    }
  }

  /** Adds the node for the next `length` characters. Always returns true. */
  #push(length, node) {
    this.#at += length;
    this.#out.push(node);
    return true;
  }

  #match(pattern) {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text);
  }

  /** The index of `closer` at or after `from`, or -1. One that is missing is not searched again,
   * which keeps the time linear. */
  #find(closer, from) {
    if (this.#unclosed.has(closer)) return -1;
    const at = this.#text.indexOf(closer, from);
    if (at < 0) this.#unclosed.add(closer);
    return at;
  }

  #break() {
    const last = this.#out.at(-1);
    if (typeof last === "string") this.#out[this.#out.length - 1] = last.replace(/(\\| +)$/, "");
    const spaces = this.#match(/\n[ \t]*/y)[0].length;
    return this.#push(spaces, h("br"));
  }

  #escape() {
    const escaped = this.#match(/\\([!-/:-@[-`{-~])/y);
    return escaped && this.#push(2, escaped[1]);
  }

  #entity() {
    const entity = this.#match(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,5}));/y);
    if (!entity) return false;
    const [all, decimal, hex, name] = entity;
    const code = name ? null : decimal ? Number(decimal) : Number.parseInt(hex, 16);
    const shown = name
      ? ENTITIES[name]
      : code > 0 && code <= 0x10ffff && String.fromCodePoint(code);
    return shown && this.#push(all.length, shown);
  }

  #code() {
    const [fence] = this.#match(/`+/y);
    const start = this.#at + fence.length;
    let end = this.#find(fence, start);
    while (end >= 0 && this.#text[end + fence.length] === "`") {
      let past = end;
      while (this.#text[past] === "`") past += 1;
      end = this.#find(fence, past);
    }
    if (end < 0 && !this.#open) return this.#push(fence.length, fence);
    const code = this.#text.slice(start, end < 0 ? undefined : end).replaceAll("\n", " ");
    const shown = /^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code;
    const length = end < 0 ? this.#text.length - this.#at : end + fence.length - this.#at;
    return this.#push(length, shown ? h("code", {}, shown) : "");
  }

  /** A formula between its marks, unless the dollar signs are amounts of money. */
  #formula() {
    for (const [opener, closer] of MATH_MARKS) {
      if (!this.#text.startsWith(opener, this.#at)) continue;
      const start = this.#at + opener.length;
      const end = this.#find(closer, start);
      if (end < 0 && this.#open && isGrowing(opener, this.#text.slice(start))) {
        return this.#push(this.#text.length - this.#at, "…");
      }
      const source = this.#text.slice(start, end);
      if (end < 0 || !source.trim()) continue;
      if (opener === "$" && (MONEY.test(source) || /\d/.test(this.#text[end + 1] ?? "")))
        return false;
      const display = opener === "$$" || opener === "\\[";
      return this.#push(end + closer.length - this.#at, formula(source.trim(), { display }));
    }
    return false;
  }

  #link() {
    if (!this.#links) return false;
    const image = this.#text[this.#at] === "!";
    const start = this.#at + (image ? 2 : 1);
    if (image && this.#text[start - 1] !== "[") return false;
    const end = closingBracket(this.#text, start);
    if (end < 0) return false;
    const target = /\(\s*<?([^\s<>]*?)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)$/y;
    target.lastIndex = end + 1;
    const found = target.exec(balanced(this.#text, end + 1));
    const href = found && webUrl(found[1]);
    if (!href) return false;
    const label = this.#text.slice(start, end);
    const shown = image ? [label || "image"] : inline(label, { links: false });
    return this.#push(target.lastIndex - this.#at, anchor(href, shown));
  }

  #autolink() {
    const found = this.#match(/<(https?:\/\/[^\s<>]+)>/y);
    const href = this.#links && found && webUrl(found[1]);
    return href && this.#push(found[0].length, anchor(href, [found[1]]));
  }

  #bareLink() {
    if (!this.#links || /\w/.test(this.#text[this.#at - 1] ?? "")) return false;
    let [address] = this.#match(/[^\s<>"`]+/y);
    address = address.replace(/[.,:;!?*_~'’”)\]]+$/, (end) => {
      const opened = address.split("(").length;
      const closed = address.split(")").length;
      return end.startsWith(")") && opened >= closed ? ")" : "";
    });
    const href = webUrl(address);
    return href && this.#push(address.length, anchor(href, [address]));
  }

  /** A run of `*`, `_` or `~`: closes open runs if it can; the rest of it opens one if it can. */
  #delimiter(mark) {
    const [run] = this.#match(mark === "*" ? /\*+/y : mark === "_" ? /_+/y : /~+/y);
    if (mark === "~" && run.length !== 2) return this.#push(run.length, run);
    const before = charBefore(this.#text, this.#at);
    const after = charAfter(this.#text, this.#at + run.length);
    const left = flanks(after, before);
    const right = flanks(before, after);
    const isUnderscore = mark === "_";
    const delimiter = {
      mark,
      count: run.length,
      length: run.length,
      canOpen: left && (!isUnderscore || !right || PUNCTUATION.test(before)),
      canClose: right && (!isUnderscore || !left || PUNCTUATION.test(after)),
    };
    this.#at += run.length;
    if (delimiter.canClose) this.#close(delimiter);
    if (delimiter.count === 0) return true;
    if (delimiter.canOpen) this.#openers.push(this.#out.length);
    this.#out.push(delimiter.canOpen ? delimiter : mark.repeat(delimiter.count));
    return true;
  }

  #close(closer) {
    const kind = `${closer.mark}${closer.canOpen}${closer.length % 3}`;
    const bottom = this.#bottoms.get(kind) ?? 0;
    for (let at = this.#openers.length - 1; at >= bottom && closer.count > 0;) {
      const index = this.#openers[at];
      const opener = this.#out[index];
      if (!matches(opener, closer)) {
        at -= 1;
        continue;
      }
      this.#dropOpeners(at + 1); // unclosed runs in between are text
      const used = Math.min(2, opener.count, closer.count);
      this.#wrap(index, used);
      closer.count -= used;
      if (opener.count === 0) {
        this.#out.splice(index, 1);
        this.#dropOpeners(at);
        at -= 1;
      }
    }
    if (closer.count > 0) this.#bottoms.set(kind, this.#openers.length);
  }

  /** Forgets the openers from `length` on. */
  #dropOpeners(length) {
    this.#openers.length = length;
    for (const [kind, bottom] of this.#bottoms)
      if (bottom > length) this.#bottoms.set(kind, length);
  }

  /** Wraps the nodes after an opener into an element. */
  #wrap(index, used) {
    const opener = this.#out[index];
    const tag = opener.mark === "~" ? "del" : used === 2 ? "strong" : "em";
    const children = joined(this.#out.splice(index + 1));
    opener.count -= used;
    if (children.length) this.#out.push(h(tag, {}, children));
  }

  #closeAll() {
    for (const index of this.#openers.reverse()) {
      const opener = this.#out[index];
      while (opener.count > 0) this.#wrap(index, Math.min(2, opener.count));
      this.#out.splice(index, 1);
    }
  }
}

/** Turns unclosed delimiters into text, and merges adjacent texts. */
function joined(nodes) {
  const result = [];
  for (const node of nodes) {
    const shown = node.mark ? node.mark.repeat(node.count) : node;
    if (typeof shown === "string" && typeof result.at(-1) === "string") {
      result[result.length - 1] += shown;
    } else if (shown !== "") result.push(shown);
  }
  return result;
}

const charAfter = (text, at) =>
  at < text.length ? String.fromCodePoint(text.codePointAt(at)) : " ";

function charBefore(text, at) {
  if (at === 0) return " ";
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff ? text.slice(at - 2, at) : text[at - 1];
}

/** CommonMark's flanking: true if a run of delimiters is attached to the text on its inner side. */
const flanks = (inner, outer) =>
  !/\s/.test(inner) && (!PUNCTUATION.test(inner) || /\s/.test(outer) || PUNCTUATION.test(outer));

/** True if these delimiters form a pair. CommonMark's rule of three keeps `*a**b*` in one piece. */
function matches(opener, closer) {
  if (opener.mark !== closer.mark) return false;
  const either = opener.canClose || closer.canOpen;
  const sum = opener.length + closer.length;
  return !(either && sum % 3 === 0 && (opener.length % 3 || closer.length % 3));
}
