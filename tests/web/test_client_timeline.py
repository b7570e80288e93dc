"""The waterfall of the client: what took how long, as it is drawn."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gateway.terminal import timeline
from gateway.terminal.stream import Event
from gateway.terminal.timeline import Timeline

USAGE = {"completion_tokens": 90, "completion_tokens_details": {"reasoning_tokens": 60}}
TURN = [
    (0.1, Event("prompt_summary", {"text": "Why?"})),
    (1.0, Event("reasoning_delta", {"text": "Let me see."})),
    (2.0, Event("reasoning_summary_delta", {"text": "A line.\n"})),
    (3.0, Event("reasoning_summary_delta", {"text": "Another.\n"})),
    (4.0, Event("reasoning_summary", {"text": "A line."})),
    (4.0, Event("final_output_delta", {"text": "Because"})),
    (7.0, Event("final_output_delta", {"text": " so."})),
    (8.0, Event("done", {"finish_reason": "stop", "usage": USAGE, "timings": None})),
]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(s=0.0)
    monkeypatch.setattr(timeline, "time", SimpleNamespace(monotonic=lambda: now.s))
    return now


def timed(clock: SimpleNamespace, turn: list[tuple[float, Event]]) -> Timeline:
    """A timeline on which these events have arrived, each in a read of its own."""
    timed = Timeline()

    def reads() -> Iterator[bytes]:
        for at_s, _ in turn:
            clock.s = at_s
            yield b""

    for (_, event), _ in zip(turn, timed.reads(reads()), strict=True):
        timed.add(event)
    return timed


def test_the_rows_say_when_and_how_fast(clock: SimpleNamespace) -> None:
    assert list(timed(clock, TURN).waterfall(80)) == [
        "prompt summary  │                               0.100 s",
        "waiting         ███                     0.000 – 1.000 s",
        "thinking          ████████              1.000 – 4.000 s  60 tokens, 20 a second",
        "summary lines        ███                2.000 – 3.000 s",
        "whole summary              │                    4.000 s",
        "answer                     ████████     4.000 – 7.000 s  30 tokens, 10 a second",
        "end                                  │          8.000 s  stop",
        "longest silence 3.000 s, from 4.000 s",
    ]


@pytest.mark.parametrize("columns", [24, 40, 60, 79, 80, 200])
def test_the_rows_fit_the_screen(clock: SimpleNamespace, columns: int) -> None:
    rows = list(timed(clock, TURN).waterfall(columns))
    assert max(map(len, rows)) <= max(columns, 37)


def test_a_turn_that_broke_off_says_so(clock: SimpleNamespace) -> None:
    rows = list(timed(clock, TURN[:3]).waterfall(80))
    assert rows[-2].endswith("2.000 s  not whole")


def test_without_usage_tokens_are_estimates(clock: SimpleNamespace) -> None:
    rows = list(timed(clock, TURN[:-1]).waterfall(120))
    assert "about 3 tokens" in rows[2]


def test_the_model_servers_timings_stand_in_for_a_trace_that_is_not_sent(
    clock: SimpleNamespace,
) -> None:
    end = {"finish_reason": "stop", "usage": None, "timings": {"first_reasoning_ms": 500}}
    turn = [step for step in TURN if step[1].event != "reasoning_delta"]
    rows = list(timed(clock, [*turn[:-1], (8.0, Event("done", end))]).waterfall(80))
    assert "0.500 – 4.000 s" in rows[2]


def test_nothing_at_all_is_drawn_too(clock: SimpleNamespace) -> None:
    rows = list(timed(clock, []).waterfall(80))
    assert [row.split()[0] for row in rows] == ["waiting", "end", "longest"]
