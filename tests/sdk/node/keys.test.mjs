// A gateway with API keys: with a wrong key, every SDK raises its error for a 401 without a retry.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { ANSWER, HI, KEY, KEYED, MODEL } from "./expected.mjs";

const WRONG = "sk-wrong";
const UNKNOWN = /does not know this key/;

for (const version of ["openai", "openai-5"]) {
  const { default: OpenAI } = await import(version);
  const client = (apiKey) => new OpenAI({ baseURL: `${KEYED}/v1`, apiKey, maxRetries: 2 });
  const calls = {
    chat: ({ chat }) => chat.completions.create({ model: MODEL, messages: HI }),
    "chat, streamed": ({ chat }) =>
      chat.completions.create({ model: MODEL, messages: HI, stream: true }),
    responses: ({ responses }) => responses.create({ model: MODEL, input: "hi" }),
    models: ({ models }) => models.list(),
  };
  refuses(version, calls, client, OpenAI.AuthenticationError);
}

for (const version of ["@anthropic-ai/sdk", "@anthropic-ai/sdk-old"]) {
  const { default: Anthropic } = await import(version);
  const client = (apiKey) => new Anthropic({ baseURL: KEYED, apiKey, maxRetries: 2 });
  const request = { model: MODEL, max_tokens: 99, messages: HI };
  const calls = {
    messages: ({ messages }) => messages.create(request),
    "messages, streamed": ({ messages }) => messages.create({ ...request, stream: true }),
    tokens: ({ messages }) => messages.countTokens({ model: MODEL, messages: HI }),
  };
  refuses(version, calls, client, Anthropic.AuthenticationError);

  test(`${version}: the right key as a bearer token gets an answer`, async () => {
    const bearer = new Anthropic({ baseURL: KEYED, apiKey: null, authToken: KEY });
    assert.equal((await bearer.messages.create(request)).content.at(-1).text, ANSWER);
  });
}

function refuses(version, calls, client, AuthenticationError) {
  suite(version, () => {
    for (const [name, call] of Object.entries(calls)) {
      test(`${name}: a wrong key raises`, () =>
        assert.rejects(call(client(WRONG)), (error) => {
          assert.ok(error instanceof AuthenticationError);
          assert.equal(error.status, 401);
          assert.match(error.message, UNKNOWN);
          assert.ok(error.requestID);
          return true;
        }));

      test(`${name}: the right key gets an answer`, () => call(client(KEY)));
    }
  });
}

const PROVIDERS = {
  chat: ["openai-compatible", "-1", (make, apiKey) =>
    make.createOpenAICompatible({ name: "gateway", baseURL: `${KEYED}/openai/v1`, apiKey })],
  responses: ["openai", "-2", (make, apiKey) =>
    make.createOpenAI({ baseURL: `${KEYED}/v1`, apiKey }).responses],
  messages: ["anthropic", "-2", (make, apiKey) =>
    make.createAnthropic({ baseURL: `${KEYED}/v1`, apiKey })],
};

for (const version of ["ai", "ai-5"]) {
  const ai = await import(version);

  suite(version, () => {
    for (const [api, [name, old, make]] of Object.entries(PROVIDERS)) {
      const ask = async (key) => {
        const provider = await import(`@ai-sdk/${name}${version === "ai" ? "" : old}`);
        return { model: make(provider, key)(MODEL), prompt: "hi", maxRetries: 2, onError() {} };
      };
      const refused = (error) => error.statusCode === 401 && UNKNOWN.test(error.message);

      test(`${api}: a wrong key raises`, async () => {
        await assert.rejects(ai.generateText(await ask(WRONG)), refused);
        const parts = await Array.fromAsync(ai.streamText(await ask(WRONG)).fullStream);
        assert.ok(refused(parts.find((part) => part.type === "error").error));
      });

      test(`${api}: the right key gets an answer`, async () => {
        assert.equal((await ai.generateText(await ask(KEY))).text, ANSWER);
      });
    }
  });
}
