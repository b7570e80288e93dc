"""LangChain: its DeepSeek package reads the reasoning of the chat API, its OpenAI package that of
the Responses API."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from langchain_deepseek import ChatDeepSeek
from langchain_openai import ChatOpenAI

from tests.sdk.expected import ANSWER, BROKEN, REFUSED, SUMMARY

STREAMED = f"hi\n\n{SUMMARY}\n\n"


def chat(gateway_url: str, name: str) -> ChatDeepSeek:
    url = f"{gateway_url}/openai/v1"
    return ChatDeepSeek(model=name, api_base=url, api_key="unused", max_retries=0)


def responses(gateway_url: str, name: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=name,
        base_url=f"{gateway_url}/v1",
        api_key="unused",
        use_responses_api=True,
        output_version="responses/v1",
        reasoning={"summary": "auto"},
        max_retries=0,
    )


Model = Callable[..., ChatDeepSeek | ChatOpenAI]


@pytest.fixture(scope="module", params=[chat, responses], ids=["chat", "responses"])
def model(gateway_url: str, request: pytest.FixtureRequest) -> Iterator[Model]:
    """Makes chat models. They share their connections, which are closed in the end."""
    made = []

    def make(name: str = "default@tps=0") -> ChatDeepSeek | ChatOpenAI:
        made.append(request.param(gateway_url, name))
        return made[-1]

    yield make
    for each in made:
        each.root_client.close()


def said(message: Any) -> tuple[str, str]:
    """A message's reasoning and its text."""
    blocks = message.content_blocks
    return (
        "".join(block.get("reasoning", "") for block in blocks),
        "".join(block.get("text", "") for block in blocks),
    )


def test_reasoning_streams_before_the_text(model: Model) -> None:
    chunks = [said(chunk) for chunk in model().stream("hi")]
    reasoning, text = ("".join(parts) for parts in zip(*chunks, strict=True))
    assert (reasoning, text) == (STREAMED, ANSWER)
    last_thought = max(i for i, (reasoning, _) in enumerate(chunks) if reasoning)
    assert last_thought < min(i for i, (_, text) in enumerate(chunks) if text)


def test_a_non_streamed_answer_has_reasoning_and_text(model: Model) -> None:
    message = model().invoke("hi")
    reasoning, text = said(message)
    assert reasoning in (SUMMARY, STREAMED)  # the Responses API has the prompt summary too
    assert text == ANSWER
    assert message.usage_metadata["total_tokens"] == 24


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_tool_is_called(model: Model, weather: dict[str, Any], streamed: bool) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": weather}}
    bound = model("tool-call@tps=0").bind_tools([tool])
    if streamed:
        first, *rest = bound.stream("hi")
        message = sum(rest, first)
    else:
        message = bound.invoke("hi")
    [call] = message.tool_calls
    assert call["name"] == "get_weather"
    assert call["args"] == {"location": "Paris", "unit": "celsius"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_stream_raises(model: Model, name: str) -> None:
    with pytest.raises(openai.APIError, match=BROKEN[name]):
        list(model(f"{name}@tps=0").stream("hi"))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_raises_the_exception_of_its_status(model: Model, name: str) -> None:
    kind, status, words = REFUSED[name]
    with pytest.raises(getattr(openai, kind), match=words) as raised:
        model(name).invoke("hi")
    assert raised.value.status_code == status
