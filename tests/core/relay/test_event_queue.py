"""The queue between a run and its delivery is bounded by the bytes that will be sent."""

import threading

import pytest

from gateway.apis import DIALECTS, Answer
from gateway.core.events import (
    ChoiceEvent,
    Event,
    Extra,
    OutputDelta,
    ReasoningDelta,
    ToolCallDelta,
)
from gateway.relay.event_queue import MAX_BEHIND_BYTES, EventQueue

EVENTS: dict[str, Event] = {
    "a letter": OutputDelta("a"),
    "a sentence": OutputDelta("a" * 500),
    "other scripts": OutputDelta("你" * 500),
    "emoji": OutputDelta("🙂" * 500),
    "reasoning": ReasoningDelta("é" * 500),
    "a tool call": ToolCallDelta({"index": 0, "function": {"arguments": "x" * 900}}),
    "an unknown field": Extra({"audio": {"data": "x" * 900}}),
    "logprobs": Extra({}, {"logprobs": {"content": [{"token": "é", "logprob": -1.5}] * 40}}),
    "a choice": ChoiceEvent(1, OutputDelta("你" * 500)),
}


@pytest.mark.parametrize("format", DIALECTS)
@pytest.mark.parametrize("name", EVENTS)
def test_a_full_queue_holds_a_bounded_number_of_bytes_to_send(name: str, format: str) -> None:
    if isinstance(EVENTS[name], ChoiceEvent) and format != "openai":
        pytest.skip("only openai streams several choices")
    queue = EventQueue(threading.Event)
    while queue.has_room:
        queue.publish([EVENTS[name]], 0.0)
    answer = Answer(id="1" * 32, model="m" * 512, created=1, reasoning="both")
    number, events = queue.read()
    sent = DIALECTS[format](answer).encode(number, events)
    assert len(sent) < 4 * MAX_BEHIND_BYTES


def test_a_reader_that_keeps_up_always_leaves_room() -> None:
    queue = EventQueue(threading.Event)
    for _ in range(10_000):
        queue.publish([OutputDelta("word ")], 0.0)
        assert queue.has_room
        queue.read()
