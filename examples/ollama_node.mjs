import { Ollama } from "ollama";

const client = new Ollama({ host: "http://127.0.0.1:8080" });

const messages = [{ role: "user", content: "hi" }];
for await (const { message } of await client.chat({ model: "default", messages, think: true, stream: true })) {
  process.stdout.write(message.thinking ?? message.content);
}
