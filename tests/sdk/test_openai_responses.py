"""openai-python on the Responses API."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.live.upstream import Upstream
from tests.sdk.expected import ANSWER, BROKEN, PAUSES, REFUSED, SUMMARY, retries

ASKED: Any = {"model": "default@tps=0", "input": "hi", "reasoning": {"summary": "auto"}}
SUMMARIES = ["hi\n\n", f"{SUMMARY}\n\n"]


@pytest.fixture(scope="module")
def client(connect: Callable[..., Any], gateway_url: str) -> OpenAI:
    return connect(OpenAI, f"{gateway_url}/v1")


def tool_of(schema: dict[str, Any]) -> Any:
    return {"type": "function", "name": "get_weather", "parameters": schema, "strict": True}


def test_iterating_gives_the_summaries_and_then_the_answer(client: OpenAI) -> None:
    events = list(client.responses.create(**ASKED, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    said: dict[Any, str] = {}
    for event in events:
        if event.type in ("response.reasoning_summary_text.delta", "response.output_text.delta"):
            part = getattr(event, "summary_index", "text")
            said[part] = said.get(part, "") + event.delta
    assert list(said.values()) == [*SUMMARIES, ANSWER]
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_stream_helper_collects_the_final_response(client: OpenAI) -> None:
    with client.responses.stream(**ASKED) as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        response = stream.get_final_response()
    reasoning, message = response.output
    assert (text, response.output_text) == (ANSWER, ANSWER)
    assert [part.text for part in reasoning.summary] == SUMMARIES
    assert (message.type, response.status) == ("message", "completed")
    assert response.usage.output_tokens == 23
    assert response.usage.output_tokens_details.reasoning_tokens == 16


def test_heartbeats_do_not_change_the_answer(connect: Callable[..., Any], always_url: str) -> None:
    client = connect(OpenAI, f"{always_url}/v1")
    with client.responses.stream(**{**ASKED, "model": PAUSES}) as stream:
        assert stream.get_final_response().output_text == ANSWER


def test_a_non_streamed_answer_has_summary_and_answer(client: OpenAI) -> None:
    response = client.responses.create(**ASKED)
    assert response.output_text == ANSWER
    assert [part.text.strip() for part in response.output[0].summary] == ["hi", SUMMARY]
    assert response.usage.total_tokens == 24


def test_a_summary_is_sent_only_on_request(client: OpenAI) -> None:
    response = client.responses.create(model="default@tps=0", input="hi")
    assert [item.type for item in response.output] == ["message"]


def test_the_trace_is_reasoning_text(client: OpenAI) -> None:
    raw = {"gateway": {"reasoning": "raw"}}
    with client.responses.stream(**ASKED, extra_body=raw) as stream:
        response = stream.get_final_response()
    [content] = response.output[0].content
    assert (content.type, content.text.strip()) == ("reasoning_text", SUMMARY)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_tool_is_called_and_its_result_is_answered(
    client: OpenAI, weather: dict[str, Any], streamed: bool
) -> None:
    asked = {**ASKED, "model": "tool-call@tps=0", "tools": [tool_of(weather)]}
    if streamed:
        with client.responses.stream(**asked) as stream:
            response = stream.get_final_response()
    else:
        response = client.responses.create(**asked)
    call = response.output[-1]
    assert (call.type, call.name) == ("function_call", "get_weather")
    assert json.loads(call.arguments) == {"location": "Paris", "unit": "celsius"}

    asked["input"] = [
        {"role": "user", "content": "hi"},
        *response.output,  # with its reasoning
        {"type": "function_call_output", "call_id": call.call_id, "output": "4"},
    ]
    assert client.responses.create(**asked).output_text == "It says: 4"


def test_two_interleaved_calls_get_the_right_arguments(
    client: OpenAI, weather: dict[str, Any]
) -> None:
    asked = {**ASKED, "model": "tool-calls@tps=0", "tools": [tool_of(weather)]}
    with client.responses.stream(**asked) as stream:
        _, *calls = stream.get_final_response().output
    arguments = [json.loads(call.arguments) for call in calls]
    assert arguments == [{"location": "Paris", "unit": "celsius"}] * 2


def test_a_truncated_response_is_incomplete(client: OpenAI) -> None:
    response = client.responses.create(**ASKED, max_output_tokens=20)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    *_, last = client.responses.create(**ASKED, max_output_tokens=20, stream=True)
    assert last.type == "response.incomplete"


@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_stream_raises(client: OpenAI, model: str) -> None:
    asked = {**ASKED, "model": f"{model}@tps=0"}
    with pytest.raises(openai.APIError, match=BROKEN[model]):
        list(client.responses.create(**asked, stream=True))
    helper = client.responses.stream(**asked)
    with helper as stream, pytest.raises(openai.APIError, match=BROKEN[model]):
        stream.get_final_response()


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_raises_the_exception_of_its_status(
    client: OpenAI, model: str, streamed: bool
) -> None:
    name, status, words = REFUSED[model]
    with pytest.raises(getattr(openai, name), match=words) as raised:
        client.responses.create(**{**ASKED, "model": model}, stream=streamed)
    assert raised.value.status_code == status
    assert raised.value.request_id


def test_a_background_response_is_followed_from_any_event(client: OpenAI) -> None:
    slow = {**ASKED, "model": "default@tps=100", "background": True}
    queued = client.responses.create(**slow)
    assert queued.status == "queued"
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(queued.id, stream=True)
    events = list(client.responses.create(**slow, stream=True))
    id = events[0].response.id
    assert (events[0].response.status, events[-1].type) == ("queued", "response.completed")
    later = list(client.responses.retrieve(id, stream=True, starting_after=5))
    assert [event.sequence_number for event in later] == list(range(6, len(events)))
    assert client.responses.retrieve(id).output_text == ANSWER
    assert client.responses.retrieve(queued.id).output_text == ANSWER
    client.responses.delete(id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(id)


def test_a_background_response_is_cancelled(client: OpenAI) -> None:
    asked = {**ASKED, "model": "long-thinking", "background": True}
    id = client.responses.create(**asked).id
    with pytest.raises(openai.BadRequestError, match="in-flight"):
        client.responses.delete(id)
    for _ in range(2):
        cancelled = client.responses.cancel(id)
        assert (cancelled.status, cancelled.output) == ("cancelled", [])


def test_a_conversation_goes_on_by_the_id_of_a_response(client: OpenAI) -> None:
    first = client.responses.create(**ASKED)
    second = client.responses.create(**{**ASKED, "input": "hi"}, previous_response_id=first.id)
    assert second.previous_response_id == first.id
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message", "reasoning", "message", "message"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"previous_response_id": "resp_1"}, openai.NotFoundError),
        ({"conversation": "conv_1"}, openai.BadRequestError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_unsupported_parameter_is_named(
    client: OpenAI, more: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as raised:
        client.responses.create(**ASKED, **more)
    assert raised.value.param == next(iter(more))


def test_a_response_cannot_be_retrieved(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1")


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_rate_limit_is_retried(
    connect: Callable[..., Any], counted_url: str, streamed: bool
) -> None:
    client = connect(OpenAI, f"{counted_url}/v1", retries=1)
    with pytest.raises(openai.RateLimitError, match="Slow down") as raised:
        client.responses.create(**{**ASKED, "model": "always-busy"}, stream=streamed)
    assert retries(raised.value) == 1


def test_a_request_is_not_retried_once_the_model_has_run(
    connect: Callable[..., Any], counted_url: str, upstream: Upstream
) -> None:
    client = connect(OpenAI, f"{counted_url}/v1", retries=2)
    before = upstream.requests_for("breaks-off")
    with pytest.raises(openai.InternalServerError, match="broke off"):
        client.responses.create(**{**ASKED, "model": "breaks-off"})
    assert upstream.requests_for("breaks-off") == before + 1


def test_concurrent_streams_get_their_own_answers(gateway_url: str) -> None:
    async def one(client: AsyncOpenAI) -> str:
        async with client.responses.stream(**ASKED) as stream:
            return (await stream.get_final_response()).output_text

    async def all_of_them() -> list[str]:
        async with AsyncOpenAI(base_url=f"{gateway_url}/v1", api_key="unused") as client:
            return await asyncio.gather(*[one(client) for _ in range(10)])

    assert asyncio.run(all_of_them()) == [ANSWER] * 10
