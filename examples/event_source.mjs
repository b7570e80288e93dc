import { EventSourceParserStream } from "eventsource-parser/stream";

const response = await fetch("http://127.0.0.1:8080/events/v1/chat/completions", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ model: "default", messages: [{ role: "user", content: "hi" }], stream: true }),
});
const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
for await (const { event, data } of events) console.log(event, JSON.parse(data));
