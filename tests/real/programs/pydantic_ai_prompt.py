"""One prompt of an agent on pydantic-ai: python … URL MODEL SESSION PROMPT."""

import asyncio
import subprocess
import sys
from pathlib import Path

from pydantic_ai import (
    Agent,
    AgentRunError,
    ModelMessagesTypeAdapter,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    capture_run_messages,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def shell(command: str) -> str:
    """Runs a shell command and returns what it prints."""
    result = subprocess.run(command, shell=True, capture_output=True, text=True).stdout
    print(f"$ {command}\n{result}", flush=True)
    return result


async def main(url: str, model: str, session: Path, prompt: str) -> None:
    """Streams the answer to the prompt, and keeps the conversation in a file."""
    provider = OpenAIProvider(base_url=f"{url}/openai/v1", api_key="unused")
    chat_model = OpenAIChatModel(model, provider=provider)
    agent = Agent(chat_model, instructions="You have a shell.", tools=[shell])
    before = ModelMessagesTypeAdapter.validate_json(
        session.read_bytes() if session.exists() else "[]"
    )
    with capture_run_messages() as messages:
        try:
            async with agent.run_stream_events(prompt, message_history=before) as events:
                async for event in events:
                    match event:
                        case PartStartEvent(part=TextPart(text) | ThinkingPart(text)):
                            print(text, end="", flush=True)
                        case PartDeltaEvent(
                            delta=TextPartDelta(text) | ThinkingPartDelta(content_delta=str(text))
                        ):
                            print(text, end="", flush=True)
        except AgentRunError as error:
            sys.exit(f"\n{type(error).__name__}: {error}")
        finally:
            session.write_bytes(ModelMessagesTypeAdapter.dump_json(messages))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3]), sys.argv[4]))
