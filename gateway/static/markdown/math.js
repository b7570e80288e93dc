/** LaTeX formulas as MathML, as far as the usual ones go; others are shown as their source. Pure. */

import { h } from "../dom.js";
import { ACCENTS, BIG, DELIMITERS, FONTS, FUNCTIONS, SPACES, SYMBOLS } from "./symbols.js";

const TOKEN = /\\[a-zA-Z]+\*?|\\[^]|\d+(?:[.,]\d+)*|\s+|[^]/gu;
const MAX_DEPTH = 80;
const ENVIRONMENTS = {
  matrix: ["", ""],
  pmatrix: ["(", ")"],
  bmatrix: ["[", "]"],
  vmatrix: ["|", "|"],
  Vmatrix: ["‖", "‖"],
  cases: ["{", ""],
  aligned: ["", ""],
  align: ["", ""],
  "align*": ["", ""],
  gathered: ["", ""],
  array: ["", ""],
};

/** The nodes of a formula; `display`: on a line of its own. */
export function formula(tex, { display = false } = {}) {
  try {
    const content = new Formula(tex, display).read();
    return h("math", display ? { display: "block" } : {}, h("mrow", {}, content));
  } catch (error) {
    if (!(error instanceof Unknown)) throw error;
    return h("code", { class: "tex", dir: "ltr" }, tex);
  }
}

/** Something that this page cannot set. */
class Unknown extends Error {}

class Formula {
  #tokens;
  #at = 0;
  #display;
  #depth = 0;

  constructor(tex, display) {
    this.#tokens = tex.match(TOKEN) ?? [];
    this.#display = display;
  }

  read() {
    const row = this.#row(() => false);
    if (this.#at < this.#tokens.length) throw new Unknown();
    return row;
  }

  #peek() {
    while (/^\s/.test(this.#tokens[this.#at] ?? "")) this.#at += 1;
    return this.#tokens[this.#at];
  }

  #next() {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }

  #expect(token) {
    if (this.#next() !== token) throw new Unknown();
  }

  /** What stands until `ends` says so of the next token, which stays. */
  #row(ends) {
    return this.#nested(() => {
      const row = [];
      for (let token = this.#peek(); token !== undefined && !ends(token); token = this.#peek()) {
        if (token === "}" || token === "&" || token === "\\\\") break;
        row.push(this.#scripted());
      }
      return row;
    });
  }

