"""The work of reading an answer grows with its size and no faster; its memory is bounded."""

import json
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.core.parts import Content, Fault, Part
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.tool_calls import MAX_CALLS
from tests.core.work import assert_grows


def event(delta: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()


def read(events: Sequence[bytes]) -> list[Part]:
    reader = ChatReader()
    parts: list[Part] = []
    for line in events:
        parts += reader.feed([line, b""])
    return [*parts, *reader.close()]


def call(n: int) -> dict[str, Any]:
    return {"id": f"c{n}", "function": {"name": "f", "arguments": ""}}


SHAPES: dict[str, tuple[int, Callable[[int], list[bytes]]]] = {
    "one text": (2_000_000, lambda n: [event({"content": "a" * n})]),
    "escapes": (1_000_000, lambda n: [event({"content": "\n" * n})]),
    "an unclosed text": (
        1_000_000,
        lambda n: [b'data: {"choices":[{"delta":{"content":"' + b"\\n" * n],
    ),
    "texts in one event": (
        3_000,
        lambda n: [b'data: {"choices":[{"delta":{"text":"a"}}],"x":[%b1]}' % (b'{"text":""},' * n)],
    ),
    "empty calls": (20_000, lambda n: [event({"tool_calls": [{}] * n})]),
    "calls": (20_000, lambda n: [event({"tool_calls": [call(i) for i in range(n)]})]),
    "calls in events": (4_000, lambda n: [event({"tool_calls": [call(i)]}) for i in range(n)]),
    "pieces of a name": (
        5_000,
        lambda n: [
            event({"tool_calls": [{"index": 0, "function": {"name": "ab"[i % 2]}}]})
            for i in range(n)
        ],
    ),
    "arguments without a name": (
        8_000,
        lambda n: [
            event({"tool_calls": [{"index": 0, "function": {"arguments": "a" * 400}}]})
            for _ in range(n)
        ],
    ),
    "empty choices": (20_000, lambda n: [b'data: {"choices":[%b{}]}' % (b"{}," * n)]),
    "empty items": (20_000, lambda n: [event({"content": [{}] * n})]),
}


@pytest.mark.work
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_answer_takes_twice_the_time(shape: str) -> None:
    size, make = SHAPES[shape]
    assert_grows(read, make(size // 2), make(size), times=3.2, more_s=0.01)


def test_a_large_event_takes_a_few_times_its_size() -> None:
    """The regular expression that looks for the text took 137 bytes a character."""
    line = event({"content": "a" * 5_000_000})
    tracemalloc.start()
    try:
        [part] = read([line])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(part, Content)
    assert peak < 6 * len(line)


def test_an_event_with_too_many_values_is_a_fault() -> None:
    [fault] = read([b'data: {"choices":[' + b"{}," * 200_000 + b"{}]}"])
    assert isinstance(fault, Fault)
    assert fault.code == "upstream_bad_chunk"
    assert "too many values" in fault.message


def test_an_answer_with_too_many_tool_calls_is_a_fault() -> None:
    parts = read([event({"tool_calls": [call(i)]}) for i in range(MAX_CALLS + 1)])
    assert isinstance(parts[-1], Fault)
    assert "tool calls" in parts[-1].message
    assert not any(isinstance(part, Fault) for part in parts[:-1])
