"""The waterfall that `--timeline` draws."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from gateway.terminal import timeline
from gateway.terminal.events import Event
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


def record(clock: SimpleNamespace, turn: list[tuple[float, Event]]) -> Timeline:
    """A timeline after these events, each of which arrived in its own read."""
    recorded = Timeline()

    def reads() -> Iterator[bytes]:
        for at_s, _ in turn:
            clock.s = at_s
            yield b""

    for (_, event), _ in zip(turn, recorded.watch(reads()), strict=True):
        recorded.add(event)
    return recorded


def test_rows_show_times_and_token_rates(clock: SimpleNamespace) -> None:
    assert list(record(clock, TURN).waterfall(80)) == [
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
def test_rows_fit_the_screen(clock: SimpleNamespace, columns: int) -> None:
    rows = list(record(clock, TURN).waterfall(columns))
    assert max(map(len, rows)) <= max(columns, 37)


def test_a_turn_without_done_is_marked_incomplete(clock: SimpleNamespace) -> None:
    rows = list(record(clock, TURN[:3]).waterfall(80))
    assert rows[-2].endswith("2.000 s  incomplete")


def test_tokens_are_estimated_without_usage(clock: SimpleNamespace) -> None:
    rows = list(record(clock, TURN[:-1]).waterfall(120))
    assert "about 3 tokens" in rows[2]


def test_the_gateways_timing_replaces_a_trace_that_is_not_sent(
    clock: SimpleNamespace,
) -> None:
    end = {"finish_reason": "stop", "usage": None, "timings": {"first_reasoning_ms": 500}}
    turn = [step for step in TURN if step[1].name != "reasoning_delta"]
    rows = list(record(clock, [*turn[:-1], (8.0, Event("done", end))]).waterfall(80))
    assert "0.500 – 4.000 s" in rows[2]


def test_a_timing_that_is_no_number_is_ignored(clock: SimpleNamespace) -> None:
    end = {"finish_reason": "stop", "usage": None, "timings": {"first_reasoning_ms": "soon"}}
    rows = list(record(clock, [(8.0, Event("done", end))]).waterfall(80))
    assert [row.split()[0] for row in rows] == ["waiting", "end", "longest"]


def test_an_empty_turn_can_be_drawn(clock: SimpleNamespace) -> None:
    rows = list(record(clock, []).waterfall(80))
    assert [row.split()[0] for row in rows] == ["waiting", "end", "longest"]
