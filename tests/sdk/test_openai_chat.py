"""openai-python on the chat completions API."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.live.upstream import Upstream
from tests.sdk.expected import ANSWER, BROKEN, PAUSES, REFUSED, SUMMARY, retries

HI: Any = [{"role": "user", "content": "hi"}]
MODEL = "default@tps=0"


@pytest.fixture(scope="module")
def client(connect: Callable[..., Any], gateway_url: str) -> OpenAI:
    return connect(OpenAI, f"{gateway_url}/openai/v1")


def tool_of(schema: dict[str, Any]) -> Any:
    function = {"name": "get_weather", "parameters": schema, "strict": True}
    return {"type": "function", "function": function}


def test_iterating_gives_the_summaries_and_then_the_answer(client: OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    deltas = [chunk.choices[0].delta.to_dict() for chunk in stream]
    thinking = [d["reasoning_content"] for d in deltas if "reasoning_content" in d]
    assert thinking == ["hi\n\n", f"{SUMMARY}\n\n"]
    assert "".join(d.get("content") or "" for d in deltas) == ANSWER
    assert deltas[0]["role"] == "assistant"
    assert not any(d.get("content") and "reasoning" in d for d in deltas)


def test_usage_is_in_a_last_chunk_only_on_request(client: OpenAI) -> None:
    asked: Any = {"model": MODEL, "messages": HI, "stream": True}
    assert not any(chunk.usage for chunk in client.chat.completions.create(**asked))
    asked["stream_options"] = {"include_usage": True}
    *_, last = client.chat.completions.create(**asked)
    assert last.choices == []
    assert last.usage.completion_tokens == 23
    assert last.usage.completion_tokens_details.reasoning_tokens == 16


def test_the_stream_helper_collects_the_final_completion(client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=HI) as stream:
        kinds = {event.type for event in stream}
    [choice] = stream.get_final_completion().choices
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert choice.finish_reason == "stop"
    assert choice.message.content == ANSWER
    assert choice.message.reasoning_content == f"hi\n\n{SUMMARY}\n\n"


def test_heartbeats_do_not_change_the_answer(connect: Callable[..., Any], always_url: str) -> None:
    client = connect(OpenAI, f"{always_url}/openai/v1")
    with client.chat.completions.stream(model=PAUSES, messages=HI) as stream:
        [choice] = stream.get_final_completion().choices
    assert choice.message.content == ANSWER


def test_a_non_streamed_answer_has_summary_and_answer(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=HI)
    [choice] = completion.choices
    assert choice.message.content == ANSWER
    assert choice.message.reasoning_content == SUMMARY
    assert choice.finish_reason == "stop"
    assert completion.usage.total_tokens == 24


def test_a_tool_is_called_and_its_result_is_answered(
    client: OpenAI, weather: dict[str, Any]
) -> None:
    asked: Any = {"model": "tool-call@tps=0", "tools": [tool_of(weather)], "messages": [*HI]}
    with client.chat.completions.stream(**asked) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
    [choice] = stream.get_final_completion().choices
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    assert (done[0].name, call.function.name) == ("get_weather", "get_weather")
    assert json.loads(call.function.arguments) == {"location": "Paris", "unit": "celsius"}

    asked["messages"] += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "4"}]
    answer = client.chat.completions.create(**asked).choices[0].message
    assert answer.content == "It says: 4"


def test_a_non_streamed_tool_call_is_complete(client: OpenAI, weather: dict[str, Any]) -> None:
    completion = client.chat.completions.create(
        model="tool-call@tps=0", messages=HI, tools=[tool_of(weather)]
    )
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert json.loads(choice.message.tool_calls[0].function.arguments)["location"] == "Paris"


def test_two_interleaved_calls_get_the_right_arguments(
    client: OpenAI, weather: dict[str, Any]
) -> None:
    tool = tool_of(weather)
    del tool["function"]["strict"]  # with it, the SDK parses a call as soon as another one begins
    asked: Any = {"model": "tool-calls@tps=0", "tools": [tool], "messages": HI}
    with client.chat.completions.stream(**asked) as stream:
        [choice] = stream.get_final_completion().choices
    arguments = [json.loads(call.function.arguments) for call in choice.message.tool_calls]
    assert arguments == [{"location": "Paris", "unit": "celsius"}] * 2


@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_stream_raises(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(model=f"{model}@tps=0", messages=HI, stream=True)
    with pytest.raises(openai.APIError, match=BROKEN[model]):
        list(stream)
    helper = client.chat.completions.stream(model=f"{model}@tps=0", messages=HI)
    with helper as stream, pytest.raises(openai.APIError, match=BROKEN[model]):
        stream.get_final_completion()


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_raises_the_exception_of_its_status(
    client: OpenAI, model: str, streamed: bool
) -> None:
    name, status, words = REFUSED[model]
    with pytest.raises(getattr(openai, name), match=words) as raised:
        client.chat.completions.create(model=model, messages=HI, stream=streamed)
    assert raised.value.status_code == status
    assert raised.value.request_id


def test_a_bad_request_names_the_path_of_the_fault(client: OpenAI) -> None:
    wrong: Any = [{"role": 1, "content": "hi"}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=wrong, stream=True)
    assert raised.value.param == "messages[0].role"
    with pytest.raises(openai.NotFoundError):
        client.get("/nowhere", cast_to=object)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "non-streamed"])
def test_a_rate_limit_is_retried(
    connect: Callable[..., Any], counted_url: str, streamed: bool
) -> None:
    client = connect(OpenAI, f"{counted_url}/openai/v1", retries=1)
    with pytest.raises(openai.RateLimitError, match="Slow down") as raised:
        client.chat.completions.create(model="always-busy", messages=HI, stream=streamed)
    assert raised.value.response.headers["Retry-After"] == "1"
    assert retries(raised.value) == 1


def test_a_retry_can_succeed(
    connect: Callable[..., Any], counted_url: str, upstream: Upstream
) -> None:
    client = connect(OpenAI, f"{counted_url}/openai/v1", retries=1)
    completion = client.chat.completions.create(model="busy-once", messages=HI)
    assert completion.choices[0].message.content == "Welcome."
    assert upstream.requests_for("busy-once") == 2


def test_a_request_is_not_retried_once_the_model_has_run(
    connect: Callable[..., Any], counted_url: str, upstream: Upstream
) -> None:
    client = connect(OpenAI, f"{counted_url}/openai/v1", retries=2)
    before = upstream.requests_for("breaks-off")
    with pytest.raises(openai.InternalServerError, match="broke off"):
        client.chat.completions.create(model="breaks-off", messages=HI)
    assert upstream.requests_for("breaks-off") == before + 1


@pytest.mark.parametrize("path", ["/v1", "/phased/v1"])
def test_the_phased_format_reads_as_one_text(
    connect: Callable[..., Any], gateway_url: str, path: str
) -> None:
    client = connect(OpenAI, f"{gateway_url}{path}")
    stream = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == f"[Prompt Summary] hi\n\n[Reasoning Summary] {SUMMARY}\n\n{ANSWER}"


def test_the_gateways_options_can_be_sent_in_extra_body(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=HI, extra_body={"gateway": {"reasoning": "none"}}
    )
    assert not hasattr(completion.choices[0].message, "reasoning_content")


def test_the_models_are_listed(client: OpenAI) -> None:
    assert "default" in [model.id for model in client.models.list()]


def test_concurrent_streams_get_their_own_answers(gateway_url: str) -> None:
    async def one(client: AsyncOpenAI) -> str:
        stream = await client.chat.completions.create(model=MODEL, messages=HI, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def all_of_them() -> list[str]:
        async with AsyncOpenAI(base_url=f"{gateway_url}/openai/v1", api_key="unused") as client:
            return await asyncio.gather(*[one(client) for _ in range(10)])

    assert asyncio.run(all_of_them()) == [ANSWER] * 10
