const response = await fetch("http://127.0.0.1:8080/events/v1/chat/completions", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ model: "default", messages: [{ role: "user", content: "hi" }], stream: true }),
});
const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
for (let rest = "", read; !(read = await reader.read()).done; ) {
  const blocks = (rest + read.value).split("\n\n");
  rest = blocks.pop();
  for (const block of blocks) {
    const [, event] = block.match(/^event: (.*)/m);
    const [, data] = block.match(/^data: (.*)/m);
    console.log(event, JSON.parse(data));
  }
}
