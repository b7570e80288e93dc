/** markdown-it, set up for answers that grow. Pure: takes lines, returns its tokens.
 *
 * It follows CommonMark and GitHub's tables, with these exceptions. There is no HTML. A line break
 * stays a line break. Reference links and underlined headings would change earlier blocks of a
 * growing text; models do not write indented code. Formulas are added. Below a number, an indent of
 * two spaces is enough. While a text grows, unclosed marks count as closed.
 *
 * A block depends only on its own lines and on the first two lines of the next one. So in a growing
 * text, all blocks before the last one are final (see view.js).
 */

import MarkdownIt from "../vendor/markdown-it/markdown-it.esm.min.mjs";
import { isGrowing, MATH_MARKS, MONEY } from "./formula-marks.js";
import { linkUrl } from "./links.js";

/** Two for each list, one for each quote. What is deeper is a paragraph. */
const MAX_LEVEL = 24;
const MAX_FORMULA_LINES = 100;
const MATH_BLOCK = { $$: "$$", "\\[": "\\]" };

const md = new MarkdownIt({ breaks: true, linkify: true });
md.disable(["code", "lheading", "reference", "html_block", "html_inline"]);
md.disable(["replacements", "smartquotes"]);
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
md.linkify.add("ftp:", null).add("//", null);
md.normalizeLink = (url) => linkUrl(url) ?? url;
md.validateLink = (url) => linkUrl(url) !== null;
md.normalizeLinkText = (text) => text;

/** The block tokens of these lines. `open`: more text may follow. */
export const parse = (lines, open) =>
  md.parse(lines.join("\n"), { open, lineCount: lines.length });

// --- Blocks

const paragraph = md.block.ruler.getRules("").at(-1);
md.block.ruler.before(
  "table",
  "too deep",
  (state, start, end) => state.level >= MAX_LEVEL && paragraph(state, start, end),
);

/** A formula that may still grow: its lines begin no other block, as `- b` would begin a list. */
function pushParagraph(state, start, end) {
  const map = [start, end];
  state.push("paragraph_open", "p", 1).map = map;
  const content = state.getLines(start, end, state.blkIndent, false).trim();
  Object.assign(state.push("inline", "", 0), { content, map, children: [] });
  state.push("paragraph_close", "p", -1);
  state.line = end;
  return true;
}

/** A display formula. Without its end mark before a blank line, it is a paragraph. */
md.block.ruler.before(
  "table",
  "math",
  (state, start, end, silent) => {
    const lineAt = (line) =>
      state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
    const first = lineAt(start);
    const opener = first.slice(0, 2);
    const closer = Object.hasOwn(MATH_BLOCK, opener) && MATH_BLOCK[opener];
    if (!closer || state.sCount[start] < state.blkIndent) return false;
    if (silent) return true;
    const source = [first.slice(2)];
    let next = start + 1;
    for (; !source.at(-1).includes(closer); next += 1) {
      if (next === end && state.env.open && next >= state.env.lineCount) {
        return pushParagraph(state, start, next);
      }
      if (next === end || state.isEmpty(next) || next - start > MAX_FORMULA_LINES) return false;
      if (state.sCount[next] < state.blkIndent) return false;
      source.push(lineAt(next));
    }
    const tex = source.join("\n").trim();
    if (tex.indexOf(closer) + closer.length !== tex.length || tex === closer) return false;
    const token = state.push("math_block", "", 0);
    token.content = tex.slice(0, -closer.length).trim();
    token.map = [start, next];
    state.line = next;
    return true;
  },
  { alt: ["paragraph", "blockquote", "list"] },
);

/** Like models do, two spaces below an item's mark suffice. */
const { tokenize } = md.block;
md.block.tokenize = function relaxed(state, start, end) {
  if (state.tokens.at(-1)?.type === "list_item_open") {
    const line = state.src.slice(state.bMarks[start], state.eMarks[start]);
    const indent = Math.max(line.search(/\S/), state.listIndent);
    state.blkIndent = Math.min(state.blkIndent, indent + 2);
  }
  return tokenize.call(this, state, start, end);
};

// --- Inside of a block

/** Only a block that reaches the end of a growing text is open. */
md.core.ruler.at("inline", ({ tokens, env }) => {
  let row = null;
  for (const token of tokens) {
    if (token.type === "tr_open") row = token.map;
    if (token.type !== "inline") continue;
    const open = env.open && (token.map ?? row)[1] >= env.lineCount;
    // A mark at the end may be incomplete. If it closes something, that is shown as closed anyway.
    const text = open ? token.content.replace(/[*_~`\\]+$/, "") : token.content;
    md.inline.parse(text.trimEnd(), md, { open }, token.children);
  }
});

/** A formula between its marks, unless the dollar signs are amounts of money. */
function math(state, silent) {
  const { src, pos, env } = state;
  if (src[pos] !== "$" && src[pos] !== "\\") return false;
  const push = (type, content, end) => {
    if (!silent) Object.assign(state.push(type, "", 0), { content });
    state.pos = end;
    return true;
  };
  state.unclosed ??= new Set(); // a closer that is missing is not searched again
  for (const [opener, closer] of MATH_MARKS) {
    if (!src.startsWith(opener, pos)) continue;
    const start = pos + opener.length;
    const end = state.unclosed.has(closer) ? -1 : src.indexOf(closer, start);
    if (end < 0) state.unclosed.add(closer);
    if (end < 0 && env.open && isGrowing(opener, src.slice(start))) {
      return push("math_growing", "", src.length);
    }
    const source = src.slice(start, end);
    if (end < 0 || !source.trim()) continue;
    if (opener === "$" && (MONEY.test(source) || /\d/.test(src[end + 1] ?? ""))) return false;
    const display = opener === "$$" || opener === "\\[";
    return push(display ? "math_display" : "math_inline", source.trim(), end + closer.length);
  }
  return false;
}
md.inline.ruler.before("escape", "math", math);

/** The code that a text ends in while it grows. */
md.inline.ruler.before("backticks", "open code", (state, silent) => {
  const { src, pos, env } = state;
  if (!env.open || silent || src[pos] !== "`") return false;
  const [marks] = /^`+/.exec(src.slice(pos));
  const start = pos + marks.length;
  const isMarks = new RegExp(`(?<!\`)${marks}(?!\`)`, "g");
  isMarks.lastIndex = start;
  if (isMarks.test(src)) return false;
  const content = src.slice(start).replaceAll("\n", " ");
  if (content) Object.assign(state.push("code_inline", "code", 0), { content });
  state.pos = src.length;
  return true;
});

/** While a text grows, its unclosed marks are closed at its end. */
md.inline.ruler2.after("balance_pairs", "close", (state) => {
  if (!state.env.open) return;
  const { delimiters } = state;
  const opener = new Map();
  delimiters.forEach(({ end }, at) => end >= 0 && opener.set(end, at));
  for (let at = delimiters.length - 1; at >= 0; at -= 1) {
    const { marker, open, end } = delimiters[at];
    if (opener.has(at)) at = opener.get(at);
    else if (open && end < 0) {
      state.push("text", "", 0);
      delimiters[at].end = delimiters.length;
      const token = state.tokens.length - 1;
      delimiters.push({ marker, length: 0, token, end: -1, open: false, close: true });
    }
  }
});
