"""At a step after a tool's result, the prompt's line is not shown again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, delta, finish
from tests.web.conftest import answers

LINE = "What time is it?"
TRACE = "I read the clock. It is noon.\n"
USER = {"role": "user", "content": LINE}
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
CHAT = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
]
BLOCKS = [
    USER,
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "c1", "name": "now", "input": {}}],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "12:00"},
            {"type": "text", "text": "<system-reminder>\nNo todos.\n</system-reminder>"},
        ],
    },
]
ITEMS = [
    USER,
    {"type": "function_call", "call_id": "c1", "name": "now", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "12:00"},
]
OLLAMA = [
    USER,
    {"role": "assistant", "tool_calls": [{"function": {"name": "now", "arguments": {}}}]},
    {"role": "tool", "tool_name": "now", "content": "12:00"},
]
ROUTES: dict[str, tuple[str, Callable[[Any], dict[str, Any]], Any]] = {
    "openai": ("/openai/v1/chat/completions", lambda m: {"messages": m}, CHAT),
    "phased": ("/phased/v1/chat/completions", lambda m: {"messages": m}, CHAT),
    "messages": (
        "/v1/messages",
        lambda m: {"messages": m, "max_tokens": 9, "thinking": {"type": "adaptive"}},
        BLOCKS,
    ),
    "responses": (
        "/v1/responses",
        lambda m: {"input": m, "reasoning": {"summary": "auto"}, "store": False},
        ITEMS,
    ),
    "ollama": ("/api/chat", lambda m: {"messages": m}, OLLAMA),
}


@pytest.fixture
def client(client: FlaskClient, upstream: responses.RequestsMock) -> FlaskClient:
    answers(
        upstream,
        delta(reasoning_content=TRACE),
        delta(content="It is noon."),
        finish("stop"),
        DONE,
    )
    return client


@pytest.mark.parametrize("mode", ["summary", "raw", "both"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("route", ROUTES)
def test_the_prompts_line_is_shown_once(
    client: FlaskClient, route: str, stream: bool, mode: str
) -> None:
    path, body_of, history = ROUTES[route]
    shown = []
    for messages in (history[:1], history):
        body = {"model": "m", "stream": stream, "gateway": {"reasoning": mode}}
        answer = client.post(path, json=body | body_of(messages), buffered=True)
        assert answer.status_code == 200
        text = answer.text
        if not stream and route in ("openai", "phased"):  # where only `phases` has the line
            text = json.dumps(json.loads(text)["choices"])
            assert LINE not in text
        shown.append(LINE in text)
        assert "read the clock" in text
        assert "It is noon." in text
    assert shown == [stream or route not in ("openai", "phased"), False]


def test_the_event_says_that_it_repeats(client: FlaskClient) -> None:
    for messages, more in ((CHAT[:1], {}), (CHAT, {"continues": True})):
        answer = client.post(
            "/events/v1/chat/completions",
            json={"model": "m", "stream": True, "messages": messages},
            buffered=True,
        )
        data = json.loads(answer.text.split("data: ")[1].split("\n")[0])
        assert data == {"text": LINE, "ttft_ms": data["ttft_ms"], **more}


def test_every_stream_still_begins_at_once(client: FlaskClient) -> None:
    body = {"model": "m", "stream": True, "messages": CHAT}
    for format, phase in (("openai", "prompt_summary"), ("phased", "prompt_summary")):
        answer = client.post(f"/{format}/v1/chat/completions", json=body, buffered=True)
        data = [line[6:] for line in answer.text.split("\n") if line.startswith("data: {")]
        first = next(c for c in map(json.loads, data) if c["choices"][0]["delta"])
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert first["phase"] == phase
