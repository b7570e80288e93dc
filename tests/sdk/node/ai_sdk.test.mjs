// The AI SDK, newest and oldest, on every API that it has a provider for.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  ALWAYS,
  ANSWER,
  BROKEN,
  COUNTED,
  GATEWAY,
  MODEL,
  PAUSES,
  REFUSED,
  SUMMARY,
  WEATHER,
} from "./expected.mjs";

// API → its provider of models, from the package whose name has this ending.
const PROVIDERS = {
  chat: async (gateway, ending) => {
    const { createOpenAICompatible } = await import(`@ai-sdk/openai-compatible${ending}`);
    const settings = { name: "gateway", baseURL: `${gateway}/openai/v1`, includeUsage: true };
    return createOpenAICompatible(settings);
  },
  responses: async (gateway, ending) => {
    const { createOpenAI } = await import(`@ai-sdk/openai${ending}`);
    return createOpenAI({ baseURL: `${gateway}/v1`, apiKey: "unused" }).responses;
  },
  messages: async (gateway, ending) => {
    const { createAnthropic } = await import(`@ai-sdk/anthropic${ending}`);
    return createAnthropic({ baseURL: `${gateway}/v1`, apiKey: "unused" });
  },
};

// The options with which a request gets summaries.
const OPTIONS = {
  chat: {},
  responses: { openai: { reasoningSummary: "auto", forceReasoning: true, store: false } },
  messages: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
};

const VERSIONS = [
  { version: "ai", endings: { chat: "", responses: "", messages: "" } },
  { version: "ai-5", endings: { chat: "-1", responses: "-2", messages: "-2" } },
];

for (const { version, endings } of VERSIONS) {
  const ai = await import(version);
  const onError = () => {}; // by default it logs

  for (const [api, connect] of Object.entries(PROVIDERS)) {
    // Version 5 asks for a summary only from models with OpenAI's names.
    const gateway = version === "ai-5" && api === "responses" ? ALWAYS : GATEWAY;
    const provider = await connect(gateway, endings[api]);
    const ask = (model, more = {}) => ({
      model: provider(model),
      prompt: "hi",
      maxRetries: 0,
      providerOptions: OPTIONS[api],
      onError,
      ...more,
    });
    const partsOf = (result) => Array.fromAsync(result.fullStream);

    suite(`${version}, ${api}`, { concurrency: 8 }, () => {
      test("reasoning streams before the text", async () => {
        const result = ai.streamText(ask(MODEL));
        const kinds = (await partsOf(result)).map((part) => part.type);
        assert.ok(!kinds.includes("error"), kinds.join());
        assert.ok(kinds.lastIndexOf("reasoning-delta") < kinds.indexOf("text-delta"), kinds.join());
        assert.equal(await result.text, ANSWER);
        assert.match(await result.reasoningText, new RegExp(`^hi\\s*${SUMMARY}\\s*$`));
        assert.equal(await result.finishReason, "stop");
        assert.equal((await result.usage).outputTokens, 23);
      });

      test("heartbeats do not change the answer", async () => {
        const patient = (await connect(ALWAYS, endings[api]))(PAUSES);
        const parts = await partsOf(ai.streamText(ask("", { model: patient })));
        assert.ok(!parts.some((part) => part.type === "error"));
        assert.equal(parts.map((part) => (part.type === "text-delta" ? part.text : "")).join(""), ANSWER);
      });

      test("a non-streamed answer has reasoning and text", async () => {
        const result = await ai.generateText(ask(MODEL));
        assert.equal(result.text, ANSWER);
        assert.ok(result.reasoningText.includes(SUMMARY));
        assert.equal(result.finishReason, "stop");
        assert.equal(result.usage.outputTokens, 23);
      });

      for (const how of ["streamText", "generateText"]) {
        test(`a tool is called and its result is answered: ${how}`, async () => {
          const asked = [];
          const getWeather = ai.tool({
            inputSchema: ai.jsonSchema(WEATHER),
            execute: (input) => {
              asked.push(input);
              return "4";
            },
          });
          const request = ask("tool-call@tps=0", {
            tools: { get_weather: getWeather },
            stopWhen: ai.stepCountIs(3),
          });
          const result = await ai[how](request);
          assert.match(await result.text, /^It says: .*4/);
          assert.deepEqual(asked, [{ location: "Paris", unit: "celsius" }]);
        });
      }

      for (const [model, words] of Object.entries(BROKEN)) {
        test(`a stream that breaks off is an error: ${model}`, async () => {
          const parts = await partsOf(ai.streamText(ask(`${model}@tps=0`)));
          const errors = parts.filter((part) => part.type === "error");
          assert.equal(errors.length, 1);
          assert.match(errors[0].error.message ?? JSON.stringify(errors[0].error), words);
          assert.notEqual(parts.at(-1).finishReason, "stop");
        });
      }

      for (const [model, [status, words]] of Object.entries(REFUSED)) {
        test(`a refusal raises with its status: ${model}`, async () => {
          const failed = (error) => error.statusCode === status && words.test(error.message);
          await assert.rejects(ai.generateText(ask(model)), failed);
          const [error] = (await partsOf(ai.streamText(ask(model)))).filter((part) => part.type === "error");
          assert.ok(failed(error.error));
        });
      }

      test("a rate limit is retried, then raised", async () => {
        const busy = (await connect(COUNTED, endings[api]))("always-busy");
        const began = Date.now();
        await assert.rejects(ai.generateText(ask("", { model: busy, maxRetries: 1 })), /Slow down/);
        assert.ok(Date.now() - began >= 1000, "it waits for as long as Retry-After says");
      });
    });
  }
}
