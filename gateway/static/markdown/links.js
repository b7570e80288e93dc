/** Links: where they end, and which URLs are allowed. Pure. */

import { h } from "../dom.js";

const MAX_LINK_CHARS = 2000;

/** The index of the bracket that closes the one before `start`, if `(` follows it; else -1. */
export function closingBracket(text, start) {
  let depth = 1;
  for (let at = start; at < text.length && at - start < MAX_LINK_CHARS; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "[") depth += 1;
    else if (text[at] === "]" && (depth -= 1) === 0) return text[at + 1] === "(" ? at : -1;
  }
  return -1;
}

/** The text up to the parenthesis that closes the one at `start`; "" if none does. */
export function balanced(text, start) {
  let depth = 0;
  for (let at = start; at < text.length && at - start < MAX_LINK_CHARS; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return text.slice(0, at + 1);
  }
  return "";
}

/** The normalized URL if it is an absolute http or https URL, else null. */
export function webUrl(text) {
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text).href : null;
}

export const anchor = (href, children) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, children);
