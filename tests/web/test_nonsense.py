"""Nothing that a client or an upstream sends causes a 500, a traceback or a stream without end."""

from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scripted import DONE, FINISH, contents
from tests.properties import examples
from tests.web.conftest import COMPLETIONS, UPSTREAM, answers, sse

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ("model", "messages", "prompt", "stream", "stream_options", "n", "gateway", "thinking")
OPTIONS = ("format", "reasoning", "detail", "starts_inside", "other")
messages = st.lists(
    st.fixed_dictionaries({"role": st.text(max_size=6) | values, "content": values}), max_size=2
)
options = st.dictionaries(
    st.sampled_from(OPTIONS), values | st.sampled_from(["events", "plain", "openai", "raw", "both"])
)
bodies = st.dictionaries(st.sampled_from(KEYS), values) | st.fixed_dictionaries(
    {"messages": messages}, optional=dict.fromkeys(KEYS[2:], values) | {"gateway": options}
)
sources = st.sampled_from(
    [
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        {"type": "url", "url": "http://127.0.0.1/a.png"},
        {"type": "text", "data": "a"},
        {"type": "content", "content": [{"type": "text", "text": "a"}]},
    ]
)
blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=8)),
    st.builds(lambda source: {"type": "image", "source": source}, sources),
    st.builds(lambda source: {"type": "document", "source": source}, sources),
    st.builds(lambda value: {"type": "tool_use", "id": "a", "name": "f", "input": value}, values),
    st.builds(
        lambda content: {"type": "tool_result", "tool_use_id": "a", "content": content}, values
    ),
    st.just({"type": "thinking", "thinking": "a", "signature": ""}),
    values,
)
anthropic_messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "user", "assistant"]),
    st.lists(blocks, max_size=2) | st.text(max_size=8),
)
MEMBERS = ("max_tokens", "system", "tools", "tool_choice", "thinking", "stop_sequences", "stream")
anthropic_bodies = st.builds(
    lambda messages, nonsense: {"max_tokens": 9, "messages": messages, **nonsense},
    st.lists(anthropic_messages, min_size=1, max_size=2),
    st.dictionaries(st.sampled_from((*MEMBERS, "other")), values, max_size=1),
)
deltas = st.dictionaries(
    st.sampled_from(
        (
            *("role", "content", "reasoning", "reasoning_content", "tool_calls", "refusal"),
            *("reasoning_details", "thinking_blocks", "extra_content"),
        )
    ),
    values | st.sampled_from(["<think>", "</think>", "text"]),
)
choices = st.fixed_dictionaries(
    {"delta": deltas | values},
    optional={
        "logprobs": values | st.fixed_dictionaries({"content": values}),
        **dict.fromkeys(("finish_reason", "stop_reason", "matched_stop"), values),
    },
)
chunks = st.fixed_dictionaries(
    {"choices": st.lists(choices, max_size=2) | values},
    optional=dict.fromkeys(
        ("usage", "error", "object", "message", "system_fingerprint", "service_tier"), values
    ),
)
items = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ("message", "function_call", "function_call_output", "reasoning", "item_reference")
        )
        | values,
        "role": st.sampled_from(("user", "assistant", "system", "developer")) | values,
        "content": values
        | st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(("input_text", "input_image", "input_file", "refusal"))},
                optional=dict.fromkeys(("text", "image_url", "file_data", "refusal"), values),
            ),
            max_size=2,
        ),
        **dict.fromkeys(("call_id", "name", "arguments", "output"), st.text(max_size=4) | values),
    },
)
responses_bodies = st.fixed_dictionaries(
    {"input": st.lists(items, max_size=3) | values},
    optional={
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function")}), max_size=2)
        | values,
        **dict.fromkeys(
            ("text", "reasoning", "tool_choice", "include", "metadata", "gateway"), values
        ),
    },
)
ollama_messages = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "assistant", "system", "tool")) | values},
    optional={
        "content": st.text(max_size=8) | values,
        "images": st.lists(st.sampled_from(("iVBORw0KGgo=", "AAAA", "a")) | values, max_size=2),
        "tool_calls": values
        | st.lists(
            st.fixed_dictionaries(
                {"function": values | st.fixed_dictionaries({"name": values, "arguments": values})},
                optional={"id": values},
            ),
            max_size=2,
        ),
        **dict.fromkeys(("thinking", "tool_name", "tool_call_id"), values),
    },
)
ollama_bodies = st.fixed_dictionaries(
    {"model": st.just("m") | values},
    optional={
        "messages": st.lists(ollama_messages, max_size=3) | values,
        "prompt": st.text(max_size=4) | values,
        "images": st.lists(st.sampled_from(("iVBORw0KGgo=", "a")), max_size=2) | values,
        "options": st.dictionaries(
            st.sampled_from(("temperature", "num_predict", "stop", "num_ctx")), values
        )
        | values,
        **dict.fromkeys(
            ("think", "format", "stream", "tools", "keep_alive", "gateway", "name", "system"),
            values,
        ),
    },
)
other_bodies = (
    st.tuples(st.sampled_from(["/api/chat", "/api/generate", "/api/show"]), ollama_bodies)
    | st.tuples(st.sampled_from(["/v1/messages", "/v1/messages/count_tokens"]), anthropic_bodies)
    | st.tuples(st.sampled_from(["/v1/responses", "/openai/v1/responses"]), responses_bodies)
)
"""Path and body."""
STREAMS = ("text/event-stream", "application/x-ndjson")


