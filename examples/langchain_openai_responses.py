from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="default",
    base_url="http://127.0.0.1:8080/v1",
    api_key="unused",
    use_responses_api=True,
    output_version="responses/v1",
    reasoning={"summary": "auto"},
)

for chunk in model.stream("hi"):
    for block in chunk.content_blocks:
        print(block.get("reasoning") or block.get("text") or "", end="", flush=True)
