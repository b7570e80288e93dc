// openai-node on the chat completions API, newest and oldest.
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

const TOOL = { type: "function", function: { name: "get_weather", parameters: WEATHER } };

for (const version of ["openai", "openai-5"]) {
  const { default: OpenAI } = await import(version);
  const client = new OpenAI({ baseURL: `${GATEWAY}/openai/v1`, apiKey: "unused", maxRetries: 0 });
  const ask = (model, more = {}) =>
    client.chat.completions.create({ model, messages: HI, stream: true, ...more });

  suite(version, { concurrency: 8 }, () => {
    test("iterating gives the summaries and then the answer", async () => {
      const deltas = [];
      for await (const chunk of await ask(MODEL)) deltas.push(chunk.choices[0].delta);
      const text = (key) => deltas.map((delta) => delta[key] ?? "").join("");
      assert.equal(text("reasoning_content"), `hi\n\n${SUMMARY}\n\n`);
      assert.equal(text("content"), ANSWER);
      assert.equal(deltas[0].role, "assistant");
    });

    test("the stream helper collects the final completion", async () => {
      const stream = client.chat.completions.stream({
        model: MODEL,
        messages: HI,
        stream_options: { include_usage: true },
      });
      let text = "";
      stream.on("content", (delta) => (text += delta));
      const [choice] = (await stream.finalChatCompletion()).choices;
      assert.equal(text, ANSWER);
      assert.equal(choice.message.content, ANSWER);
      assert.equal(choice.finish_reason, "stop");
      assert.equal((await stream.totalUsage()).completion_tokens, 23);
    });

    test("heartbeats do not change the answer", async () => {
      const patient = new OpenAI({ baseURL: `${ALWAYS}/openai/v1`, apiKey: "unused" });
      const stream = patient.chat.completions.stream({ model: PAUSES, messages: HI });
      assert.equal(await stream.finalContent(), ANSWER);
    });

    test("a non-streamed answer has its summary and text", async () => {
      const completion = await ask(MODEL, { stream: false });
      assert.equal(completion.choices[0].message.content, ANSWER);
      assert.equal(completion.choices[0].message.reasoning_content, SUMMARY);
      assert.equal(completion.usage.total_tokens, 24);
    });

    test("a tool is called and its result is answered", async () => {
      const asked = [];
      const tool = {
        type: "function",
        function: {
          name: "get_weather",
          parameters: WEATHER,
          parse: JSON.parse,
          function: (args) => {
            asked.push(args);
            return "4";
          },
        },
      };
      const runner = client.chat.completions.runTools({
        model: "tool-call@tps=0",
        messages: HI,
        stream: true,
        tools: [tool],
      });
      assert.equal(await runner.finalContent(), "It says: 4");
      assert.deepEqual(asked, [{ location: "Paris", unit: "celsius" }]);
    });

    test("a non-streamed tool call is complete", async () => {
      const completion = await ask("tool-call@tps=0", { stream: false, tools: [TOOL] });
      const [call] = completion.choices[0].message.tool_calls;
      assert.equal(completion.choices[0].finish_reason, "tool_calls");
      assert.equal(JSON.parse(call.function.arguments).location, "Paris");
    });

    for (const [model, words] of Object.entries(BROKEN)) {
      test(`a stream that breaks off raises: ${model}`, async () => {
        const failed = (error) => error instanceof OpenAI.APIError && words.test(error.message);
        await assert.rejects(async () => {
          for await (const _ of await ask(`${model}@tps=0`));
        }, failed);
        const stream = client.chat.completions.stream({ model: `${model}@tps=0`, messages: HI });
        await assert.rejects(stream.finalChatCompletion(), (error) => words.test(error.message));
      });
    }

    for (const [model, [status, words]] of Object.entries(REFUSED)) {
      for (const stream of [true, false]) {
        test(`a refusal raises with its status: ${model}, ${stream ? "streamed" : "non-streamed"}`, () =>
          assert.rejects(ask(model, { stream }), (error) => {
            assert.equal(error.status, status);
            assert.match(error.message, words);
            assert.ok(error instanceof OpenAI.APIError && error.requestID);
            return true;
          }));
      }
    }

    test("a rate limit is retried, then raised", async () => {
      const began = Date.now();
      const retrying = new OpenAI({ baseURL: `${COUNTED}/openai/v1`, apiKey: "unused", maxRetries: 1 });
      const request = retrying.chat.completions.create({ model: "always-busy", messages: HI });
      await assert.rejects(request, OpenAI.RateLimitError);
      assert.ok(Date.now() - began >= 1000, "it waits for as long as Retry-After says");
    });

    test("a stopped stream ends", { timeout: 5000 }, async () => {
      const stream = await ask("long-thinking");
      for await (const _ of stream) stream.controller.abort();
    });
  });
}
