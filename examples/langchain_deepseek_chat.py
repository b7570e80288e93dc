from langchain_deepseek import ChatDeepSeek

model = ChatDeepSeek(model="default", api_base="http://127.0.0.1:8080/openai/v1", api_key="unused")

for chunk in model.stream("hi"):
    for block in chunk.content_blocks:
        print(block.get("reasoning") or block.get("text") or "", end="", flush=True)
