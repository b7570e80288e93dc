"""Thinking that is ended by request or by a budget, through the whole gateway."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event
import pytest
import responses
from flask.testing import FlaskClient

from gateway.config import KeyConfig, ModelConfig, UpstreamConfig
from gateway.core.continuation import closing_sentence
from tests.core.scripted import DONE, FINISH, contents, delta
from tests.web.conftest import sse, typed_events
from tests.web.test_api import ask

MakeClient = Callable[..., FlaskClient]
Mock = responses.RequestsMock
URL = "http://a.test/v1/chat/completions"
SENTENCE = closing_sentence("m")
THOUGHT = "I count the words. I do it twice."
ANSWER = sse(*contents("It ", "is four."), FINISH, DONE)


def thinks(*texts: str) -> list[dict[str, Any]]:
    return [{"id": "chatcmpl-1", **delta(reasoning_content=text)} for text in texts]


class Pausing(io.RawIOBase):
    """A body that stops after its first part until it is told to go on."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self.goes_on = gevent.event.Event()
        self.is_waiting = gevent.event.Event()
        self._pieces: Iterator[bytes] = iter([first, rest])
        self._waits = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._waits:
            self.is_waiting.set()
            self.goes_on.wait(10)
        self._waits = True
        piece = next(self._pieces, b"")
        buffer[: len(piece)] = piece
        return len(piece)


def pauses(upstream: Mock, first: bytes, rest: bytes = b"") -> Pausing:
    body = Pausing(first, rest)
    upstream.post(URL, body=io.BufferedReader(body), content_type="text/event-stream")
    return body


def answers(upstream: Mock, body: bytes = ANSWER, **options: Any) -> None:
    upstream.post(URL, body=body, content_type="text/event-stream", **options)


def of_kind(kind: str | None, **settings: Any) -> dict[str, Any]:
    one = UpstreamConfig(name="a", url="http://a.test", kind=kind, **settings)  # type: ignore[arg-type]
    return {"upstreams": (one,)}


def bodies(upstream: Mock) -> list[dict[str, Any]]:
    return [json.loads(call.request.body) for call in upstream.calls if call.request.body]


class Stream:
    """A streamed answer in the format events, read in the background."""

    def __init__(self, client: FlaskClient, **body: Any) -> None:
        options = {"format": "events", "reasoning": "both"}
        messages = [{"role": "user", "content": "How many?"}]
        body = {"gateway": options, "model": "m", "messages": messages, "stream": True, **body}
        response = client.post("/v1/chat/completions", json=body)
        self.id = response.headers["X-Stream-Id"]
        self._parts: list[bytes] = []
        self._reader = gevent.spawn(lambda: self._parts.extend(response.iter_encoded()))

    def events(self) -> list[tuple[str, Any]]:
        """All events, once the stream has ended."""
        self._reader.join(10)
        assert self._reader.ready(), "the stream goes on"
        named = []
        for block in b"".join(self._parts).decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            named.append((fields["event"], json.loads(fields["data"])))
        return named


def text(found: list[tuple[str, Any]], name: str) -> str:
    return "".join(data["text"] for event, data in found if event == name)


def answer_now(client: FlaskClient, id: str, **headers: str) -> Any:
    return client.post(f"/v1/streams/{id}/answer", headers=headers)


# --- By request -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "members", "field"),
    [
        ("vllm", {"continue_final_message": True, "add_generation_prompt": False}, "reasoning"),
        ("sglang", {"continue_final_message": True}, "reasoning_content"),
        ("llama.cpp", {"continue_final_message": "content"}, "reasoning_content"),
        ("ollama", {}, "reasoning"),
        ("deepseek", {}, "reasoning_content"),
    ],
)
def test_a_stream_goes_on_with_its_answer_by_prefill(
    make_client: MakeClient, upstream: Mock, kind: str, members: dict[str, Any], field: str
) -> None:
    client = make_client(**of_kind(kind))
    upstream.post(f"{URL}/control", json={"success": False, "message": "no active completion"})
    body = pauses(upstream, sse(*thinks(THOUGHT, " And")))
    if kind == "deepseek":
        upstream.post(
            "http://a.test/beta/chat/completions", body=ANSWER, content_type="text/event-stream"
        )
    else:
        answers(upstream)
    stream = Stream(client, max_tokens=1000, temperature=0.5)
    body.is_waiting.wait(10)
    response = answer_now(client, stream.id)
    assert (response.status_code, response.get_json()["status"]) == (202, "answering")
    found = stream.events()
    assert text(found, "reasoning_delta") == f"{THOUGHT} And{SENTENCE}"
    assert text(found, "final_output_delta") == "It is four."
    assert found[-1][0] == "done"
    assert found[-1][1]["thinking_ended"] == "request"
    assert found[-1][1]["timings"]["answer_forced_ms"] is not None
    second = bodies(upstream)[-1]
    assert second["temperature"] == 0.5
    assert second["max_tokens"] == 990  # the frames are long, so their bytes are counted
    assert {name: second.get(name) for name in members} == members
    assert second["messages"][-1][field] == f"{THOUGHT} {SENTENCE}".rstrip()


