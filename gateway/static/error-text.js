/** Errors in the reader's words: what happened, and what to do. Pure. */

const TRY_AGAIN = "Try again in a few seconds.";
const OVERLOADED = "It may be overloaded. Try again later, or choose another model.";
const KEPT = "The text received so far is kept.";
const RUNNING = "Check that it is running, then try again.";

/** By an error's code: what happened, and what to do. Without the first, the message says it. */
const BY_CODE = {
  unreachable: [null, "Check that it is running and that you are online, then try again."],
  lost: [null, `${KEPT} Try again when the connection is back.`],
  upstream_unreachable: ["The model server cannot be reached.", RUNNING],
  upstream_connect_timeout: ["The model server does not respond.", RUNNING],
  upstream_first_byte_timeout: ["The model server has not begun to answer.", OVERLOADED],
  upstream_idle_timeout: ["The model server has stopped in the middle.", `${KEPT} ${OVERLOADED}`],
  upstream_total_timeout: [
    "The answer took longer than the gateway allows.",
    "Ask for a shorter answer, or raise the gateway's TOTAL_TIMEOUT_S.",
  ],
  upstream_broke_off: [
    "The model server broke off its answer.",
    `${KEPT} Try again; if it fails again, see the model server's log.`,
  ],
  no_upstream: ["No model server can be reached at the moment.", TRY_AGAIN],
  upstreams_full: ["All model servers are busy.", TRY_AGAIN],
  gateway_full: ["The gateway is busy.", TRY_AGAIN],
  too_many_waiting: ["The gateway is busy.", TRY_AGAIN],
  gateway_draining: ["The gateway is restarting.", TRY_AGAIN],
  key_limit: ["Your key has too many requests at once.", "Wait until one of them has ended."],
  invalid_api_key: [
    "The gateway does not accept this API key.",
    "Enter a key under Options, then try again.",
  ],
  model_not_found: ["There is no such model here.", "Choose another below the prompt."],
  model_not_allowed: ["Your key may not use this model.", "Choose another below the prompt."],
  body_too_large: [
    "The conversation is too large to be sent.",
    "Send a shorter prompt or fewer images, or start a new chat.",
  ],
  context_length_exceeded: [
    "The conversation is too long for this model.",
    "Shorten the prompt, start a new chat, or choose another model.",
  ],
  rate_limit_exceeded: ["The model server has too many requests.", "Wait a little, then try again."],
  internal_error: ["Something went wrong in the gateway.", "Its log has the cause."],
};

/** For formats whose errors have no code. */
const CODE_BY_STATUS = { 401: "invalid_api_key", 413: "body_too_large" };
const ADVICE_BY_STATUS = {
  400: "Change the request, then try again.",
  404: "Choose another model.",
};

/** What to show of an error: a text for the reader, and the message itself if that is another. */
export function errorText({ message, code, status, wait }) {
  const sentence = /[.!?。？！]$/.test(message) ? message : `${message}.`;
  const [words, adviceByCode] = BY_CODE[code ?? CODE_BY_STATUS[status]] ?? [];
  const advice = wait
    ? `Try again in ${wait} s.`
    : (adviceByCode ?? ADVICE_BY_STATUS[status] ?? "");
  const detail = [sentence, ...(code ? [`(${code})`] : [])].join(" ");
  return { text: `${words ?? sentence} ${advice}`.trim(), detail: words ? detail : "" };
}
