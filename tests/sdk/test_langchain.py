"""LangChain, whose DeepSeek package reads the reasoning of the chat completions door."""

from typing import Any

import openai
import pytest
from langchain_deepseek import ChatDeepSeek

from tests.sdk.expected import ANSWER, BROKEN, REFUSED, SUMMARY


def model(gateway_url: str, name: str = "default@tps=0") -> ChatDeepSeek:
    return ChatDeepSeek(
        model=name, api_base=f"{gateway_url}/openai/v1", api_key="unused", max_retries=0
    )


def said(message: Any) -> tuple[str, str]:
    """A message's reasoning and its text."""
    blocks = message.content_blocks
    return (
        "".join(block.get("reasoning", "") for block in blocks),
        "".join(block.get("text", "") for block in blocks),
    )


def test_reasoning_streams_before_the_text(gateway_url: str) -> None:
    chunks = [said(chunk) for chunk in model(gateway_url).stream("hi")]
    reasoning, text = ("".join(parts) for parts in zip(*chunks, strict=True))
    assert (reasoning, text) == (f"hi\n\n{SUMMARY}\n\n", ANSWER)
    assert max(i for i, c in enumerate(chunks) if c[0]) < min(
        i for i, c in enumerate(chunks) if c[1]
    )


def test_an_answer_in_one_piece(gateway_url: str) -> None:
    message = model(gateway_url).invoke("hi")
    assert said(message) == (SUMMARY, ANSWER)
    assert message.usage_metadata["total_tokens"] == 24


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "in one piece"])
def test_a_tool_is_called(gateway_url: str, weather: dict[str, Any], streamed: bool) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": weather}}
    bound = model(gateway_url, "tool-call@tps=0").bind_tools([tool])
    if streamed:
        first, *rest = bound.stream("hi")
        message = sum(rest, first)
    else:
        message = bound.invoke("hi")
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == (
        "get_weather",
        {"location": "Paris", "unit": "celsius"},
    )


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_raises(gateway_url: str, name: str) -> None:
    with pytest.raises(openai.APIError, match=BROKEN[name]):
        list(model(gateway_url, f"{name}@tps=0").stream("hi"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_the_exception_of_its_status(gateway_url: str, name: str) -> None:
    kind, status, words = REFUSED[name]
    with pytest.raises(getattr(openai, kind), match=words) as raised:
        model(gateway_url, name).invoke("hi")
    assert raised.value.status_code == status
