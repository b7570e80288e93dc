import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "http://127.0.0.1:8080", apiKey: "unused" });

const stream = client.messages.stream({
  model: "default",
  max_tokens: 4096,
  thinking: { type: "enabled", budget_tokens: 1024 },
  messages: [{ role: "user", content: "hi" }],
});
stream.on("thinking", (delta) => process.stdout.write(delta));
stream.on("text", (delta) => process.stdout.write(delta));
await stream.done();