@pytest.fixture
def patient(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of a gateway whose breaker no nonsense opens."""
    return make_client(breaker_failures=10_000)


@examples(0.5)
@given(body=bodies, path=st.sampled_from(["/v1", "/plain/v1", "/events/v1", "/openai/v1"]))
def test_any_body_is_answered_or_refused(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
    body: dict[str, Any],
    path: str,
) -> None:
    upstream.reset()
    answers(upstream, *contents("<think>a</think>Hi"), FINISH, DONE)
    response = client.post(f"{path}/chat/completions", json=body, buffered=True)
    assert response.status_code in (200, 400)
    assert response.text
    assert not any(line["level"] == "error" for line in logged)


@examples(0.5)
@given(path_and_body=other_bodies)
def test_any_body_of_the_other_apis_is_answered_or_refused(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
    path_and_body: tuple[str, dict[str, Any]],
) -> None:
    upstream.reset()
    answers(upstream, *contents("<think>a</think>Hi"), FINISH, DONE)
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "m"}]})
    path, body = path_and_body
    response = client.post(path, json=body, buffered=True)
    assert response.status_code in (200, 400, 404)
    assert response.get_json(silent=True) or response.mimetype in STREAMS
    assert not any(line["level"] == "error" for line in logged)


@examples(0.5)
@given(frames=st.lists(chunks | values, max_size=6), format=st.sampled_from(["phased", "events"]))
def test_any_upstream_stream_ends_once(
    patient: FlaskClient,
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
    frames: list[Any],
    format: str,
) -> None:
    upstream.reset()
    answers(upstream, *frames, DONE)
    body = {"messages": [{"role": "user", "content": "hi"}], "gateway": {"format": format}}
    text = patient.post("/v1/chat/completions", json={**body, "stream": True}, buffered=True).text
    ends = ("event: done", "event: failed") if format == "events" else ("data: [DONE]",)
    assert sum(map(text.count, ends)) == 1
    assert patient.post("/v1/chat/completions", json=body).status_code in (200, 502)
    assert not any(line["level"] == "error" for line in logged)


@examples(0.5)
@given(frames=st.lists(chunks | values, max_size=6))
@pytest.mark.parametrize(
    ("path", "body", "ends"),
    [
        (
            "/v1/messages",
            {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
            ("event: message_stop", "event: error"),
        ),
        (
            "/v1/responses",
            {"input": "hi"},
            ("event: response.completed", "event: response.incomplete", "event: response.failed"),
        ),
        (
            "/api/chat",
            {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
            ('"done":true', '{"error":'),
        ),
        ("/api/generate", {"model": "m", "prompt": "hi"}, ('"done":true', '{"error":')),
    ],
)
def test_any_upstream_stream_ends_once_in_the_other_apis(
    patient: FlaskClient,
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
    path: str,
    body: dict[str, Any],
    ends: tuple[str, ...],
    frames: list[Any],
) -> None:
    upstream.reset()
    answers(upstream, *frames, DONE)
    request = {**body, "gateway": {"reasoning": "both"}}
    text = patient.post(path, json={**request, "stream": True}, buffered=True).text
    assert sum(map(text.count, ends)) == 1
    assert patient.post(path, json={**request, "stream": False}).status_code in (200, 502)
    assert not any(line["level"] == "error" for line in logged)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"\x00" * 1000, b"data: " * 1000, b"\r\r\r"]
)
def test_any_upstream_bytes_end_once(
    client: FlaskClient, upstream: responses.RequestsMock, body: bytes
) -> None:
    upstream.post(COMPLETIONS, body=body + sse("ping"))
    request = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    text = client.post("/events/v1/chat/completions", json=request, buffered=True).text
    assert text.count("event: failed") == 1
