/** One turn: the request, and the steps of its answer as they arrive (see formats.js).
 *
 * The last step is always one of `done`, `failed` and `stopped`; the generator never throws for
 * what a network or a server can do.
 */

import { adapterFor } from "./formats.js";
import { SSEParser } from "./sse.js";

const ENDS = new Set(["done", "failed"]);
const failed = (message) => ({ kind: "failed", message });

/** @param {{model: string, messages: object[], format: string, reasoning: string}} turn */
export async function* runTurn({ model, messages, format, reasoning }, signal) {
  let response;
  try {
    response = await fetch("./v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model, messages, stream: true, gateway: { format, reasoning } }),
      signal,
    });
    if (!response.ok) {
      yield failed(await refusal(response));
      return;
    }
  } catch {
    yield signal.aborted
      ? { kind: "stopped" }
      : failed("The gateway cannot be reached. Check that it is running, then send again.");
    return;
  }
  yield* steps(response.body, adapterFor(format, reasoning), signal);
}

async function* steps(body, adapt, signal) {
  const parser = new SSEParser();
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      for (const event of done ? parser.close() : parser.feed(value)) {
        for (const step of read(adapt, event)) {
          yield step;
          if (ENDS.has(step.kind)) return;
        }
      }
      if (done) {
        yield failed("The stream ended before the answer was complete.");
        return;
      }
    }
  } catch {
    yield signal.aborted
      ? { kind: "stopped" }
      : failed("The connection was lost before the answer was complete.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

function read(adapt, event) {
  try {
    return adapt(event);
  } catch {
    return [failed("The gateway sent an event that this page cannot read.")];
  }
}

/** Why the gateway would not start the stream, in a sentence. `plain` says so in an event, the others in JSON. */
async function refusal(response) {
  const body = await response.text().catch(() => "");
  const [event] = new SSEParser().feed(body);
  let message = `The gateway answered with status ${response.status}.`;
  try {
    const { error } = JSON.parse(event?.data ?? body);
    message = (typeof error === "string" ? error : error?.message) || message;
  } catch {
    // Not the gateway's own words: a proxy's page, perhaps.
  }
  const wait = Number(response.headers.get("Retry-After"));
  return wait > 0 ? `${message} Try again in ${wait} s.` : message;
}

/** The models that the gateway offers; empty when it cannot say. */
export async function listModels() {
  try {
    const response = await fetch("./v1/models", { signal: AbortSignal.timeout(5000) });
    const { data } = await response.json();
    return data.map((model) => model.id).filter((id) => typeof id === "string" && id);
  } catch {
    return [];
  }
}