def test_llama_cpp_is_told_in_the_running_stream(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("llama.cpp"))
    body = pauses(upstream, sse(*thinks(THOUGHT)), ANSWER)

    def control(request: Any) -> tuple[int, dict[str, str], str]:
        assert json.loads(request.body) == {
            "id": "chatcmpl-1",
            "action": "reasoning_end",
            "model": "m",
        }
        body.goes_on.set()
        return 200, {}, '{"success": true}'

    upstream.add_callback("POST", f"{URL}/control", callback=control)
    stream = Stream(client)
    body.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    found = stream.events()
    assert text(found, "reasoning_delta") == THOUGHT
    assert text(found, "final_output_delta") == "It is four."
    assert found[-1][1]["thinking_ended"] == "request"
    assert bodies(upstream)[0]["reasoning_control"] is True
    assert len([b for b in bodies(upstream) if "messages" in b]) == 1


@pytest.mark.parametrize("kind", ["dashscope", "openrouter", "chat", None])
def test_where_no_prefill_is_possible_the_request_is_sent_again_without_thinking(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]], kind: str | None
) -> None:
    client = make_client(**of_kind(kind))
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    answers(upstream)
    stream = Stream(client)
    body.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    found = stream.events()
    assert text(found, "reasoning_delta") == THOUGHT
    assert text(found, "final_output_delta") == "It is four."
    second = bodies(upstream)[-1]
    off = {
        "dashscope": {"enable_thinking": False},
        "openrouter": {"reasoning": {"enabled": False}},
    }.get(kind or "", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}})
    assert {name: second[name] for name in off} == off
    assert second["messages"] == bodies(upstream)[0]["messages"]
    [turn] = [line for line in logged if line["event"] == "turn"]
    assert (turn["way"], turn["thinking_ended"], turn["end"]) == ("restart", "request", "done")
    assert turn["answer_forced_ms"] >= 0
    metrics = client.get("/metrics").text
    assert 'gateway_thinking_ended_total{upstream="a",way="restart",why="request"} 1.0' in metrics


def test_gpt_oss_is_asked_again_with_the_lowest_effort(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("vllm"))
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    answers(upstream)
    stream = Stream(client, model="gpt-oss-20b")
    body.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    assert text(stream.events(), "final_output_delta") == "It is four."
    assert bodies(upstream)[-1]["reasoning_effort"] == "low"


def test_a_refused_prefill_is_followed_by_a_restart_and_not_tried_again(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("vllm"))
    for attempts in (3, 2):
        body = pauses(upstream, sse(*thinks(THOUGHT)))
        if attempts == 3:
            upstream.post(URL, status=400, json={"error": {"message": "No prefill."}})
        answers(upstream)
        stream = Stream(client)
        body.is_waiting.wait(10)
        assert answer_now(client, stream.id).status_code == 202
        assert text(stream.events(), "final_output_delta") == "It is four."
        assert len(bodies(upstream)) == attempts
        upstream.calls.reset()
        upstream.reset()


def test_when_every_way_is_refused_the_stream_fails_and_later_ones_are_told(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("chat"))
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    upstream.post(URL, status=400, json={"error": {"message": "Thinking can't be turned off."}})
    stream = Stream(client)
    body.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    assert stream.events()[-1][0] == "failed"
    upstream.reset()
    body = pauses(upstream, sse(*thinks(THOUGHT)), ANSWER)
    stream = Stream(client)
    body.is_waiting.wait(10)
    refused = answer_now(client, stream.id)
    assert refused.status_code == 409
    assert refused.get_json()["error"]["code"] == "cannot_answer_now"
    body.goes_on.set()
    assert text(stream.events(), "final_output_delta") == "It is four."


@pytest.mark.parametrize("status", [500, 503])
def test_a_second_answer_that_the_upstream_cannot_give_fails_the_stream(
    make_client: MakeClient, upstream: Mock, status: int
) -> None:
    client = make_client(**of_kind("vllm"))
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    upstream.post(URL, status=status, json={"error": {"message": "Out of memory."}})
    stream = Stream(client)
    body.is_waiting.wait(10)
    answer_now(client, stream.id)
    name, data = stream.events()[-1]
    assert (name, data["error"]["message"]) == ("failed", "Out of memory.")


