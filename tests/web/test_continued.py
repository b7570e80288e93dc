"""CONTINUE_BROKEN: another upstream goes on where one has broken off."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway.config import UpstreamConfig, UpstreamKind
from tests.core.scripted import DONE, FINISH, contents, delta
from tests.web.conftest import sse
from tests.web.test_api import ask, events

MakeClient = Callable[..., FlaskClient]
Mock = responses.RequestsMock
THOUGHT = "Two and two make four."
THINKS = delta(reasoning_content=THOUGHT)
BEGUN = sse(THINKS, *contents("It ", "is "))
REST = sse(*contents(" fo", "ur."), FINISH, DONE)


def url(upstream: str) -> str:
    return f"http://{upstream}.test/v1/chat/completions"


def upstreams(*kinds: UpstreamKind) -> dict[str, Any]:
    """Upstreams a, b … of these kinds, asked in this order."""
    named = zip("abc", kinds, strict=False)
    return {
        "upstreams": tuple(
            UpstreamConfig(name=name, url=f"http://{name}.test", kind=kind, priority=number)
            for number, (name, kind) in enumerate(named)
        )
    }


def says(upstream: Mock, name: str, body: bytes, **options: Any) -> None:
    upstream.post(url(name), body=body, content_type="text/event-stream", **options)


def turn(client: FlaskClient, **body: Any) -> dict[str, Any]:
    """The answer of a turn: its text, its trace, and its last event."""
    options = {"format": "events", "reasoning": "raw"}
    found = events(ask(client, **{"model": "m", **body}, gateway=options))
    return {
        "answer": "".join(data["text"] for name, data in found if name == "final_output_delta"),
        "trace": "".join(data["text"] for name, data in found if name == "reasoning_delta"),
        "end": found[-1][0],
        "data": found[-1][1],
    }


def last_body(upstream: Mock) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(upstream.calls[-1].request.body)
    return body


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("vllm", {"reasoning": THOUGHT, "reasoning_content": THOUGHT}),
        ("sglang", {"reasoning_content": THOUGHT}),
        ("llama.cpp", {"reasoning_content": THOUGHT}),
        ("ollama", {"reasoning": THOUGHT}),
    ],
)
def test_another_upstream_goes_on_with_the_answer(
    make_client: MakeClient,
    upstream: Mock,
    logged: list[dict[str, Any]],
    kind: UpstreamKind,
    members: dict[str, str],
) -> None:
    client = make_client(continue_broken=True, **upstreams("chat", kind))
    says(upstream, "a", BEGUN)
    says(upstream, "b", REST)
    said = turn(client, max_tokens=100)
    assert (said["trace"], said["answer"]) == (THOUGHT, "It is four.")
    assert said["end"] == "done"
    assert "thinking_ended" not in said["data"]
    sent = last_body(upstream)
    assert sent["messages"][-1] == {"role": "assistant", "content": "It is", **members}
    assert sent["max_tokens"] < 100
    [line] = [line for line in logged if line["event"] == "turn"]
    assert (line["upstream"], line["continued_from"]) == ("b", "a")
    assert line["given_up"] == {"a": "upstream_broke_off"}
    metrics = client.get("/metrics").get_data(as_text=True)
    assert 'gateway_continued_total{by="b",upstream="a"} 1.0' in metrics


def test_an_upstream_that_cannot_go_on_is_passed_over(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(continue_broken=True, **upstreams("chat", "openrouter", "vllm"))
    says(upstream, "a", BEGUN)
    says(upstream, "c", REST)
    assert turn(client)["answer"] == "It is four."


def test_llama_cpp_goes_on_with_the_thinking(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(continue_broken=True, **upstreams("vllm", "vllm", "llama.cpp"))
    says(upstream, "a", sse(delta(reasoning_content="Two and ")))
    says(upstream, "c", sse(delta(reasoning_content=" two."), *contents("Four."), FINISH, DONE))
    said = turn(client)
    assert (said["trace"], said["answer"], said["end"]) == ("Two and two.", "Four.", "done")
    sent = last_body(upstream)
    assert sent["continue_final_message"] == "reasoning_content"
    expected = {"role": "assistant", "content": "", "reasoning_content": "Two and"}
    assert sent["messages"][-1] == expected


@pytest.mark.parametrize(
    ("first", "kinds", "body"),
    [
        (sse(delta(reasoning_content="Two and ")), ("chat", "vllm"), {}),
        (BEGUN, ("chat", "dashscope"), {}),
        (BEGUN, ("vllm",), {}),
        (BEGUN, ("chat", "vllm"), {"response_format": {"type": "json_object"}}),
        (BEGUN, ("chat", "vllm"), {"model": "gpt-oss-20b"}),
        (
            sse(delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f"}}])),
            ("chat", "vllm"),
            {},
        ),
    ],
    ids=["thinking", "no prefill", "no other upstream", "a grammar", "gpt-oss", "a call"],
)
def test_what_cannot_be_continued_fails_as_ever(
    make_client: MakeClient,
    upstream: Mock,
    first: bytes,
    kinds: tuple[UpstreamKind, ...],
    body: dict[str, Any],
) -> None:
    client = make_client(continue_broken=True, **upstreams(*kinds))
    says(upstream, "a", first)
    said = turn(client, **body)
    assert said["end"] == "failed"
    assert said["data"]["error"]["code"] == "upstream_broke_off"
    assert len(upstream.calls) == 1


def test_nothing_is_continued_unless_the_operator_wants_it(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(**upstreams("chat", "vllm"))
    says(upstream, "a", BEGUN)
    assert turn(client)["data"]["error"]["code"] == "upstream_broke_off"


def test_a_refusal_to_go_on_shows_how_the_first_answer_ended(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(continue_broken=True, **upstreams("chat", "vllm"))
    says(upstream, "a", BEGUN)
    upstream.post(url("b"), status=400, json={"error": {"message": "No prefill."}})
    said = turn(client)
    assert said["answer"] == "It is "
    assert said["data"]["error"]["code"] == "upstream_broke_off"
    turn(client)
    assert [call.request.url for call in upstream.calls] == [url("a"), url("b"), url("a")]


def test_an_answer_is_continued_once(make_client: MakeClient, upstream: Mock) -> None:
    client = make_client(continue_broken=True, **upstreams("chat", "vllm", "vllm"))
    says(upstream, "a", BEGUN)
    says(upstream, "b", sse(*contents(" fo")))
    said = turn(client)
    assert (said["answer"], said["end"]) == ("It is fo", "failed")
