// Anthropic's Node SDK on the Messages API, newest and oldest.
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

const THINKING = { type: "enabled", budget_tokens: 1024 };
const SHOWN = [
  ["thinking", "hi\n\n"],
  ["thinking", `${SUMMARY}\n\n`],
  ["text", ANSWER],
];

for (const version of ["@anthropic-ai/sdk", "@anthropic-ai/sdk-old"]) {
  const { default: Anthropic } = await import(version);
  const client = new Anthropic({ baseURL: GATEWAY, apiKey: "unused", maxRetries: 0 });
  const asked = (model, more = {}) => ({
    model,
    max_tokens: 4096,
    messages: HI,
    thinking: THINKING,
    ...more,
  });
  const blocks = (message) => message.content.map((block) => [block.type, block[block.type]]);

  suite(version, { concurrency: 8 }, () => {
    test("iterating gives thinking and then text", async () => {
      const said = ["", "", ""];
      for await (const event of await client.messages.create(asked(MODEL, { stream: true }))) {
        if (event.type !== "content_block_delta") continue;
        said[event.index] += event.delta.thinking ?? event.delta.text ?? "";
      }
      assert.deepEqual(said, SHOWN.map(([, text]) => text));
    });

    test("the stream helper collects the final message", async () => {
      const stream = client.messages.stream(asked(MODEL));
      const heard = { thinking: "", text: "" };
      stream.on("thinking", (delta) => (heard.thinking += delta));
      stream.on("text", (delta) => (heard.text += delta));
      const message = await stream.finalMessage();
      assert.deepEqual(blocks(message), SHOWN);
      assert.deepEqual(heard, { thinking: `hi\n\n${SUMMARY}\n\n`, text: ANSWER });
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.usage.output_tokens, 23);
    });

    test("heartbeats do not change the answer", async () => {
      const patient = new Anthropic({ baseURL: ALWAYS, apiKey: "unused" });
      assert.equal(await patient.messages.stream(asked(PAUSES)).finalText(), ANSWER);
    });

    test("a non-streamed answer has its summary and text", async () => {
      const message = await client.messages.create(asked(MODEL));
      assert.deepEqual(blocks(message), SHOWN);
      assert.ok(message.content[0].signature);
    });

    test("a tool is called and its result is answered", async () => {
      const tools = [{ name: "get_weather", input_schema: WEATHER }];
      const request = asked("tool-call@tps=0", { tools });
      const message = await client.messages.stream(request).finalMessage();
      const call = message.content.at(-1);
      assert.equal(message.stop_reason, "tool_use");
      assert.deepEqual(call.input, { location: "Paris", unit: "celsius" });

      const result = { type: "tool_result", tool_use_id: call.id, content: "4" };
      const messages = [
        ...HI,
        { role: "assistant", content: message.content },
        { role: "user", content: [result] },
      ];
      const answer = await client.messages.create({ ...request, messages });
      assert.deepEqual(blocks(answer).at(-1), ["text", "It says: 4"]);
    });

    for (const [model, words] of Object.entries(BROKEN)) {
      test(`a stream that breaks off raises: ${model}`, async () => {
        const request = asked(`${model}@tps=0`);
        await assert.rejects(async () => {
          for await (const _ of await client.messages.create({ ...request, stream: true }));
        }, words);
        await assert.rejects(client.messages.stream(request).finalMessage(), words);
      });
    }

    for (const [model, [status, words]] of Object.entries(REFUSED)) {
      for (const stream of [true, false]) {
        test(`a refusal raises with its status: ${model}, ${stream ? "streamed" : "non-streamed"}`, () =>
          assert.rejects(client.messages.create(asked(model, { stream })), (error) => {
            assert.equal(error.status, status);
            assert.match(error.message, words);
            assert.ok(error instanceof Anthropic.APIError && error.requestID);
            return true;
          }));
      }
    }

    test("a rate limit is retried, then raised", async () => {
      const began = Date.now();
      const retrying = new Anthropic({ baseURL: COUNTED, apiKey: "unused", maxRetries: 1 });
      const request = retrying.messages.create(asked("always-busy"));
      await assert.rejects(request, Anthropic.RateLimitError);
      assert.ok(Date.now() - began >= 1000, "it waits for as long as Retry-After says");
    });
  });
}
