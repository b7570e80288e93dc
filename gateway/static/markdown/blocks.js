/** Markdown's blocks. Pure: takes lines, returns nodes (see dom.js).
 *
 * A block depends only on its own lines and on the first two lines of the next one. So in a growing
 * text, all blocks before the last one are final (see view.js). Deliberately unsupported: HTML;
 * reference links and setext headings, which would change earlier blocks; and indented code, which
 * models do not use.
 */

import { h } from "../dom.js";
import { inline } from "./inline.js";
import { formula } from "./math.js";

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*(.*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(.*)|[ \t]*)$/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const MATH_START = /^ {0,3}(\$\$|\\\[)/;
const MATH_END = { $$: "$$", "\\[": "\\]" };

const MAX_DEPTH = 12;
const MAX_FORMULA_LINES = 100;
const CHUNK_LINES = 40;

/** Parses lines into blocks: `{node, start, level}`.
 *
 * `start` is the index of the block's first line, `level` that of the last heading so far.
 * `open`: more text may follow. `heading.level`: that of the last heading before these lines.
 */
export function blocks(lines, { open = false, depth = 0, heading = { level: 2 } } = {}) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [node, next] = block(lines, at, { open, depth, heading });
    found.push({ node, start: at, level: heading.level });
    at = next;
  }
  return found;
}

function block(lines, at, context) {
  for (const read of canNest(context) ? [fence, math, title, rule, quote, list, table] : [fence]) {
    const found = read(lines, at, context);
    if (found) return found;
  }
  return paragraph(lines, at, context);
}

/** An outermost block gets its direction from its first letter; blocks inside inherit it. */
const direction = (depth) => (depth === 0 ? { dir: "auto" } : {});

const canNest = ({ depth }) => depth < MAX_DEPTH;

/** True if a block that starts at this line can follow a paragraph without a blank line. */
function interrupts(lines, at) {
  const line = lines[at];
  const item = ITEM.exec(line);
  return (
    FENCE.test(line) ||
    HEADING.test(line) ||
    RULE.test(line) ||
    QUOTE.test(line) ||
    (item && item[4] && (item[2].length === 1 || Number.parseInt(item[2], 10) === 1)) ||
    MATH_START.test(line) ||
    isTable(lines, at)
  );
}

function paragraph(lines, at, { open, depth }) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !interrupts(lines, end)) end += 1;
  return [paragraphOf(lines.slice(at, end), open && end === lines.length, depth), end];
}

function paragraphOf(lines, open, depth) {
  const text = lines.map((line) => line.trimStart()).join("\n");
  return h("p", direction(depth), inline(text, { open }));
}

function fence(lines, at) {
  const opening = FENCE.exec(lines[at]);
  if (!opening) return null;
  const [, marks, info] = opening;
  const closing = new RegExp(`^ {0,3}${marks[0]}{${marks.length},}[ \\t]*$`);
  const indent = new RegExp(`^ {0,${/^ */.exec(lines[at])[0].length}}`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end])) end += 1;
  const code = lines.slice(at + 1, end).map((line) => line.replace(indent, ""));
  return [listing(code, /^[\w+#.-]*/.exec(info)[0]), Math.min(end + 1, lines.length)];
}

/** Code with its language and a Copy button. The chunks spare the browser from laying out all of a
 * growing listing again. */
function listing(lines, language) {
  const chunks = [];
  for (let at = 0; at < lines.length; at += CHUNK_LINES) {
    const rest = at + CHUNK_LINES < lines.length ? "\n" : "";
    chunks.push(h("span", {}, lines.slice(at, at + CHUNK_LINES).join("\n") + rest));
  }
  const name = language || "text";
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
      h("code", {}, chunks),
    ),
  );
}

/** A display formula. Without its end mark before a blank line, it is a paragraph. */
function math(lines, at, context) {
  const found = MATH_START.exec(lines[at]);
  if (!found) return null;
  const closer = MATH_END[found[1]];
  const source = [lines[at].slice(found[0].length)];
  let end = at + 1;
  while (!source.at(-1).includes(closer)) {
    if (end === lines.length)
      return [paragraphOf(lines.slice(at), context.open, context.depth), end];
    if (!lines[end].trim() || end - at > MAX_FORMULA_LINES) return null;
    source.push(lines[end]);
    end += 1;
  }
  const tex = source.join("\n").trim();
  if (tex.indexOf(closer) + closer.length !== tex.length || tex === closer) return null;
  const shown = formula(tex.slice(0, -closer.length).trim(), { display: true });
  return [h("div", { class: "formula", tabindex: "0" }, shown), end];
}

