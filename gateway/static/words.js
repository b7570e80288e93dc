/** Figures and times in words. */

const one = (number) => number.toFixed(1);

/** "850 ms", "3.2 s", "2 min 5 s" */
export function duration(ms) {
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  return ms < 59_950 ? `${one(ms / 1000)} s` : minutes(Math.round(ms / 1000) * 1000);
}

/** In whole seconds, for a clock that runs: "12 s", "2 min 5 s" */
export const clock = (ms) => (ms < 60_000 ? `${Math.floor(ms / 1000)} s` : minutes(ms));

const minutes = (ms) => `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;

/** "1 token", "12,345 tokens". By hand: the browser's own way loads its tables of all languages,
 * 30 ms, at the reader's first click. */
export const count = (number, noun) =>
  `${String(number).replace(/\B(?=(?:\d{3})+$)/g, ",")} ${noun}${number === 1 ? "" : "s"}`;

/** "812 B", "1.2 kB" */
export const bytes = (number) => (number < 1000 ? `${number} B` : `${one(number / 1000)} kB`);

/** The size of a text in UTF-8. */
export function byteSize(text) {
  let size = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > 0x7ff && (code < 0xd800 || code > 0xdfff)) size += 2;
    else if (code > 0x7f) size += 1; // half of a pair of surrogates is two of four bytes
  }
  return size;
}

/** About how many tokens a text has, by the gateway's own rule: four bytes each. */
export const estimatedTokens = (text) => byteSize(text) / 4;