def test_a_model_that_answers_is_not_interrupted(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("vllm"))
    body = pauses(upstream, sse(*thinks(THOUGHT), *contents("It ")), sse(FINISH, DONE))
    stream = Stream(client)
    body.is_waiting.wait(10)
    refused = answer_now(client, stream.id)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "already_answering")
    body.goes_on.set()
    assert stream.events()[-1][0] == "done"
    assert answer_now(client, stream.id).status_code == 404


@pytest.mark.parametrize("id", ["0" * 32, "f" * 32, "nonsense", "0" * 31 + "é", "x" * 400])
def test_an_unknown_stream_is_not_found(client: FlaskClient, id: str) -> None:
    response = answer_now(client, id)
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "stream_not_found"


def test_asked_twice_the_thinking_is_ended_once(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("vllm"))
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    answers(upstream)
    stream = Stream(client)
    body.is_waiting.wait(10)
    assert [answer_now(client, stream.id).status_code for _ in range(2)] == [202, 202]
    found = stream.events()
    assert text(found, "final_output_delta") == "It is four."
    assert len(bodies(upstream)) == 2


def test_asked_again_before_the_answer_begins_is_no_conflict(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("vllm"))
    first = pauses(upstream, sse(*thinks(THOUGHT)))
    second = pauses(upstream, b": starts\n\n", sse(*contents("It is ")))
    stream = Stream(client)
    first.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    second.is_waiting.wait(10)
    assert answer_now(client, stream.id).status_code == 202
    second.goes_on.set()
    stream.events()
    assert len(bodies(upstream)) == 2


def test_a_stream_belongs_to_the_key_that_made_it(make_client: MakeClient, upstream: Mock) -> None:
    keys = (KeyConfig(name="ada", key="sk-ada"), KeyConfig(name="bob", key="sk-bob"))
    client = make_client(**of_kind("vllm"), keys=keys)
    body = pauses(upstream, sse(*thinks(THOUGHT)))
    answers(upstream)
    response = client.post(
        "/v1/chat/completions",
        json={"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
        headers={"Authorization": "Bearer sk-ada"},
    )
    id = response.headers["X-Stream-Id"]
    reading = gevent.spawn(lambda: b"".join(response.iter_encoded()))
    body.is_waiting.wait(10)
    assert answer_now(client, id).status_code == 401
    assert answer_now(client, id, Authorization="Bearer sk-bob").status_code == 404
    assert answer_now(client, id, Authorization="Bearer sk-ada").status_code == 202
    assert b"It is four." in reading.get(timeout=60)


def test_several_choices_are_not_interrupted(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("vllm"))
    body = pauses(upstream, sse(*thinks(THOUGHT)), sse(FINISH, DONE))
    stream = Stream(client, n=2, gateway={"format": "openai"})
    body.is_waiting.wait(10)
    refused = answer_now(client, stream.id)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (409, "cannot_answer_now")
    body.goes_on.set()


@pytest.mark.parametrize("format", ["phased", "openai"])
def test_the_last_chunk_of_phased_says_that_the_thinking_was_ended(
    make_client: MakeClient, upstream: Mock, format: str
) -> None:
    client = make_client(**of_kind("ollama"))
    answers(upstream, sse(*thinks(*[" word"] * 40)))
    answers(upstream)
    response = ask(client, model="m", gateway={"format": format, "thinking_budget": 1})
    last = response.text.split("\n\n")[-3].splitlines()[-1]
    shown = json.loads(last.removeprefix("data: "))
    assert shown.get("thinking_ended") == ("budget" if format == "phased" else None)
    assert "answer_forced_ms" in shown.get("timings", {}) or format == "openai"


# --- By a budget ----------------------------------------------------------------------------------


def long_thinking(words: int) -> bytes:
    return sse(*thinks(*[" word"] * words), *contents("It is late."), FINISH, DONE)


SPELLINGS: list[dict[str, Any]] = [
    {"gateway": {"format": "events", "reasoning": "raw", "thinking_budget": 100}},
    {"thinking_budget": 100},
    {"thinking_token_budget": 100},
    {"thinking_budget_tokens": 100},
    {"reasoning_budget_tokens": 100},
    {"max_thinking_tokens": 100},
    {"custom_params": {"thinking_budget": 100}},
    {"thinking": {"type": "enabled", "budget_tokens": 100}},
    {"reasoning": {"max_tokens": 100}},
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda s: "/".join(s))
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("vllm", ("thinking_token_budget",)),
        ("sglang", ("custom_params", "thinking_budget")),
        ("llama.cpp", ("thinking_budget_tokens",)),
        ("dashscope", ("thinking_budget",)),
        ("openrouter", ("reasoning", "max_tokens")),
    ],
)
def test_every_spelling_of_a_budget_reaches_the_upstream_in_its_own(
    make_client: MakeClient,
    upstream: Mock,
    kind: str,
    path: tuple[str, ...],
    spelling: dict[str, Any],
) -> None:
    client = make_client(**of_kind(kind))
    answers(upstream, long_thinking(164))
    Stream(client, **spelling).events()
    [sent] = bodies(upstream)
    found: Any = sent
    for name in path:
        found = found[name]
    assert found == 100
    assert json.dumps(sent).count("100") == 1


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama.cpp", "openrouter", "ollama", "chat"])
def test_a_budget_that_is_ignored_is_enforced(
    make_client: MakeClient, upstream: Mock, kind: str
) -> None:
    client = make_client(**of_kind(kind))
    upstream.post(f"{URL}/control", json={"success": False})
    pauses(upstream, sse(*thinks(*[" word"] * 400)))
    answers(upstream)
    found = Stream(client, thinking_budget=100).events()
    assert text(found, "final_output_delta") == "It is four."
    assert found[-1][1]["thinking_ended"] == "budget"
    assert len([b for b in bodies(upstream) if "messages" in b]) == 2


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama.cpp", "dashscope", "openrouter"])
@pytest.mark.parametrize("words", [100, 110, 164])
def test_a_server_that_keeps_a_budget_by_and_large_is_not_interrupted(
    make_client: MakeClient, upstream: Mock, kind: str, words: int
) -> None:
    client = make_client(**of_kind(kind))
    answers(upstream, long_thinking(words))
    found = Stream(client, thinking_budget=100).events()
    assert "thinking_ended" not in found[-1][1]
    assert text(found, "final_output_delta") == "It is late."


