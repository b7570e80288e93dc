"""The work of spelling an answer grows with its size and no faster."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.apis import DIALECTS, Answer
from gateway.core.events import (
    Done,
    Event,
    Extra,
    OutputDelta,
    PromptSummary,
    ReasoningSummary,
    Timings,
    ToolCallDelta,
)
from tests.core.work import assert_grows

DONE = Done("tool_calls", None, Timings())


def piece(index: int, arguments: str = "word " * 200) -> ToolCallDelta:
    function = {"name": "f", "arguments": arguments}
    return ToolCallDelta({"index": index, "id": f"c{index}", "function": function})


def opened(calls: int) -> list[Event]:
    return [piece(index, '{"a":"') for index in range(calls)]


def members(n: int, **delta: Callable[[int], Any]) -> list[Event]:
    return [Extra({name: make(i) for name, make in delta.items()}) for i in range(n)]


LOGPROB = {"content": [{"token": "a", "logprob": -1}] * 50}
SHAPES: dict[str, Callable[[int], list[Event]]] = {
    "a call": lambda n: [*opened(1), *[piece(0)] * n],
    "calls in turn": lambda n: [*opened(2), *[piece(i % 2) for i in range(n)]],
    "a call that others wait for": lambda n: [*opened(2), *[piece(0)] * n],
    "a call among texts": lambda n: [*opened(1), *[piece(0), OutputDelta("a")] * (n // 2)],
    "open calls": lambda n: [*opened(n // 20), *[piece(i % (n // 20)) for i in range(n)]],
    "logprobs": lambda n: [Extra({}, {"logprobs": LOGPROB})] * n,
    "lists": lambda n: members(n, annotations=lambda i: [str(i)] * 50),
    "objects": lambda n: members(n, audio=lambda i: {f"{i}-{j}": "a" for j in range(50)}),
}


def stream(name: str, events: list[Event]) -> None:
    dialect = DIALECTS[name](Answer("1", "m", 7))
    dialect.begin()
    for number, event in enumerate(events):
        dialect.encode(number, [event])


def collect(name: str, events: list[Event]) -> None:
    whole = DIALECTS[name].non_streamed(Answer("1", "m", 7))
    whole.add(events)
    whole.body()


@pytest.mark.work
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "spell"),
    [("openai", collect), ("responses", stream), ("messages", stream), ("ollama", collect)],
)
def test_twice_the_answer_takes_twice_the_time(
    name: str, shape: str, spell: Callable[[str, list[Event]], None]
) -> None:
    before = [PromptSummary("x", 1), ReasoningSummary("x", "")]
    half, whole = ([*before, *SHAPES[shape](n), DONE] for n in (500, 1000))
    assert_grows(lambda events: spell(name, events), half, whole, times=3, more_s=0.01)
