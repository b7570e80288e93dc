/** Formulas: TeX becomes MathML by Temml. One that Temml does not know is shown as its source. */

import { h } from "../dom.js";
import { temml } from "./libraries.js";
import { memo } from "./memo.js";

const MAX_TEX_CHARS = 5000;
const MAX_DEPTH = 100;
/** Longer spaces and rules would cover other parts of the page. */
const MAX_LENGTH = { em: 20, ex: 40, pt: 250, px: 300, mu: 400, "%": 200 };
/** What Temml builds from a formula. Everything else is refused. */
const TAGS = new Set(
  (
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom menclose " +
    "msub msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd"
  ).split(" "),
);
const ATTRIBUTE = /^(?!on|style$)[a-z][a-z-]*$/;
const REFUSED = new Set(["href", "src", "id", "action", "data"]);

const cached = memo(400);

/** The node of a formula. `display`: it has a line of its own.
 *
 * Until Temml is loaded, the node is "…", and `ask` is called with the promise of it.
 */
export function formula(tex, { display = false, ask }) {
  const library = temml();
  if (library.value === undefined) {
    ask(library.ready);
    return "…";
  }
  return cached(`${display} ${tex}`, () => {
    try {
      return converted(library.value, tex, display);
    } catch {
      return h("code", { class: "tex", dir: "ltr" }, tex); // any error: the parser's, or a full stack
    }
  });
}

function converted(temml, tex, display) {
  if (!temml || tex.length > MAX_TEX_CHARS) throw new Error("too long");
  const tree = temml.__renderToMathMLTree(tex, {
    displayMode: display,
    throwOnError: true,
    maxExpand: 200,
    macros: {},
  });
  return virtual(tree, 0);
}

/** Temml's node as a virtual one. Classes, attributes and styles are those of Temml's own code. */
function virtual(node, depth) {
  if (typeof node.text === "string") return node.text;
  const children = () => node.children.flatMap((child) => virtual(child, depth + 1));
  if (depth > MAX_DEPTH) throw new Error("too deep");
  // A fragment. Or the automatic number of an equation, which the answer does not have.
  if (!node.type && !("href" in node) && !("src" in node)) return children();
  if (!TAGS.has(node.type)) throw new Error("not allowed");
  const attrs = {};
  const style = { ...declarations(node.attributes?.style), ...node.style };
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    if (name === "style") continue;
    if (!ATTRIBUTE.test(name) || REFUSED.has(name)) throw new Error("not allowed");
    attrs[name] = fitting(value);
  }
  for (const [name, value] of Object.entries(style)) style[name] = fitting(value);
  const classes = (node.classes ?? []).filter(Boolean).join(" ");
  if (classes) attrs.class = classes;
  if (Object.keys(style).length) attrs.style = style;
  return h(node.type, attrs, children());
}

const declarations = (text = "") =>
  Object.fromEntries(
    text
      .split(";")
      .map((each) => each.split(":").map((part) => part.trim()))
      .filter((each) => each.length === 2),
  );

function fitting(value) {
  for (const [, number, unit] of String(value).matchAll(/(-?[\d.]+)(em|ex|pt|px|mu|%)/g)) {
    if (Math.abs(number) > MAX_LENGTH[unit]) throw new Error("too large");
  }
  return String(value);
}