def test_a_server_that_refuses_the_budget_is_asked_without_it(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("vllm"))
    message = "thinking_token_budget is set but reasoning_config is not configured"
    upstream.post(URL, status=400, json={"error": {"message": message}})
    answers(upstream, long_thinking(90))
    found = Stream(client, thinking_budget=100).events()
    assert text(found, "final_output_delta") == "It is late."
    assert ["thinking_token_budget" in b for b in bodies(upstream)] == [True, False]
    Stream(client, thinking_budget=100).events()
    assert "thinking_token_budget" not in bodies(upstream)[-1]


def test_a_request_that_is_wrong_in_another_way_is_refused_as_ever(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**of_kind("vllm"))
    upstream.post(URL, status=400, json={"error": {"message": "Too long."}})
    response = ask(client, model="m", stream=False, thinking_budget=100)
    assert (response.status_code, response.get_json()["error"]["message"]) == (400, "Too long.")


def test_a_budget_of_the_model_holds_unless_the_request_has_its_own(
    make_client: MakeClient, upstream: Mock
) -> None:
    models = (ModelConfig(match="m*", thinking_budget=50),)
    client = make_client(**of_kind("vllm"), models=models)
    answers(upstream)
    ask(client, model="m", stream=False)
    ask(client, model="other", stream=False)
    ask(client, model="m", stream=False, thinking_budget=9)
    budgets = [body.get("thinking_token_budget") for body in bodies(upstream)]
    assert budgets == [50, None, 9]


def test_a_budget_of_0_turns_thinking_off(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("ollama"))
    answers(upstream)
    ask(client, model="m", stream=False, gateway={"thinking_budget": 0})
    assert bodies(upstream)[0]["reasoning_effort"] == "none"


def test_the_budget_of_a_messages_client_is_kept(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("ollama"))
    answers(upstream, sse(*thinks(*[" word"] * 2000)))
    answers(upstream)
    response = client.post(
        "/v1/messages",
        json={
            "model": "m",
            "max_tokens": 4000,
            "stream": True,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "messages": [{"role": "user", "content": "Hi"}],
        },
    )
    found = typed_events(response)
    said = [e["delta"]["text"] for e in found if e.get("delta", {}).get("type") == "text_delta"]
    assert "".join(said) == "It is four."
    blocks = [e["content_block"]["type"] for e in found if e["type"] == "content_block_start"]
    assert blocks[0] == "thinking"
    assert blocks[-1] == "text"
    assert found[-1]["type"] == "message_stop"


def test_the_usage_is_that_of_both_answers(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(**of_kind("vllm"))
    usage = {"prompt_tokens": 310, "completion_tokens": 5, "total_tokens": 315}
    answers(upstream, sse(*thinks(*[" word"] * 300)))
    answers(
        upstream, sse(*contents("It ", "is four."), FINISH, {"choices": [], "usage": usage}, DONE)
    )
    response = ask(client, model="m", stream=False, thinking_budget=100)
    body = response.get_json()
    assert body["usage"]["prompt_tokens"] == 10
    assert body["usage"]["completion_tokens"] == 305
    assert body["usage"]["completion_tokens_details"] == {"reasoning_tokens": 300}
    assert body["phases"]["thinking_ended"] == "budget"
    assert body["choices"][0]["message"]["content"] == "It is four."
