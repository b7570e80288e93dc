/** LaTeX formulas as MathML. A formula with an unsupported command is shown as its source. Pure. */

import { h } from "../dom.js";
import {
  ACCENTS,
  BIG_OPERATORS,
  DELIMITERS,
  FONTS,
  FUNCTIONS,
  SPACES,
  SYMBOLS,
} from "./symbols.js";

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

/** The node of a formula. `display`: it has a line of its own. */
export function formula(tex, { display = false } = {}) {
  try {
    const content = new Formula(tex, display).read();
    return h("math", display ? { display: "block" } : {}, h("mrow", {}, content));
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error;
    return h("code", { class: "tex", dir: "ltr" }, tex);
  }
}

/** The formula cannot be converted. */
class Unsupported extends Error {}

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
    if (this.#at < this.#tokens.length) throw new Unsupported();
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
    if (this.#next() !== token) throw new Unsupported();
  }

  /** The nodes up to a token for which `ends` is true; that token is not consumed. */
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

  /** Calls `read` one level deeper. The limit keeps a formula from exhausting the stack. */
  #nested(read) {
    if ((this.#depth += 1) > MAX_DEPTH) throw new Unsupported();
    const found = read();
    this.#depth -= 1;
    return found;
  }

  /** An atom with its subscript and superscript. */
  #scripted() {
    const first = this.#peek();
    const base = first === "^" || first === "_" ? h("mrow") : this.#atom();
    let sub = null;
    let sup = null;
    for (;;) {
      const mark = this.#peek();
      if (mark === "_" && !sub) sub = (this.#next(), this.#argument());
      else if (mark === "^" && !sup) sup = (this.#next(), this.#argument());
      else if (mark === "'") sup = (this.#next(), h("mo", {}, "′"));
      else if (mark === "_" || mark === "^") throw new Unsupported();
      else break;
    }
    const stacked = this.#display && base.limits;
    const [under, over] = stacked ? ["munder", "mover"] : ["msub", "msup"];
    if (sub && sup) return h(stacked ? "munderover" : "msubsup", {}, base, sub, sup);
    if (sub) return h(under, {}, base, sub);
    return sup ? h(over, {}, base, sup) : base;
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
    if (token === undefined) throw new Unsupported();
    if (token === "{") return this.#argument();
    this.#next();
    if (token[0] === "\\") return this.#nested(() => this.#command(token.slice(1)));
    if (/^\d/.test(token)) return h("mn", {}, token);
    if (/^\p{L}/u.test(token)) return h("mi", {}, token);
    if ("()[]|".includes(token)) return h("mo", { stretchy: "false" }, token);
    if ("#$%~".includes(token)) throw new Unsupported();
    return h("mo", {}, token === "-" ? "−" : token === "*" ? "∗" : token);
  }

  #command(name) {
    const isIn = (table) => Object.hasOwn(table, name); // `in` would find \constructor
    if (isIn(SYMBOLS)) return h(SYMBOLS[name].tag, {}, SYMBOLS[name].text);
    if (isIn(BIG_OPERATORS)) return { ...h("mo", {}, BIG_OPERATORS[name]), limits: !name.endsWith("int") };
    if (FUNCTIONS.has(name))
      return { ...h("mi", {}, name), limits: /^(lim|max|min|sup|inf)/.test(name) };
    if (isIn(SPACES)) return h("mspace", { width: SPACES[name] });
    if (isIn(FONTS)) return this.#letters(FONTS[name]);
    if (isIn(ACCENTS))
      return h("mover", { accent: "true" }, this.#argument(), h("mo", {}, ACCENTS[name]));
    const commands = {
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
    Object.assign(commands, {
      dfrac: commands.frac,
      tfrac: commands.frac,
      mbox: commands.text,
      textbf: commands.text,
    });
    Object.assign(commands, { textit: commands.text, mathrm: commands.operatorname });
    if (/^[bB]ig/.test(name)) return h("mo", {}, this.#delimiter());
    if (!Object.hasOwn(commands, name)) throw new Unsupported();
    return commands[name]();
  }

  #negated() {
    const [text] = this.#atom().children;
    if (typeof text !== "string") throw new Unsupported();
    return h("mo", {}, `${text}\u0338`);
  }

  #root() {
    if (this.#peek() !== "[") return h("msqrt", {}, this.#argument());
    this.#next();
    const index = this.#row((token) => token === "]");
    this.#expect("]");
    return h("mroot", {}, this.#argument(), h("mrow", {}, index));
  }

  /** The text of a group, including its spaces. */
  #verbatim() {
    this.#expect("{");
    let text = "";
    for (let depth = 1; ; this.#at += 1) {
      const token = this.#tokens[this.#at];
      if (token === undefined) throw new Unsupported();
      if (token === "{") depth += 1;
      if (token === "}" && (depth -= 1) === 0) break;
      text += /^\\[^a-zA-Z]/.test(token) ? token.slice(1) : token;
    }
    this.#at += 1;
    return text.replace(/^ | $/g, "\u00a0");
  }

  /** Letters in another font, as Unicode's mathematical letters. */
  #letters(toFont) {
    const text = this.#peek() === "{" ? this.#verbatim() : this.#next();
    if (!/^[\w\s]*$/.test(text ?? "\\")) throw new Unsupported();
    return h("mi", { mathvariant: "normal" }, [...text].map(toFont).join(""));
  }

  #delimiter() {
    const token = this.#next();
    if (!Object.hasOwn(DELIMITERS, token ?? "")) throw new Unsupported();
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
    if (!Object.hasOwn(ENVIRONMENTS, name)) throw new Unsupported();
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
      else if (token !== "&") throw new Unsupported();
    }
    if (this.#verbatim() !== name) throw new Unsupported();
    const attrs =
      name === "cases" || name.startsWith("align") ? { class: name.replace("*", "") } : {};
    const table = h(
      "mtable",
      attrs,
      rows.map((row) => h("mtr", {}, row)),
    );
    return this.#fenced(open, table, close);
  }
}
