// openai-node on the Responses API, newest and oldest.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  ALWAYS,
  ANSWER,
  BROKEN,
  COUNTED,
  GATEWAY,
  HI,
  MODEL,
  PAUSES,
  REFUSED,
  SUMMARY,
  WEATHER,
} from "./expected.mjs";

const SUMMARIES = ["hi\n\n", `${SUMMARY}\n\n`];

for (const version of ["openai", "openai-5"]) {
  const { default: OpenAI } = await import(version);
  const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: "unused", maxRetries: 0 });
  const asked = (model, more = {}) => ({
    model,
    input: "hi",
    reasoning: { summary: "auto" },
    ...more,
  });
  // Version 5 has no `output_text` in what it retrieves.
  const textOf = (response) => response.output.at(-1).content[0].text;
  const summaries = (response) => response.output[0].summary.map((part) => part.text);

  suite(version, { concurrency: 8 }, () => {
    test("iterating gives the summaries and then the answer", async () => {
      const said = [];
      for await (const event of await client.responses.create(asked(MODEL, { stream: true }))) {
        const part = event.summary_index ?? (event.type === "response.output_text.delta" ? 2 : null);
        if (event.delta && part !== null) said[part] = (said[part] ?? "") + event.delta;
      }
      assert.deepEqual(said, [...SUMMARIES, ANSWER]);
    });

    test("the stream helper collects the final response", async () => {
      const stream = client.responses.stream(asked(MODEL));
      let text = "";
      stream.on("response.output_text.delta", ({ delta }) => (text += delta));
      const response = await stream.finalResponse();
      assert.equal(text, ANSWER);
      assert.equal(response.output[1].content[0].text, ANSWER);
      assert.deepEqual(summaries(response), SUMMARIES);
      assert.equal(response.status, "completed");
      assert.equal(response.usage.output_tokens_details.reasoning_tokens, 16);
    });

    test("heartbeats do not change the answer", async () => {
      const patient = new OpenAI({ baseURL: `${ALWAYS}/v1`, apiKey: "unused" });
      const response = await patient.responses.stream(asked(PAUSES)).finalResponse();
      assert.equal(response.output[1].content[0].text, ANSWER);
    });

    test("a non-streamed answer has its summary and text", async () => {
      const response = await client.responses.create(asked(MODEL));
      assert.equal(response.output_text, ANSWER);
      assert.deepEqual(summaries(response), SUMMARIES);
    });

    test("a tool is called and its result is answered", async () => {
      const tools = [{ type: "function", name: "get_weather", parameters: WEATHER, strict: true }];
      const request = asked("tool-call@tps=0", { tools });
      const response = await client.responses.stream(request).finalResponse();
      const call = response.output.at(-1);
      assert.equal(call.type, "function_call");
      assert.deepEqual(JSON.parse(call.arguments), { location: "Paris", unit: "celsius" });

      const result = { type: "function_call_output", call_id: call.call_id, output: "4" };
      const input = [...HI, ...response.output, result];
      const answer = await client.responses.create({ ...request, input });
      assert.equal(answer.output_text, "It says: 4");
    });

    for (const [model, words] of Object.entries(BROKEN)) {
      test(`a stream that breaks off raises: ${model}`, async () => {
        const request = asked(`${model}@tps=0`);
        await assert.rejects(async () => {
          for await (const _ of await client.responses.create({ ...request, stream: true }));
        }, words);
        await assert.rejects(client.responses.stream(request).finalResponse(), words);
      });
    }

    for (const [model, [status, words]] of Object.entries(REFUSED)) {
      for (const stream of [true, false]) {
        test(`a refusal raises with its status: ${model}, ${stream ? "streamed" : "non-streamed"}`, () =>
          assert.rejects(client.responses.create(asked(model, { stream })), (error) => {
            assert.equal(error.status, status);
            assert.match(error.message, words);
            assert.ok(error instanceof OpenAI.APIError && error.requestID);
            return true;
          }));
      }
    }

    test("a background response is followed from any event", async () => {
      const slow = asked("default@tps=100", { background: true, stream: true });
      const events = [];
      for await (const event of await client.responses.create(slow)) events.push(event);
      const { id, status } = events[0].response;
      assert.equal(status, "queued");
      const numbers = events.map((event) => event.sequence_number);
      assert.deepEqual(numbers, [...numbers.keys()]);

      const later = [];
      const from = { stream: true, starting_after: 5 };
      for await (const event of await client.responses.retrieve(id, from)) later.push(event);
      assert.deepEqual(later, events.slice(6));

      const whole = await client.responses.stream({ response_id: id }).finalResponse();
      assert.equal(textOf(whole), ANSWER);
      assert.equal(textOf(await client.responses.retrieve(id)), ANSWER);
      const items = await client.responses.inputItems.list(id);
      assert.equal(items.data[0].content[0].text, "hi");
      const more = await client.responses.create(asked(MODEL, { previous_response_id: id }));
      assert.equal(more.output_text, ANSWER);
      await client.responses.delete(id);
      await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
    });

    test("a background response is cancelled", async () => {
      const queued = await client.responses.create(asked("long-thinking", { background: true }));
      assert.equal(queued.status, "queued");
      const cancelled = await client.responses.cancel(queued.id);
      assert.deepEqual([cancelled.status, cancelled.output], ["cancelled", []]);
      assert.equal((await client.responses.retrieve(queued.id)).status, "cancelled");
    });

    test("a rate limit is retried, then raised", async () => {
      const began = Date.now();
      const retrying = new OpenAI({ baseURL: `${COUNTED}/v1`, apiKey: "unused", maxRetries: 1 });
      const request = retrying.responses.create(asked("always-busy"));
      await assert.rejects(request, OpenAI.RateLimitError);
      assert.ok(Date.now() - began >= 1000, "it waits for as long as Retry-After says");
    });
  });
}