  /** What `read` reads, one level deeper: a formula can't exhaust the stack. */
  #nested(read) {
    if ((this.#depth += 1) > MAX_DEPTH) throw new Unknown();
    const found = read();
    this.#depth -= 1;
    return found;
  }

  /** An atom with what stands below and above it. */
  #scripted() {
    const begins = this.#peek();
    const base = begins === "^" || begins === "_" ? h("mrow") : this.#atom();
    let below = null;
    let above = null;
    for (;;) {
      const mark = this.#peek();
      if (mark === "_" && !below) below = (this.#next(), this.#argument());
      else if (mark === "^" && !above) above = (this.#next(), this.#argument());
      else if (mark === "'") above = (this.#next(), h("mo", {}, "′"));
      else if (mark === "_" || mark === "^") throw new Unknown();
      else break;
    }
    const stacked = this.#display && base.limits;
    const [under, over] = stacked ? ["munder", "mover"] : ["msub", "msup"];
    if (below && above) return h(stacked ? "munderover" : "msubsup", {}, base, below, above);
    if (below) return h(under, {}, base, below);
    return above ? h(over, {}, base, above) : base;
  }

  /** One atom, or a group in braces. */
  #argument() {
    if (this.#peek() !== "{") return this.#atom();
    this.#next();
    const row = this.#row(() => false);
    this.#expect("}");
    return row.length === 1 ? row[0] : h("mrow", {}, row);
  }

  #atom() {
    const token = this.#peek();
    if (token === undefined) throw new Unknown();
    if (token === "{") return this.#argument();
    this.#next();
    if (token[0] === "\\") return this.#nested(() => this.#command(token.slice(1)));
    if (/^\d/.test(token)) return h("mn", {}, token);
    if (/^\p{L}/u.test(token)) return h("mi", {}, token);
    if ("()[]|".includes(token)) return h("mo", { stretchy: "false" }, token);
    if ("#$%~".includes(token)) throw new Unknown();
    return h("mo", {}, token === "-" ? "−" : token === "*" ? "∗" : token);
  }

  #command(name) {
    const isIn = (table) => Object.hasOwn(table, name); // `in` would find \constructor
    if (isIn(SYMBOLS)) return h(SYMBOLS[name].tag, {}, SYMBOLS[name].text);
    if (isIn(BIG)) return { ...h("mo", {}, BIG[name]), limits: !name.endsWith("int") };
    if (FUNCTIONS.has(name))
      return { ...h("mi", {}, name), limits: /^(lim|max|min|sup|inf)/.test(name) };
    if (isIn(SPACES)) return h("mspace", { width: SPACES[name] });
    if (isIn(FONTS)) return this.#letters(FONTS[name]);
    if (isIn(ACCENTS))
      return h("mover", { accent: "true" }, this.#argument(), h("mo", {}, ACCENTS[name]));
    const known = {
      frac: () => h("mfrac", {}, this.#argument(), this.#argument()),
      binom: () =>
        this.#fenced(
          "(",
          h("mfrac", { linethickness: "0" }, this.#argument(), this.#argument()),
          ")",
        ),
      sqrt: () => this.#root(),
      left: () => this.#leftRight(),
      begin: () => this.#environment(),
      boxed: () => this.#argument(),
      underline: () => h("munder", {}, this.#argument(), h("mo", {}, "_")),
      underbrace: () => h("munder", {}, this.#argument(), h("mo", {}, "⏟")),
      overbrace: () => h("mover", {}, this.#argument(), h("mo", {}, "⏞")),
      text: () => h("mtext", {}, this.#verbatim()),
      operatorname: () => h("mi", {}, this.#verbatim()),
      not: () => this.#negated(),
    };
    Object.assign(known, {
      dfrac: known.frac,
      tfrac: known.frac,
      mbox: known.text,
      textbf: known.text,
    });
    Object.assign(known, { textit: known.text, mathrm: known.operatorname });
    if (/^[bB]ig/.test(name)) return h("mo", {}, this.#delimiter());
    if (!Object.hasOwn(known, name)) throw new Unknown();
    return known[name]();
  }

  #negated() {
    const [text] = this.#atom().children;
    if (typeof text !== "string") throw new Unknown();
    return h("mo", {}, `${text}\u0338`);
  }

  #root() {
    if (this.#peek() !== "[") return h("msqrt", {}, this.#argument());
    this.#next();
    const index = this.#row((token) => token === "]");
    this.#expect("]");
    return h("mroot", {}, this.#argument(), h("mrow", {}, index));
  }

  /** The text of a group, spaces and all. */
  #verbatim() {
    this.#expect("{");
    let text = "";
    for (let depth = 1; ; this.#at += 1) {
      const token = this.#tokens[this.#at];
      if (token === undefined) throw new Unknown();
      if (token === "{") depth += 1;
      if (token === "}" && (depth -= 1) === 0) break;
      text += /^\\[^a-zA-Z]/.test(token) ? token.slice(1) : token;
    }
    this.#at += 1;
    return text.replace(/^ | $/g, "\u00a0");
  }

  /** Letters of a font, which Unicode has as characters of their own. */
  #letters(shown) {
    const text = this.#peek() === "{" ? this.#verbatim() : this.#next();
    if (!/^[\w\s]*$/.test(text ?? "\\")) throw new Unknown();
    return h("mi", { mathvariant: "normal" }, [...text].map(shown).join(""));
  }

  #delimiter() {
    const token = this.#next();
    if (!Object.hasOwn(DELIMITERS, token ?? "")) throw new Unknown();
    return DELIMITERS[token];
  }

  #leftRight() {
    const open = this.#delimiter();
    const row = this.#row((token) => token === "\\right");
    this.#expect("\\right");
    return this.#fenced(open, h("mrow", {}, row), this.#delimiter());
  }

  #fenced(open, content, close) {
    const fence = (text) => (text ? [h("mo", { fence: "true", stretchy: "true" }, text)] : []);
    return h("mrow", {}, fence(open), content, fence(close));
  }

  #environment() {
    const name = this.#verbatim();
    if (!Object.hasOwn(ENVIRONMENTS, name)) throw new Unknown();
    if (name === "array") this.#verbatim();
    const [open, close] = ENVIRONMENTS[name];
    const rows = [[]];
    for (;;) {
      rows.at(-1).push(
        h(
          "mtd",
          {},
          h(
            "mrow",
            {},
            this.#row((token) => token === "\\end"),
          ),
        ),
      );
      const token = this.#next();
      if (token === "\\end") break;
      if (token === "\\\\") rows.push([]);
      else if (token !== "&") throw new Unknown();
    }
    if (this.#verbatim() !== name) throw new Unknown();
    const side =
      name === "cases" || name.startsWith("align") ? { class: name.replace("*", "") } : {};
    const table = h(
      "mtable",
      side,
      rows.map((row) => h("mtr", {}, row)),
    );
    return this.#fenced(open, table, close);
  }
}
