import OpenAI from "openai";

const client = new OpenAI({ baseURL: "http://127.0.0.1:8080/openai/v1", apiKey: "unused" });

const stream = await client.chat.completions.create({
  model: "default",
  messages: [{ role: "user", content: "hi" }],
  stream: true,
});
for await (const chunk of stream) {
  const { delta } = chunk.choices[0];
  process.stdout.write(delta.reasoning_content ?? delta.content ?? "");
}
