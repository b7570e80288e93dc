"""LangChain's package for Ollama: the summaries are its reasoning blocks."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_ollama import ChatOllama
from ollama import ResponseError

from tests.sdk.expected import ANSWER, BROKEN, REFUSED, SUMMARY

pytestmark = pytest.mark.usefixtures("close_clients")

THINKING = f"hi\n\n{SUMMARY}\n\n"


def model(gateway_url: str, name: str = "default@tps=0") -> ChatOllama:
    return ChatOllama(model=name, base_url=gateway_url, reasoning=True)


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
    assert (reasoning, text) == (THINKING, ANSWER)
    last_thought = max(i for i, (reasoning, _) in enumerate(chunks) if reasoning)
    assert last_thought < min(i for i, (_, text) in enumerate(chunks) if text)


def test_an_answer_in_one_piece(gateway_url: str) -> None:
    message = model(gateway_url).invoke("hi")
    assert said(message) == (THINKING, ANSWER)
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] == 23


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_tool_is_called_and_its_result_is_answered(
    gateway_url: str, weather: dict[str, Any], streamed: bool
) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": weather}}
    bound = model(gateway_url, "tool-call@tps=0").bind_tools([tool])
    message: Any
    if streamed:
        first, *rest = bound.stream("hi")
        message = sum(rest, first)
    else:
        message = bound.invoke("hi")
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"location": "Paris", "unit": "celsius"})
    asked = AIMessage(content=message.content, tool_calls=message.tool_calls)
    turn = [HumanMessage("hi"), asked, ToolMessage("4", tool_call_id=call["id"])]
    assert said(bound.invoke(turn))[1] == "It says: 4"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_raises(gateway_url: str, name: str) -> None:
    with pytest.raises(ResponseError, match=BROKEN[name]):
        list(model(gateway_url, f"{name}@tps=0").stream("hi"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_has_its_status_and_words(gateway_url: str, name: str) -> None:
    _, status, words = REFUSED[name]
    with pytest.raises(ResponseError, match=words) as raised:
        model(gateway_url, name).invoke("hi")
    assert raised.value.status_code == status
