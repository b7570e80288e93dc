"""The log for people: a turn is one short line."""

from typing import Any

import pytest

from gateway.observe.console import ConsoleRenderer, turn_line

TURN: dict[str, Any] = {
    "format": "events",
    "model": "qwen3-8b",
    "upstream": "local-vllm",
    "key": "anonymous",
    "end": "done",
    "finish_reason": "stop",
    "first_reasoning_ms": 200,
    "first_output_ms": 4100,
    "total_ms": 10_000,
    "estimated_reasoning_tokens": 150,
    "estimated_output_tokens": 70,
}
COUNTED = {"completion_tokens": 256, "completion_tokens_details": {"reasoning_tokens": 156}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"usage": COUNTED},
            "200 events qwen3-8b thought 3.9 s · 156 tok, answered 5.9 s · 100 tok → done",
        ),
        ({}, "200 events qwen3-8b thought 3.9 s · ≈150 tok, answered 5.9 s · ≈70 tok → done"),
        (
            {"usage": {"completion_tokens": 256}},
            "200 events qwen3-8b thought 3.9 s · ≈150 tok, answered 5.9 s · ≈70 tok → done",
        ),
        (
            {"first_reasoning_ms": None, "usage": {"completion_tokens": 9}, "key": "ada"},
            "200 events qwen3-8b (ada) answered 5.9 s · 9 tok → done",
        ),
        (
            {"finish_reason": "length", "first_output_ms": None, "model": ""},
            "200 events default thought 9.8 s · ≈150 tok → done: length",
        ),
        (
            {"end": "failed", "code": "upstream_broke_off", "finish_reason": None},
            "200 events qwen3-8b thought 3.9 s · ≈150 tok, answered 5.9 s · ≈70 tok "
            "→ failed: upstream_broke_off at local-vllm",
        ),
    ],
)
def test_a_turn_is_one_line(changes: dict[str, Any], line: str) -> None:
    assert turn_line(TURN | changes) == line


def test_a_refused_turn_has_its_status() -> None:
    refused = {"format": "openai", "model": "m", "upstream": "a", "end": "refused", "status": 502}
    assert turn_line(refused | {"code": "x"}) == "502 openai m → refused: x at a"


def test_the_start_has_a_sign_for_each_upstream() -> None:
    render = ConsoleRenderer(colors=False)
    found = {"event": "upstream lists its models", "level": "info", "timestamp": "t"}
    found |= {"upstream": "a", "url": "http://a", "models": 1, "kind": "vllm"}
    assert render(None, "", found) == "t ✓ a http://a: 1 model (vllm)"
    away = {"event": "upstream does not list its models", "level": "warning", "timestamp": "t"}
    away |= {"upstream": "b", "url": "http://b", "cause": "Refused.", "hint": "start it"}
    assert render(None, "", away) == "t ✗ b http://b: Refused. start it."


def test_other_events_have_their_fields_and_a_sign() -> None:
    render = ConsoleRenderer(colors=False)
    event = {"event": "breaker", "level": "warning", "state": "open", "timestamp": "no time"}
    assert render(None, "", event) == "no time WARNING breaker state=open"
    trace = {"event": "pump failed", "level": "error", "exception": "Traceback", "timestamp": ""}
    assert render(None, "", trace) == " ERROR pump failed\nTraceback"


def test_colours_are_for_terminals() -> None:
    event = {"event": "breaker", "level": "warning", "timestamp": "2026-01-02T03:04:05Z"}
    assert "\x1b[33m" in ConsoleRenderer(colors=True)(None, "", dict(event))
    assert "\x1b" not in ConsoleRenderer(colors=False)(None, "", dict(event))
