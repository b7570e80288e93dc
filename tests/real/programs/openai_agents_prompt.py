"""One prompt of an agent on openai-agents: python … URL MODEL SESSION PROMPT."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from agents import Agent, ModelSettings, OpenAIResponsesModel, Runner, function_tool
from agents import set_tracing_disabled as disable_tracing
from openai import APIError, AsyncOpenAI
from openai.types.shared import Reasoning


@function_tool
def shell(command: str) -> str:
    """Runs a shell command and returns what it prints."""
    result = subprocess.run(command, shell=True, capture_output=True, text=True).stdout
    print(f"$ {command}\n{result}", flush=True)
    return result


async def main(url: str, model: str, session: Path, prompt: str) -> None:
    """Streams the answer to the prompt, and keeps the conversation in a file."""
    disable_tracing(True)
    client = AsyncOpenAI(base_url=f"{url}/v1", api_key="unused")
    agent = Agent(
        name="agent",
        instructions="You have a shell.",
        model=OpenAIResponsesModel(model=model, openai_client=client),
        model_settings=ModelSettings(
            store=False,
            reasoning=Reasoning(summary="auto"),
            response_include=["reasoning.encrypted_content"],
        ),
        tools=[shell],
    )
    before = json.loads(session.read_text()) if session.exists() else []
    run = Runner.run_streamed(agent, [*before, {"role": "user", "content": prompt}])
    shown = ("response.reasoning_summary_text.delta", "response.output_text.delta")
    try:
        async for event in run.stream_events():
            if event.type == "raw_response_event" and event.data.type in shown:
                print(event.data.delta, end="", flush=True)
    except APIError as error:
        sys.exit(f"\n{type(error).__name__}: {error}")
    finally:
        session.write_text(json.dumps(run.to_input_list(mode="preserve_all")))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3]), sys.argv[4]))
