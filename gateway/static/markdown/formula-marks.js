/** What marks a formula in a line, and what only looks like it. Pure. */

export const MATH_MARKS = [
  ["$$", "$$"],
  ["$", "$"],
  ["\\(", "\\)"],
  ["\\[", "\\]"],
];
/** An amount of money, not a formula: the text behind its dollar sign. */
export const MONEY = /^\s|\s$|^\d[\d.,]*\s+\p{L}{2}/u;

const TEX = /[\\^_{}=+<>]/;
const MAX_GROWING_CHARS = 600;
const MAX_PLAIN_CHARS = 40; // of a text behind one dollar sign, without any sign of TeX

/** True if this text behind a formula's mark may become a formula: it is not shown before its end. */
export function isGrowing(opener, text) {
  if (opener !== "$") return text.length < MAX_GROWING_CHARS;
  if (/^\s/.test(text) || MONEY.test(`${text.trimEnd()}x`)) return false;
  return text.length < (TEX.test(text) ? MAX_GROWING_CHARS : MAX_PLAIN_CHARS);
}
