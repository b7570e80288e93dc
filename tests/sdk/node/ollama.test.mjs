// What speaks Ollama's API: ollama-js, newest and oldest, LangChain's package and an AI SDK provider.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AIMessage, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOllama } from "@langchain/ollama";
import { jsonSchema, streamText, generateText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";
import {
  ALWAYS,
  ANSWER,
  BROKEN,
  GATEWAY,
  HI,
  KEY,
  KEYED,
  MODEL,
  PAUSES,
  REFUSED,
  SUMMARY,
  WEATHER,
} from "./expected.mjs";

const THINKING = `hi\n\n${SUMMARY}\n\n`;
const TOOL_MODEL = "tool-call@tps=0";
const PARIS = { location: "Paris", unit: "celsius" };
const TOOL = { type: "function", function: { name: "get_weather", parameters: WEATHER } };

for (const version of ["ollama", "ollama-old"]) {
  const { Ollama } = await import(version);
  const client = new Ollama({ host: GATEWAY });
  const chat = (model, more = {}) => client.chat({ model, messages: HI, stream: true, ...more });

  suite(version, { concurrency: 8 }, () => {
    test("a chat streams the summaries and then the answer", async () => {
      const chunks = await Array.fromAsync(await chat(MODEL, { think: true }));
      const text = (key) => chunks.map(({ message }) => message[key] ?? "").join("");
      assert.equal(text("thinking"), THINKING);
      assert.equal(text("content"), ANSWER);
      assert.equal(chunks.at(-1).done_reason, "stop");
      assert.equal(chunks.at(-1).eval_count, 23);
    });

    test("think: false shows the answer alone", async () => {
      const chunks = await Array.fromAsync(await chat(MODEL, { think: false }));
      assert.ok(chunks.every(({ message }) => !message.thinking));
    });

    test("a chat in one piece", async () => {
      const { message } = await chat(MODEL, { stream: false });
      assert.deepEqual([message.thinking, message.content], [THINKING, ANSWER]);
    });

    test("a text, streamed and in one piece", async () => {
      const request = { model: MODEL, prompt: "hi" };
      const chunks = await Array.fromAsync(await client.generate({ ...request, stream: true }));
      assert.equal(chunks.map(({ response }) => response).join(""), ANSWER);
      const whole = await client.generate(request);
      assert.deepEqual([whole.thinking, whole.response], [THINKING, ANSWER]);
    });

    for (const stream of [true, false]) {
      test(`a tool and its result, stream: ${stream}`, async () => {
        const answer = await chat(TOOL_MODEL, { tools: [TOOL], stream });
        const parts = stream ? await Array.fromAsync(answer) : [answer];
        const { message } = parts.find((part) => part.message.tool_calls);
        assert.deepEqual(message.tool_calls[0].function.arguments, PARIS);
        const result = { role: "tool", content: "4", tool_name: "get_weather" };
        const messages = [...HI, message, result];
        const after = await chat(TOOL_MODEL, { messages, tools: [TOOL], stream: false });
        assert.equal(after.message.content, "It says: 4");
      });
    }

    test("heartbeats are no part of the answer", async () => {
      const patient = new Ollama({ host: ALWAYS });
      const stream = await patient.chat({ model: PAUSES, messages: HI, stream: true });
      const chunks = await Array.fromAsync(stream);
      assert.equal(chunks.map(({ message }) => message.content).join(""), ANSWER);
    });

    for (const [model, words] of Object.entries(BROKEN)) {
      test(`a stream that breaks off raises: ${model}`, () =>
        assert.rejects(async () => {
          for await (const _ of await chat(`${model}@tps=0`));
        }, words));
    }

    for (const [model, [status, words]] of Object.entries(REFUSED)) {
      for (const stream of [true, false]) {
        test(`a refusal has its status: ${model}, stream: ${stream}`, () =>
          assert.rejects(chat(model, { stream }), (error) => {
            assert.equal(error.status_code, status);
            assert.match(error.message, words);
            return true;
          }));
      }
    }

    test("models, and what is not offered", async () => {
      const { models } = await client.list();
      assert.ok(models.some(({ name }) => name === "default:latest"));
      assert.ok((await client.show({ model: "default" })).capabilities.includes("thinking"));
      await assert.rejects(client.embed({ model: "m", input: "hi" }), /api\/chat/);
    });

    test("a key", async () => {
      const refused = new Ollama({ host: KEYED });
      const request = { model: MODEL, messages: HI };
      await assert.rejects(refused.chat(request), (error) => error.status_code === 401);
      const headers = { Authorization: `Bearer ${KEY}` };
      const keyed = new Ollama({ host: KEYED, headers });
      assert.equal((await keyed.chat(request)).message.content, ANSWER);
    });
  });
}

suite("@langchain/ollama", { concurrency: 8 }, () => {
  const ask = (model) => new ChatOllama({ model, baseUrl: GATEWAY, think: true, maxRetries: 0 });
  const reasoning = (message) => message.additional_kwargs.reasoning_content ?? "";

  test("streamed and in one piece", async () => {
    const chunks = await Array.fromAsync(await ask(MODEL).stream("hi"));
    assert.equal(chunks.map(reasoning).join(""), THINKING);
    assert.equal(chunks.map(({ content }) => content).join(""), ANSWER);
    const message = await ask(MODEL).invoke("hi");
    assert.deepEqual([reasoning(message), message.content], [THINKING, ANSWER]);
  });

  test("a tool and its result", async () => {
    const bound = ask(TOOL_MODEL).bindTools([TOOL]);
    const { tool_calls } = await bound.invoke("hi");
    assert.deepEqual(tool_calls[0].args, PARIS);
    const result = new ToolMessage({ content: "4", tool_call_id: tool_calls[0].id });
    const turn = [new HumanMessage("hi"), new AIMessage({ content: "", tool_calls }), result];
    assert.equal((await bound.invoke(turn)).content, "It says: 4");
  });

  test("failures", async () => {
    for (const [model, words] of Object.entries(BROKEN)) {
      await assert.rejects(ask(`${model}@tps=0`).invoke("hi"), words);
    }
    for (const [model, [status, words]] of Object.entries(REFUSED)) {
      const refused = (error) => error.status_code === status && words.test(error.message);
      await assert.rejects(ask(model).invoke("hi"), refused);
    }
  });
});

suite("ollama-ai-provider-v2", { concurrency: 8 }, () => {
  const provider = createOllama({ baseURL: `${GATEWAY}/api` });
  const ask = (model, more = {}) => ({
    model: provider(model),
    prompt: "hi",
    maxRetries: 0,
    providerOptions: { ollama: { think: true } },
    onError() {},
    ...more,
  });
  const tools = { get_weather: tool({ inputSchema: jsonSchema(WEATHER) }) };

  test("streamed and in one piece", async () => {
    const parts = await Array.fromAsync(streamText(ask(MODEL)).fullStream);
    const text = (type) => parts.filter((part) => part.type === type).map((part) => part.text);
    assert.equal(text("reasoning-delta").join(""), THINKING);
    assert.equal(text("text-delta").join(""), ANSWER);
    const whole = await generateText(ask(MODEL));
    assert.deepEqual([whole.reasoningText, whole.text], [THINKING, ANSWER]);
    assert.equal(whole.usage.outputTokens, 23);
  });

  test("a tool and its result", async () => {
    const asked = await generateText(ask(TOOL_MODEL, { tools }));
    const [call] = asked.toolCalls;
    assert.deepEqual(call.input, PARIS);
    const { toolCallId, toolName } = call;
    const output = { type: "text", value: "4" };
    const result = { role: "tool", content: [{ type: "tool-result", toolCallId, toolName, output }] };
    const messages = [...HI, ...asked.response.messages, result];
    const after = await generateText(ask(TOOL_MODEL, { prompt: undefined, messages, tools }));
    assert.equal(after.text, "It says: 4");
  });

  // It overlooks the line with the error, and sees that the body is cut.
  for (const model of Object.keys(BROKEN)) {
    test(`a stream that breaks off raises: ${model}`, async () => {
      const { fullStream } = streamText(ask(`${model}@tps=0`));
      await assert.rejects(Array.fromAsync(fullStream), /terminated/);
    });
  }

  test("a refusal has its status", async () => {
    for (const [model, [status]] of Object.entries(REFUSED)) {
      const refused = (error) => error.statusCode === status;
      await assert.rejects(generateText(ask(model)), refused);
    }
  });
});
