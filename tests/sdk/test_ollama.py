"""ollama-python, and LangChain's package over it, on Ollama's API."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from ollama import Client, ResponseError

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.sdk.expected import ANSWER, BROKEN, KEY, PAUSES, REFUSED, SUMMARY

MODEL = "default@tps=0"
HI = [{"role": "user", "content": "hi"}]
THINKING = f"hi\n\n{SUMMARY}\n\n"
TOOL_MODEL = "tool-call@tps=0"


Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def connect_ollama() -> Iterator[Connect]:
    """Makes clients. ollama-python 0.5 has no public method that closes one."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> Client:
            made = Client(host=url, **options)
            stack.callback(made._client.close)
            return made

        yield make


@pytest.fixture(scope="module")
def client(connect_ollama: Connect, gateway_url: str) -> Client:
    return connect_ollama(gateway_url)


@pytest.fixture
def tool(weather: dict[str, Any]) -> dict[str, Any]:
    del weather["additionalProperties"]  # the package's type of a tool leaves it out
    function = {"name": "get_weather", "description": "", "parameters": weather}
    return {"type": "function", "function": function}


def said(chunks: Iterator[Any]) -> tuple[str, str]:
    """The thinking and the text of a chat's chunks."""
    messages = [chunk.message for chunk in chunks]
    thinking = "".join(message.thinking or "" for message in messages)
    return thinking, "".join(message.content or "" for message in messages)


@pytest.mark.parametrize("think", [None, True, "high"])
def test_a_chat_streams_the_summaries_and_then_the_answer(client: Client, think: Any) -> None:
    chunks = list(client.chat(MODEL, HI, stream=True, think=think))
    assert said(iter(chunks)) == (THINKING, ANSWER)
    last_thought = max(at for at, chunk in enumerate(chunks) if chunk.message.thinking)
    assert last_thought < min(at for at, chunk in enumerate(chunks) if chunk.message.content)
    end = chunks[-1]
    assert (end.done, end.done_reason, end.eval_count) == (True, "stop", 23)
    assert end.total_duration is not None


def test_think_false_shows_the_answer_alone(client: Client) -> None:
    assert said(client.chat(MODEL, HI, stream=True, think=False)) == ("", ANSWER)


def test_a_chat_in_one_piece(client: Client) -> None:
    answer = client.chat(MODEL, HI, options={"temperature": 0.5, "num_ctx": 99}, keep_alive="5m")
    assert (answer.message.thinking, answer.message.content) == (THINKING, ANSWER)
    assert (answer.done_reason, answer.eval_count) == ("stop", 23)


def test_a_text_streamed_and_in_one_piece(client: Client) -> None:
    chunks = list(client.generate(MODEL, "hi", stream=True))
    assert "".join(chunk.thinking or "" for chunk in chunks) == THINKING
    assert "".join(chunk.response for chunk in chunks) == ANSWER
    whole = client.generate(MODEL, "hi")
    assert (whole.thinking, whole.response) == (THINKING, ANSWER)


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_is_called_and_its_result_is_answered(
    client: Client, tool: dict[str, Any], stream: bool
) -> None:
    asked = client.chat(TOOL_MODEL, HI, tools=[tool], stream=stream)
    answers = list(asked) if stream else [asked]
    [message] = [answer.message for answer in answers if answer.message.tool_calls]
    [call] = message.tool_calls
    assert call.function.name == "get_weather"
    assert call.function.arguments == {"location": "Paris", "unit": "celsius"}
    turn = [*HI, message, {"role": "tool", "content": "4", "tool_name": "get_weather"}]
    answer = client.chat(TOOL_MODEL, turn, tools=[tool])
    assert answer.message.content == "It says: 4"


def test_an_image_and_a_second_turn_are_taken(client: Client) -> None:
    first = client.chat(MODEL, HI).message
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    turn = [*HI, first, {"role": "user", "content": "hi", "images": [image]}]
    assert client.chat(MODEL, turn).message.content


def test_a_format_is_taken(client: Client, weather: dict[str, Any]) -> None:
    assert client.chat(MODEL, HI, format="json").done
    assert client.chat(MODEL, HI, format=weather).done


def test_heartbeats_are_no_part_of_the_answer(connect_ollama: Connect, always_url: str) -> None:
    stream = connect_ollama(always_url).chat(PAUSES, HI, stream=True)
    chunks = list(stream)
    assert said(iter(chunks)) == (THINKING, ANSWER)
    assert any(not c.message.content and not c.message.thinking and not c.done for c in chunks)


LINE_ENDS = "one\u0085two\u2028three\u2029four"


def test_a_text_with_odd_line_ends_arrives(
    connect_ollama: Connect, upstream: Upstream, counted_url: str
) -> None:
    upstream.set_script("line-ends", CHUNKED, *chunked([*say(LINE_ENDS), FINISH, DONE]))
    stream = connect_ollama(counted_url).chat("line-ends", HI, stream=True)
    assert said(stream)[1] == LINE_ENDS


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_off_raises(client: Client, name: str) -> None:
    with pytest.raises(ResponseError, match=BROKEN[name]):
        list(client.chat(f"{name}@tps=0", HI, stream=True))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_has_its_status_and_words(client: Client, name: str, stream: bool) -> None:
    _, status, words = REFUSED[name]
    with pytest.raises(ResponseError, match=words) as raised:
        list(client.chat(name, HI, stream=stream))
    assert raised.value.status_code == status


def test_the_models_are_listed_and_shown(client: Client) -> None:
    names = [model.model for model in client.list().models]
    assert "default:latest" in names
    shown = client.show("default")
    assert "thinking" in (shown.capabilities or ())
    assert client.ps().models


def test_a_model_is_loaded_by_a_chat_without_messages(client: Client) -> None:
    assert client.chat("default").done_reason == "load"
    assert client.generate("default", keep_alive=0).done_reason == "unload"


def test_what_is_not_offered_raises(client: Client) -> None:
    for call in (lambda: client.embed("m", "hi"), lambda: client.pull("m")):
        with pytest.raises(ResponseError, match="/api/chat") as raised:
            call()
        assert raised.value.status_code == 501


def test_a_key_is_sent_as_a_bearer_token(connect_ollama: Connect, keyed_url: str) -> None:
    with pytest.raises(ResponseError, match="Send a key") as raised:
        connect_ollama(keyed_url).chat(MODEL, HI)
    assert raised.value.status_code == 401
    client = connect_ollama(keyed_url, headers={"Authorization": f"Bearer {KEY}"})
    assert client.chat(MODEL, HI).message.content == ANSWER


def test_the_body_is_cut_after_an_error(gateway_url: str) -> None:
    """For clients that overlook the line with the error."""
    body = {"model": "error-in-stream@tps=0", "messages": HI}
    lines: list[str] = []
    with httpx.stream("POST", f"{gateway_url}/api/chat", json=body) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            lines.extend(response.iter_lines())
        assert list(json.loads(lines[-1])) == ["error"]
