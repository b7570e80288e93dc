/** Markdown as nodes (see dom.js). Tags and attributes are literals of this page's code: no text of a
 * model becomes one. */

import { h } from "../dom.js";
import { listing } from "./code.js";
import { formula } from "./formula.js";
import { temml } from "./libraries.js";
import { anchor, linkUrl } from "./links.js";
import { parse } from "./parser.js";

/** The blocks of these lines: `{node, start, items, level, waits}`.
 *
 * `start` is the index of the block's first line, `items` those of a list's items, `level` that of
 * the last heading so far. `waits`: a library that draws the block is not loaded yet. `open`: more text may follow. `level`: that of
 * the last heading before these lines. `missing`: takes the promises of missing libraries.
 */
export function blocks(lines, { open = false, level = 2, missing = new Set() } = {}) {
  const found = [];
  const context = {
    level,
    waits: false,
    ask(ready) {
      context.waits = true;
      missing.add(ready);
    },
  };
  const tokens = parse(lines, open);
  let first = 0;
  let items = [];
  tokens.forEach((token, at) => {
    if (token.type === "list_item_open" && token.level === 1) items.push(token.map[0]);
    if (token.level > 0 || token.nesting > 0) return;
    context.waits = false;
    const [node] = nodes(tokens.slice(first, at + 1), context, 0);
    const [start] = tokens[first].map;
    found.push({ node, start, items, level: context.level, waits: context.waits });
    first = at + 1;
    items = [];
  });
  return found;
}

/** The nodes of tokens, which form a tree: `_open` and `_close` enclose children. */
function nodes(tokens, context, depth) {
  const frames = [{ children: [] }];
  for (const token of tokens) {
    if (token.nesting > 0) {
      frames.push({ token, children: [] });
      continue;
    }
    let made;
    if (token.nesting < 0) {
      const { token: opening, children } = frames.pop();
      made = ELEMENTS[opening.type](children, opening, context, depth + frames.length - 1);
    } else made = LEAVES[token.type]?.(token, context) ?? token.content;
    add(frames.at(-1).children, made);
  }
  return frames[0].children;
}

/** Adds a node, or several. Merges texts that are adjacent. */
function add(children, node) {
  if (Array.isArray(node)) for (const each of node) add(children, each);
  else if (typeof node === "string" && typeof children.at(-1) === "string") {
    children[children.length - 1] += node;
  } else if (node !== "") children.push(node);
}

/** What encloses children: `(children, token, context, depth)` → a node, or several. */
const ELEMENTS = {
  paragraph_open: (children, token, context, depth) => h("p", direction(depth), children),
  heading_open: title,
  bullet_list_open: (children, token, context, depth) => h("ul", direction(depth), children),
  ordered_list_open: (children, token, context, depth) => {
    const start = token.attrGet("start");
    const attrs = { ...direction(depth), ...(start === null ? {} : { start: String(start) }) };
    return h("ol", attrs, children);
  },
  list_item_open: item,
  blockquote_open: (children, token, context, depth) => h("blockquote", direction(depth), children),
  table_open: (children, token, context, depth) =>
    h(
      "div",
      { class: "table", tabindex: "0", role: "group", "aria-label": "Table" },
      h("table", direction(depth), children),
    ),
  thead_open: (children) => h("thead", {}, children),
  tbody_open: (children) => h("tbody", {}, children),
  tr_open: (children) => h("tr", {}, children),
  th_open: (children, token) => h("th", aligned(token), children),
  td_open: (children, token) => h("td", aligned(token), children),
  em_open: (children) => (children.length ? h("em", {}, children) : []),
  strong_open: (children) => (children.length ? h("strong", {}, children) : []),
  s_open: (children) => (children.length ? h("del", {}, children) : []),
  link_open: (children, token) => {
    const href = linkUrl(token.attrGet("href"));
    return href ? anchor(href, children) : children;
  },
};

/** What has no children: `(token, context)` → a node, or several. */
const LEAVES = {
  inline: ({ children }, context) => nodes(withLinkedImages(children), context, 1),
  softbreak: () => h("br"),
  hardbreak: () => h("br"),
  hr: () => h("hr"),
  code_inline: ({ content }) => h("code", {}, content),
  fence: ({ content, info }, { ask }) =>
    listing(content ? content.replace(/\n$/, "").split("\n") : [], /^[\w+#.-]*/.exec(info.trim())[0], ask),
  image: (token) => token.content || "image",
  math_inline: ({ content }, { ask }) => formula(content, { ask }),
  math_display: ({ content }, { ask }) => formula(content, { display: true, ask }),
  math_block: ({ content }, { ask }) =>
    h("div", { class: "formula", tabindex: "0" }, formula(content, { display: true, ask })),
  math_growing: () => {
    temml(); // is loaded by the time that the formula has ended
    return "…";
  },
};

/** An outermost block gets its direction from its first letter; blocks inside inherit it. */
const direction = (depth) => (depth === 0 ? { dir: "auto" } : {});

const ALIGNED = { left: "start", center: "center", right: "end" };
const aligned = (token) => ({
  class: `to-${ALIGNED[/\w+$/.exec(token.attrGet("style") ?? "left")[0]]}`,
});

/** A heading. Its level is at least 3, below the page's headings, and skips none. */
function title(children, { tag }, context, depth) {
  if (depth > 0) return h("p", {}, h("strong", {}, children));
  context.level = Math.min(Number(tag[1]) + 2, context.level + 1, 6);
  return h(`h${context.level}`, { dir: "auto" }, children);
}

/** A list item. The paragraph of one that has no other is unwrapped, whether or not there are blank
 * lines between the items: items that have been shown must not move when one arrives. */
function item(children) {
  const [first, ...rest] = children;
  if (first?.tag !== "p") return h("li", {}, children);
  const [text] = first.children;
  const task = typeof text === "string" && /^\[([ xX])\] +/.exec(text);
  if (task) first.children[0] = `${task[1] === " " ? "☐" : "☑"} ${text.slice(task[0].length)}`;
  const isAlone = rest.every(({ tag }) => tag !== "p");
  return h("li", task ? { class: "task" } : {}, isAlone ? [...first.children, ...rest] : children);
}

/** An image becomes a link, so that an answer never makes the browser send a request. */
function withLinkedImages(tokens) {
  let links = 0;
  return tokens.flatMap((token) => {
    if (token.type === "link_open" || token.type === "link_close") links += token.nesting;
    if (token.type !== "image" || links > 0) return [token];
    const opening = { type: "link_open", nesting: 1, attrGet: () => token.attrGet("src") };
    return [opening, token, { type: "link_close", nesting: -1 }];
  });
}
