/** Runs one turn: sends the request and reads its stream.
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
const STOPPED = { kind: "stopped" };
/** The last step of a turn whose connection was lost. */
export const LOST = {
  ...failed("The connection was lost before the answer was complete."),
  code: "lost",
};
const TRUNCATED = { ...failed("The stream ended before the answer was complete."), code: "lost" };
const UNREADABLE = failed("The gateway sent an event that this page cannot read.");
const UNREACHABLE = { ...failed("The gateway cannot be reached."), code: "unreachable" };

/** @param {{path: string, body: object}} request see request.js */
export async function runTurn({ path, body }, { format, reasoning }, signal, onRead, onStream) {
  let response;
  try {
    response = await fetchWithKey(`./${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    const head = wireEvent(`status ${response.status}`, statusAndHeaders(response));
    if (!response.ok) {
      const { step, raw } = await readRefusal(response);
      onRead([step], [head, wireEvent("body", raw)]);
      return;
    }
    onRead([], [head]);
    onStream(response.headers.get("X-Stream-Id"));
  } catch {
    onRead([signal.aborted ? STOPPED : UNREACHABLE], []);
    return;
  }
  onRead([await readSteps(response.body, adapterFor(format, reasoning), signal, onRead)], []);
}

const MAX_BUSY_MS = 10;

/** Lets the browser draw and handle input while a lot arrives at once. */
const yieldToBrowser = () => new Promise((resolve) => setTimeout(resolve));

const wireEvent = (name, raw) => ({ at: performance.now(), name, raw });

const statusAndHeaders = (response) =>
  [`HTTP ${response.status}`, ...[...response.headers].map((pair) => pair.join(": "))].join("\n");

/** Passes all steps to `onRead` except the last one of the turn, which it returns. */
async function readSteps(body, adapt, signal, onRead) {
  const parser = new SSEParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let lastYield = performance.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return TRUNCATED;
      if (performance.now() - lastYield > MAX_BUSY_MS) {
        await yieldToBrowser();
        lastYield = performance.now();
      }
      const events = parser.feed(value);
      const steps = stepsOf(events, adapt);
      const last = steps.findIndex(({ kind }) => LAST_STEPS.has(kind));
      onRead(last < 0 ? steps : steps.slice(0, last), events.map(toWireEvent));
      if (last >= 0) return steps[last];
    }
  } catch {
    return signal.aborted ? STOPPED : LOST;
  } finally {
    reader.cancel().catch(() => {});
  }
}

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
  if (wait > 0) step.message += ` Try again in ${wait} s.`;
  return { raw, step: { ...step, status: response.status } };
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
