from ollama import Client

client = Client(host="http://127.0.0.1:8080")

messages = [{"role": "user", "content": "hi"}]
for chunk in client.chat("default", messages, think=True, stream=True):
    print(chunk.message.thinking or chunk.message.content or "", end="", flush=True)
