/** Runs one turn: sends the request and reads its stream, over several connections if one is lost.
 *
 * The gateway keeps the stream. It is read again from its first event, and the steps that were taken
 * before are left out: they are the same each time, in every format.
 *
 * After each read, `onRead(steps, events)` is called with the steps (see formats.js) and the events
 * as they arrived: `{at, name, raw}`. The last step of a turn is `done`, `failed` or `stopped`.
 * Errors of the network or the server become a `failed` step; nothing is thrown. `onStream` is called
 * with the id of the stream, once it is known.
 */

import { adapterFor, failed } from "./formats.js";
import { fetchWithKey } from "./key.js";
import { SSEParser } from "./sse.js";

const LAST_STEPS = new Set(["done", "failed"]);
/** How long to try again without a new step. The gateway keeps a stream without a reader as long. */
const MAX_LOST_MS = 120_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5000;
/** The last step of a turn that the user has stopped. */
export const STOPPED = { kind: "stopped" };
/** The last step of a turn whose connection was lost. */
export const LOST = {
  ...failed("The connection was lost before the answer was complete."),
  code: "lost",
};
const TRUNCATED = { ...failed("The stream ended before the answer was complete."), code: "lost" };
const UNREADABLE = failed("The gateway sent an event that this page cannot read.");
const UNREACHABLE = { ...failed("The gateway cannot be reached."), code: "unreachable" };

/** @param {{path: string, body: object}} request see request.js */
export async function runTurn({ path, body }, choice, signal, onRead, onStream) {
  const reading = new Reading(choice, 0, signal, onRead);
  let id = null;
  const post = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const onFound = (found) => onStream((id = found));
  let last = await reading.read(`./${path}`, post, onFound);
  if (last.code === "stream_store_away") {
    // Better an answer that a reload cuts than none.
    const gateway = { ...body.gateway, keep: false };
    post.body = JSON.stringify({ ...body, gateway });
    last = await reading.read(`./${path}`, post, onFound);
  }
  onRead([id && isLost(last) ? await reading.follow(id) : last], []);
}

/** Reads on in a turn whose connection was lost, as by a reload. `taken`: steps that it has had. */
export async function resumeTurn(id, taken, choice, signal, onRead) {
  onRead([await new Reading(choice, taken, signal, onRead).follow(id)], []);
}

/** Whether another connection may bring what this one did not. */
const isLost = ({ code, status }) => code === "lost" || code === "unreachable" || status >= 502;

/** Reads one stream. */
class Reading {
  #choice;
  #taken; // steps that were handed on, heartbeats not counted
  #signal;
  #onRead;

  constructor(choice, taken, signal, onRead) {
    this.#choice = choice;
    this.#taken = taken;
    this.#signal = signal;
    this.#onRead = onRead;
  }

  /** Reads the kept stream until it has ended, or cannot be reached any more. Returns its last step. */
  async follow(id) {
    const { format } = this.#choice;
    let wait = FIRST_WAIT_MS;
    let lostAt = performance.now();
    for (;;) {
      const before = this.#taken;
      const last = await this.read(`./v1/streams/${id}?format=${format}`, {}, () => {});
      if (!isLost(last)) return last;
      if (this.#taken > before) {
        wait = FIRST_WAIT_MS;
        lostAt = performance.now();
      } else if (performance.now() - lostAt > MAX_LOST_MS) return last;
      await new Promise((resolve) => {
        setTimeout(resolve, wait);
        this.#signal.addEventListener("abort", resolve, { once: true });
      });
      if (this.#signal.aborted) return STOPPED;
      wait = Math.min(2 * wait, MAX_WAIT_MS);
    }
  }

  /** Reads one response. Hands on all steps except the last one of the turn, which it returns. */
  async read(url, options, onStream) {
    let response;
    try {
      response = await fetchWithKey(url, { ...options, signal: this.#signal });
      const head = wireEvent(`status ${response.status}`, statusAndHeaders(response));
      if (!response.ok) {
        const { step, raw } = await readRefusal(response);
        this.#onRead([], [head, wireEvent("body", raw)]);
        return step;
      }
      this.#onRead([], [head]);
      onStream(response.headers.get("X-Stream-Id"));
    } catch {
      return this.#signal.aborted ? STOPPED : UNREACHABLE;
    }
    return await this.#readSteps(response.body);
  }

  async #readSteps(body) {
    const { format, reasoning } = this.#choice;
    const adapt = adapterFor(format, reasoning);
    const parser = new SSEParser();
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let lastYield = performance.now();
    let number = 0; // of steps in this response
    // The end is always new: a stream that was lost may have fewer steps than this page has seen.
    const isNew = ({ kind }) =>
      kind === "heartbeat" || LAST_STEPS.has(kind) || ++number > this.#taken;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return TRUNCATED;
        if (performance.now() - lastYield > MAX_BUSY_MS) {
          await yieldToBrowser();
          lastYield = performance.now();
        }
        const events = parser.feed(value);
        const steps = stepsOf(events, adapt).filter(isNew);
        const last = steps.findIndex(({ kind }) => LAST_STEPS.has(kind));
        this.#taken = Math.max(this.#taken, number);
        this.#onRead(last < 0 ? steps : steps.slice(0, last), events.map(toWireEvent));
        if (last >= 0) return steps[last];
      }
    } catch {
      return this.#signal.aborted ? STOPPED : LOST;
    } finally {
      reader.cancel().catch(() => {});
    }
  }
}

const MAX_BUSY_MS = 10;

/** Lets the browser draw and handle input while a lot arrives at once. */
const yieldToBrowser = () => new Promise((resolve) => setTimeout(resolve));

const wireEvent = (name, raw) => ({ at: performance.now(), name, raw });

const statusAndHeaders = (response) =>
  [`HTTP ${response.status}`, ...[...response.headers].map((pair) => pair.join(": "))].join("\n");

/** The steps of the events, up to the first event that cannot be read. */
function stepsOf(events, adapt) {
  const steps = [];
  try {
    for (const event of events) steps.push(...adapt(event));
  } catch {
    steps.push(UNREADABLE);
  }
  return steps;
}

const toWireEvent = ({ comment, event, raw }) =>
  wireEvent(comment === undefined ? event : "comment", raw);

/** Reads a refusal. In the format `plain` it is an event, in the others JSON. */
async function readRefusal(response) {
  const raw = await response.text().catch(() => "");
  const [event] = new SSEParser().feed(raw);
  let error = null;
  try {
    error = JSON.parse(event?.data ?? raw).error;
  } catch {
    // The answer is not the gateway's; perhaps a proxy's error page.
  }
  const step = failed(error || `The gateway answered with status ${response.status}.`);
  const wait = Number(response.headers.get("Retry-After"));
  return { raw, step: { ...step, status: response.status, ...(wait > 0 && { wait }) } };
}

/** The gateway's models: `{id, family}`. Empty if the request fails, null if it needs a key. */
export async function listModels() {
  try {
    const response = await fetchWithKey("./v1/models", { signal: AbortSignal.timeout(5000) });
    if (response.status === 401) return null;
    const { data } = await response.json();
    return data.filter(({ id }) => typeof id === "string" && id);
  } catch {
    return [];
  }
}
