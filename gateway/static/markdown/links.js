/** Which URLs become links. Pure. */

import { h } from "../dom.js";

/** The normalized URL if it is an absolute http, https or mailto URL, else null. */
export function linkUrl(text) {
  return /^(https?:\/\/|mailto:)/i.test(text) && URL.canParse(text) ? new URL(text).href : null;
}

export const anchor = (href, children) =>
  h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, children);