/** A heading. Its level is at least 3, below the page's headings, and skips none. */
function title(lines, at, { depth, open, heading }) {
  const found = HEADING.exec(lines[at]);
  if (!found) return null;
  const children = inline((found[2] ?? "").replace(/(^|[ \t])#+[ \t]*$/, ""), {
    open: open && at + 1 === lines.length,
  });
  if (depth > 0) return [h("p", {}, h("strong", {}, children)), at + 1];
  heading.level = Math.min(found[1].length + 2, heading.level + 1, 6);
  return [h(`h${heading.level}`, { dir: "auto" }, children), at + 1];
}

function rule(lines, at) {
  return RULE.test(lines[at]) ? [h("hr"), at + 1] : null;
}

function quote(lines, at, { open, depth }) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  if (end === at) return null;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  const children = nodes(inner, { open: open && end === lines.length, depth: depth + 1 });
  return [h("blockquote", direction(depth), children), end];
}

const nodes = (lines, context) => blocks(lines, context).map(({ node }) => node);

function list(lines, at, context) {
  const first = ITEM.exec(spaced(lines[at]));
  if (!first) return null;
  const ordered = first[2].length > 1;
  const items = [];
  let end = at;
  while (end < lines.length) {
    let next = end;
    while (next < lines.length && !lines[next].trim()) next += 1;
    const marker = next < lines.length && !RULE.test(lines[next]) && ITEM.exec(spaced(lines[next]));
    if (!marker || marker[2].length > 1 !== ordered || marker[1].length > first[1].length + 1)
      break;
    const [node, past] = item(lines, next, marker, context);
    items.push(node);
    end = past;
  }
  const start = ordered ? Number.parseInt(first[2], 10) : 1;
  const attrs = { ...direction(context.depth), ...(start === 1 ? {} : { start: String(start) }) };
  return [h(ordered ? "ol" : "ul", attrs, items), end];
}

/** A list item: its first line and the indented ones below. Like models do, two spaces suffice. */
function item(lines, at, [, indent, mark, gap = " ", first = ""], { open, depth }) {
  const width = indent.length + mark.length + (gap.length > 4 ? 1 : gap.length);
  const minIndent = Math.min(width, indent.length + 2);
  const inner = [first];
  let fenced = FENCE.test(first);
  let end = at + 1;
  for (let next = end; next < lines.length; next += 1) {
    const line = spaced(lines[next]);
    const blank = !line.trim();
    const indented = /^ */.exec(line)[0].length;
    const lazy = !fenced && lines[next - 1].trim() && !interrupts(lines, next) && !ITEM.test(line);
    if (!blank && indented < minIndent && !lazy) break;
    inner.push(line.slice(Math.min(indented, width)));
    fenced ||= FENCE.test(inner.at(-1));
    if (!blank) end = next + 1;
  }
  inner.length = end - at;
  const task = /^\[([ xX])\] +/.exec(first);
  if (task) inner[0] = `${task[1] === " " ? "☐" : "☑"} ${first.slice(task[0].length)}`;
  const children = nodes(inner, { open: open && end === lines.length, depth: depth + 1 });
  return [h("li", task ? { class: "task" } : {}, tight(children)), end];
}

/** The line with four spaces for each leading tab. */
const spaced = (line) => line.replace(/^[ \t]+/, (space) => space.replaceAll("\t", "    "));

/** Unwraps the paragraph of an item that has only one. */
function tight(children) {
  const [first, ...rest] = children;
  if (first?.tag !== "p" || rest.some(({ tag }) => tag === "p")) return children;
  return [...first.children, ...rest];
}

function isTable(lines, at) {
  return (
    at + 1 < lines.length &&
    lines[at].includes("|") &&
    TABLE_RULE.test(lines[at + 1]) &&
    cells(lines[at]).length === cells(lines[at + 1]).length
  );
}

function cells(line) {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function table(lines, at, { depth, open }) {
  if (!isTable(lines, at)) return null;
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) end += 1;
  const aligned = cells(lines[at + 1]).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "end") : "start",
  );
  const row = (line, tag, grows) => {
    const texts = cells(line);
    const cell = (align, column) =>
      h(tag, { class: `to-${align}` }, inline(texts[column] ?? "", { open: grows }));
    return h("tr", {}, aligned.map(cell));
  };
  const body = lines
    .slice(at + 2, end)
    .map((line, i, rows) => row(line, "td", open && end === lines.length && i + 1 === rows.length));
  return [
    h(
      "div",
      { class: "table", tabindex: "0", role: "group", "aria-label": "Table" },
      h("table", direction(depth), h("thead", {}, row(lines[at], "th")), h("tbody", {}, body)),
    ),
    end,
  ];
}
