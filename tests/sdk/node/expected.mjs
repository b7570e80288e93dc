// The answers and errors that every SDK gets from the mock's models. test_node.py sets the addresses.
export const GATEWAY = process.env.GATEWAY_URL;
export const COUNTED = process.env.COUNTED_URL;
export const ALWAYS = process.env.ALWAYS_URL;
// The gateway with API keys, and its key.
export const KEYED = process.env.KEYED_URL;
export const KEY = process.env.KEY;

export const ANSWER = "Hi! Nice to meet you.";
export const SUMMARY = "I should greet in one sentence and keep it short.";
export const MODEL = "default@tps=0";
// A model that pauses while it thinks.
export const PAUSES = "silent@silence=0.5,tps=0";
export const HI = [{ role: "user", content: "hi" }];

// Model → the status, and a piece of the message.
export const REFUSED = {
  "error-400": [400, /maximum context length/],
  "error-401": [424, /UPSTREAM_API_KEY/],
  "error-500": [502, /error while processing/],
  "rate-limited": [429, /try again in 7s/],
  "no-such-model": [404, /does not exist/],
};

// Model → a piece of the message of the error that ends its stream.
export const BROKEN = {
  "error-in-stream": /ran out of memory/,
  cut: /broke off/,
  "cut-thinking": /broke off/,
};

export const WEATHER = {
  type: "object",
  properties: {
    location: { type: "string" },
    unit: { type: "string", enum: ["celsius", "fahrenheit"] },
  },
  required: ["location", "unit"],
  additionalProperties: false,
};
