from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8080/openai/v1", api_key="unused")

stream = client.chat.completions.create(
    model="default", messages=[{"role": "user", "content": "hi"}], stream=True
)
for chunk in stream:
    delta = chunk.choices[0].delta
    print(getattr(delta, "reasoning_content", None) or delta.content or "", end="", flush=True)
