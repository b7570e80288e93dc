/** Links: where they end, and where they may lead. Pure. */

import { h } from "../dom.js";

const MAX_LINK_CHARS = 2000;

/** Where the bracket opened before `start` closes, if a parenthesis follows it; else -1. */
export function closingBracket(text, start) {
  let depth = 1;
  for (let at = start; at < text.length && at - start < MAX_LINK_CHARS; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") depth += 1;
    else if (text[at] === "]" && (depth -= 1) === 0) return text[at + 1] === "(" ? at : -1;
  }
  return -1;
}

/** The text up to the parenthesis that closes the one at `start`: addresses may hold pairs. */
export function balanced(text, start) {
  let depth = 0;
  for (let at = start; at < text.length && at - start < MAX_LINK_CHARS; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return text.slice(0, at + 1);
  }
  return "";
}

/** The address if it is an absolute one of the web, else null. */
export function webAddress(text) {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text).href : null;
}

export const anchor = (href, children) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, children);
