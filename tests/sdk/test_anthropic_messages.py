"""anthropic-python on the Messages API."""

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from tests.live.upstream import Upstream
from tests.sdk.expected import ANSWER, BROKEN, PAUSES, REFUSED, SUMMARY, retries

HI: Any = [{"role": "user", "content": "hi"}]
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}
ASKED: Any = {"model": "default@tps=0", "max_tokens": 4096, "messages": HI, "thinking": THINKING}


@pytest.fixture(scope="module")
def client(connect: Callable[..., Any], gateway_url: str) -> Anthropic:
    return connect(Anthropic, gateway_url)


def tool_of(schema: dict[str, Any]) -> Any:
    return {"name": "get_weather", "input_schema": schema}


def texts(message: Any) -> list[tuple[str, str]]:
    """Type and text of each block."""
    return [(block.type, getattr(block, block.type)) for block in message.content]


def test_iterating_gives_thinking_and_then_text(client: Anthropic) -> None:
    deltas = [
        (event.index, event.delta)
        for event in client.messages.create(**ASKED, stream=True)
        if event.type == "content_block_delta"
    ]
    kinds = [delta.type for _, delta in deltas]
    assert kinds.index("text_delta") > max(
        at for at, kind in enumerate(kinds) if kind == "thinking_delta"
    )
    said = ["", "", ""]
    for index, delta in deltas:
        said[index] += getattr(delta, "thinking", "") + getattr(delta, "text", "")
    assert said == ["hi\n\n", f"{SUMMARY}\n\n", ANSWER]


def test_the_stream_helper_collects_the_final_message(client: Anthropic) -> None:
    with client.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == ANSWER
        message = stream.get_final_message()
    thinking = [("thinking", "hi\n\n"), ("thinking", f"{SUMMARY}\n\n")]
    assert texts(message) == [*thinking, ("text", ANSWER)]
    assert all(block.signature for block in message.content[:2])
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == 23


def test_heartbeats_do_not_change_the_answer(connect: Callable[..., Any], always_url: str) -> None:
    client = connect(Anthropic, always_url)
    with client.messages.stream(**{**ASKED, "model": PAUSES}) as stream:
        assert stream.get_final_text() == ANSWER


def test_a_non_streamed_answer_has_the_same_blocks(client: Anthropic) -> None:
    message = client.messages.create(**ASKED)
    assert [(kind, text.strip()) for kind, text in texts(message)] == [
        ("thinking", "hi"),
        ("thinking", SUMMARY),
        ("text", ANSWER),
    ]
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 23)


def test_thinking_is_sent_only_on_request(client: Anthropic) -> None:
    message = client.messages.create(**{**ASKED, "thinking": {"type": "disabled"}})
    assert texts(message) == [("text", ANSWER)]
    with client.messages.stream(model="default@tps=0", max_tokens=99, messages=HI) as stream:
        assert texts(stream.get_final_message()) == [("text", ANSWER)]


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_tool_is_called_and_its_result_is_answered(
    client: Anthropic, weather: dict[str, Any], streamed: bool
) -> None:
    asked = {**ASKED, "model": "tool-call@tps=0", "tools": [tool_of(weather)]}
    if streamed:
        with client.messages.stream(**asked) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**asked)
    call = message.content[-1]
    assert (message.stop_reason, call.name) == ("tool_use", "get_weather")
    assert call.input == {"location": "Paris", "unit": "celsius"}

    result = {"type": "tool_result", "tool_use_id": call.id, "content": "4"}
    asked["messages"] = [
        *HI,
        {"role": "assistant", "content": message.content},  # with its thinking blocks
        {"role": "user", "content": [result]},
    ]
    assert texts(client.messages.create(**asked))[-1] == ("text", "It says: 4")


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_two_interleaved_calls_are_two_blocks(
    client: Anthropic, weather: dict[str, Any], streamed: bool
) -> None:
    asked = {**ASKED, "model": "tool-calls@tps=0", "tools": [tool_of(weather)]}
    if streamed:
        with client.messages.stream(**asked) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**asked)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"location": "Paris", "unit": "celsius"}] * 2
    assert len({call.id for call in calls}) == 2


def test_two_interleaved_calls_get_the_right_arguments(
    client: Anthropic, weather: dict[str, Any]
) -> None:
    asked = {**ASKED, "model": "tool-calls@tps=0", "tools": [tool_of(weather)]}
    with client.messages.stream(**asked) as stream:
        *_, first, second = stream.get_final_message().content
    assert first.input == second.input == {"location": "Paris", "unit": "celsius"}


def test_max_tokens_is_the_stop_reason_of_a_truncated_answer(client: Anthropic) -> None:
    with client.messages.stream(**{**ASKED, "max_tokens": 20}) as stream:
        assert stream.get_final_message().stop_reason == "max_tokens"


@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_stream_raises(client: Anthropic, model: str) -> None:
    asked = {**ASKED, "model": f"{model}@tps=0"}
    with pytest.raises(anthropic.APIStatusError, match=BROKEN[model]):
        list(client.messages.create(**asked, stream=True))
    helper = client.messages.stream(**asked)
    with helper as stream, pytest.raises(anthropic.APIStatusError, match=BROKEN[model]):
        stream.get_final_message()


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_raises_the_exception_of_its_status(
    client: Anthropic, model: str, streamed: bool
) -> None:
    name, status, words = REFUSED[model]
    with pytest.raises(getattr(anthropic, name), match=words) as raised:
        client.messages.create(**{**ASKED, "model": model}, stream=streamed)
    assert raised.value.status_code == status
    assert raised.value.request_id


def test_a_bad_request_names_the_path_of_the_fault(client: Anthropic) -> None:
    asked = {**ASKED, "messages": [{"role": "user", "content": [{"type": "text"}]}]}
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.0"):
        client.messages.create(**asked)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_rate_limit_is_retried(
    connect: Callable[..., Any], counted_url: str, streamed: bool
) -> None:
    client = connect(Anthropic, counted_url, retries=1)
    with pytest.raises(anthropic.RateLimitError, match="Slow down") as raised:
        client.messages.create(**{**ASKED, "model": "always-busy"}, stream=streamed)
    assert retries(raised.value) == 1


def test_a_request_is_not_retried_once_the_model_has_run(
    connect: Callable[..., Any], counted_url: str, upstream: Upstream
) -> None:
    client = connect(Anthropic, counted_url, retries=2)
    before = upstream.requests_for("breaks-off")
    with pytest.raises(anthropic.InternalServerError, match="broke off"):
        client.messages.create(**{**ASKED, "model": "breaks-off"})
    assert upstream.requests_for("breaks-off") == before + 1


def test_count_tokens_returns_an_estimate(client: Anthropic) -> None:
    counted = client.messages.count_tokens(model="default", messages=HI, system="Be kind.")
    assert counted.input_tokens > 0


def test_the_models_are_listed(client: Anthropic) -> None:
    assert "default" in [model.id for model in client.models.list()]


def test_concurrent_streams_get_their_own_answers(gateway_url: str) -> None:
    async def one(client: AsyncAnthropic) -> str:
        async with client.messages.stream(**ASKED) as stream:
            return await stream.get_final_text()

    async def all_of_them() -> list[str]:
        async with AsyncAnthropic(base_url=gateway_url, api_key="unused") as client:
            return await asyncio.gather(*[one(client) for _ in range(10)])

    assert asyncio.run(all_of_them()) == [ANSWER] * 10
