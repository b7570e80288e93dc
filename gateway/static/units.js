/** Numbers with their units, as text; sizes of texts. */

const oneDecimal = (number) => number.toFixed(1);

/** "850 ms", "3.2 s", "2 min 5 s" */
export function duration(ms) {
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  return ms < 59_950 ? `${oneDecimal(ms / 1000)} s` : minutes(Math.round(ms / 1000) * 1000);
}

/** Whole seconds, for a running clock: "12 s", "2 min 5 s" */
export const clock = (ms) => (ms < 60_000 ? `${Math.floor(ms / 1000)} s` : minutes(ms));

const minutes = (ms) => `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1000)} s`;

/** "1 token", "12,345 tokens". Not by `toLocaleString`: its first call loads the browser's locale
 * data, which takes 30 ms. */
export const count = (number, noun) =>
  `${String(number).replace(/\B(?=(?:\d{3})+$)/g, ",")} ${noun}${number === 1 ? "" : "s"}`;

/** "12 tokens", and "≈ 12 tokens" if nobody has counted them. */
export const tokens = (number, isCounted) =>
  `${isCounted ? "" : "≈ "}${count(Math.round(number), "token")}`;

/** "812 B", "1.2 kB" */
export const bytes = (number) =>
  number < 1000 ? `${number} B` : `${oneDecimal(number / 1000)} kB`;

/** The number of bytes of a text in UTF-8. */
export function byteSize(text) {
  let size = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 0x7ff && (code < 0xd800 || code > 0xdfff)) size += 2;
    else if (code > 0x7f) size += 1; // each half of a surrogate pair stands for two bytes
  }
  return size;
}

/** An estimate of a text's tokens, by the gateway's rule: four bytes a token. */
export const estimatedTokens = (text) => byteSize(text) / 4;
