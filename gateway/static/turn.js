/** Runs one turn: the request, and what arrives for it.
 *
 * Each read of the network gives one call of `onRead(steps, events)`: the steps that it says
 * (see formats.js), and the events as they arrived: `{at, name, raw}`. The last step of a turn is
 * always one of `done`, `failed` and `stopped`; nothing that a network or a server can do throws.
 */

import { adapterFor, failed } from "./formats.js";
import { fetchWithKey } from "./key.js";
import { SSEParser } from "./sse.js";

const ENDS = new Set(["done", "failed"]);
const STOPPED = { kind: "stopped" };
/** How a turn ends whose connection is gone. */
export const LOST = {
  ...failed("The connection was lost before the answer was complete."),
  code: "lost",
};
const ENDED = { ...failed("The stream ended before the answer was complete."), code: "lost" };
const UNREADABLE = failed("The gateway sent an event that this page cannot read.");
const UNREACHABLE = { ...failed("The gateway cannot be reached."), code: "unreachable" };

/** @param {{path: string, body: object}} request see request.js */
export async function runTurn({ path, body }, { format, reasoning }, signal, onRead) {
  let response;
  try {
    response = await fetchWithKey(`./${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    const opening = wireEvent(`status ${response.status}`, heading(response));
    if (!response.ok) {
      const { step, raw } = await refusal(response);
      onRead([step], [opening, wireEvent("body", raw)]);
      return;
    }
    onRead([], [opening]);
  } catch {
    onRead([signal.aborted ? STOPPED : UNREACHABLE], []);
    return;
  }
  onRead([await readSteps(response.body, adapterFor(format, reasoning), signal, onRead)], []);
}

const BUSY_MS = 10;

/** Lets the browser draw and hear its reader between two parts of a long job. */
const breathe = () => new Promise((resolve) => setTimeout(resolve));

const wireEvent = (name, raw) => ({ at: performance.now(), name, raw });

const heading = (response) =>
  [`HTTP ${response.status}`, ...[...response.headers].map((pair) => pair.join(": "))].join("\n");

/** Hands on all steps but the last, which it gives back. */
async function readSteps(body, adapt, signal, onRead) {
  const parser = new SSEParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rested = performance.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return ENDED;
      if (performance.now() - rested > BUSY_MS) {
        await breathe();
        rested = performance.now();
      }
      const events = parser.feed(value);
      const steps = stepsOf(events, adapt);
      const end = steps.findIndex(({ kind }) => ENDS.has(kind));
      onRead(end < 0 ? steps : steps.slice(0, end), events.map(asArrived));
      if (end >= 0) return steps[end];
    }
  } catch {
    return signal.aborted ? STOPPED : LOST;
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** What the events say, up to one that can not be read. */
function stepsOf(events, adapt) {
  const steps = [];
  try {
    for (const event of events) steps.push(...adapt(event));
  } catch {
    steps.push(UNREADABLE);
  }
  return steps;
}

const asArrived = ({ comment, event, raw }) =>
  wireEvent(comment === undefined ? event : "comment", raw);

/** Why the gateway would not start the stream. `plain` says so in an event, the others in JSON. */
async function refusal(response) {
  const raw = await response.text().catch(() => "");
  const [event] = new SSEParser().feed(raw);
  let said = null;
  try {
    said = JSON.parse(event?.data ?? raw).error;
  } catch {
    // Not the gateway's own words: a proxy's page, perhaps.
  }
  const step = failed(said || `The gateway answered with status ${response.status}.`);
  const wait = Number(response.headers.get("Retry-After"));
  if (wait > 0) step.message += ` Try again in ${wait} s.`;
  return { raw, step: { ...step, status: response.status } };
}

/** The models that the gateway offers: `{id, family}`; empty when it cannot say, null when it wants
 * another key for that. */
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
