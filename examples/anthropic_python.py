from anthropic import Anthropic

client = Anthropic(base_url="http://127.0.0.1:8080", api_key="unused")

with client.messages.stream(
    model="default",
    max_tokens=4096,
    thinking={"type": "enabled", "budget_tokens": 1024},
    messages=[{"role": "user", "content": "hi"}],
) as stream:
    for event in stream:
        if event.type == "thinking":
            print(event.thinking, end="", flush=True)
        elif event.type == "text":
            print(event.text, end="", flush=True)
