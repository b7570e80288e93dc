import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const gateway = createOpenAICompatible({ name: "gateway", baseURL: "http://127.0.0.1:8080/openai/v1" });

const { fullStream } = streamText({ model: gateway("default"), prompt: "hi" });
for await (const part of fullStream) {
  if (part.type === "reasoning-delta" || part.type === "text-delta") process.stdout.write(part.text);
}
