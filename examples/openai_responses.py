from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="unused")

stream = client.responses.create(
    model="default", input="hi", reasoning={"summary": "auto"}, stream=True
)
for event in stream:
    if event.type in ("response.reasoning_summary_text.delta", "response.output_text.delta"):
        print(event.delta, end="", flush=True)
