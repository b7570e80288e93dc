/** Code with its language, a Copy button, and colours by highlight.js. */

import { h } from "../dom.js";
import { highlighter, LANGUAGES } from "./libraries.js";
import { memo } from "./memo.js";

/** A chunk of a listing. It spares the browser from laying out all of a growing listing again, and
 * the page from colouring it again. */
const CHUNK_LINES = 40;
/** A chunk grows up to this until it ends outside of a comment or a string. */
const MAX_CHUNK_LINES = 320;
const MAX_LINE_CHARS = 2000;

const cached = memo(400);

/** The node of a listing. Until its highlighter is loaded it has no colours, and `ask` is called
 * with the promise of it. */
export function listing(lines, language, ask) {
  const name = language || "text";
  const file = LANGUAGES.get(language.toLowerCase());
  const library = file && highlighter(file);
  if (library && library.value === undefined) ask(library.ready);
  return h(
    "div",
    { class: "listing", dir: "ltr" },
    h(
      "div",
      { class: "listing-head" },
      h("span", {}, name),
      h("button", { type: "button", class: "quiet", "data-copy": "code" }, "Copy"),
    ),
    h(
      "pre",
      { tabindex: "0", role: "group", "aria-label": `Code, ${name}` },
      h("code", {}, chunks(lines, file, library?.value)),
    ),
  );
}

function chunks(lines, file, hljs) {
  const found = [];
  for (let at = 0; at < lines.length; ) {
    let size = CHUNK_LINES;
    let chunk = chunkAt(lines, at, size, file, hljs);
    while (!chunk.isWhole && size < MAX_CHUNK_LINES && at + size < lines.length) {
      size *= 2;
      chunk = chunkAt(lines, at, size, file, hljs);
    }
    found.push(chunk.node);
    at += size;
  }
  return found;
}

/** `{node, isWhole}`: whole if what follows can be coloured without it. */
function chunkAt(lines, at, size, file, hljs) {
  const hasRest = at + size < lines.length;
  const text = lines.slice(at, at + size).join("\n") + (hasRest ? "\n" : "");
  if (!hljs || lines.slice(at, at + size).some((line) => line.length > MAX_LINE_CHARS)) {
    return { node: h("span", {}, text), isWhole: true };
  }
  const coloured = () => {
    const { _emitter, _top } = hljs.highlight(text, { language: file, ignoreIllegals: true });
    return { node: h("span", {}, tokens(_emitter.rootNode)), isWhole: !_top.parent };
  };
  return hasRest ? cached(`${file} ${text}`, coloured) : coloured();
}

/** The tokens of highlight.js as nodes. Their scopes are literals of its grammars. */
const tokens = ({ children }) =>
  children.map((child) => {
    if (typeof child === "string") return child;
    const scope = child.scope?.split(/[.:]/)[0] ?? "language";
    return h("span", { class: `hl-${scope}` }, tokens(child));
  });
