"""Answers that an upstream breaks off and another one goes on with."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.events import Done, OutputDelta, ReasoningDelta, ReasoningSummary
from gateway.errors import UpstreamBroke
from tests.core.cuts import cut, places
from tests.core.scripted import DONE, FINISH, delta, lines, make_turn, text

THOUGHT = "I add two and two. That makes four."
ANSWER = "It is **4**.\n\n  I say <b>four</b>, and </think> is a tag."


def deltas(pieces: list[str], field: str) -> list[Any]:
    return [delta(**{field: piece}) for piece in pieces if piece]


@pytest.mark.parametrize("shape", ["labelled", "tags"])
@pytest.mark.parametrize("field", ["content", "reasoning_content"])
@given(at=st.integers(1, len(ANSWER)), by=places, rest_by=places)
def test_an_answer_that_is_continued_at_any_byte_is_the_whole_answer(
    shape: str, field: str, at: int, by: list[int], rest_by: list[int]
) -> None:
    turn = make_turn("both", keeps_answer=True)
    if shape == "labelled":
        frames = [delta(reasoning_content=THOUGHT), *deltas(cut(ANSWER[:at], by), "content")]
    else:
        whole = f"<think>{THOUGHT}</think>{ANSWER[:at]}"
        frames = deltas(cut(whole, by), "content")
    events = turn.start(0)
    for frame in frames:
        events += turn.feed(lines(frame), 1)
    events += turn.close(2)
    assert isinstance(turn.fault, UpstreamBroke)
    assert turn.broken_in == "answer"
    events += turn.break_off(2)
    assert (turn.thoughts_back, turn.answer_back) == (THOUGHT, ANSWER[:at].rstrip())
    at = len(turn.answer_back) if turn.answer_back else 0
    turn.take_over("other", "any", "answer")
    for frame in [*deltas(cut(ANSWER[at:], rest_by), field), FINISH, DONE]:
        events += turn.feed(lines(frame), 3)
    assert text(events, OutputDelta) == ANSWER
    assert text(events, ReasoningDelta) == THOUGHT
    assert isinstance(events[-1], Done)
    assert sum(isinstance(event, ReasoningSummary) for event in events) == 1
    assert turn.observation() is None


@pytest.mark.parametrize("labelled", [True, False])
@given(at=st.integers(1, len(THOUGHT)), by=places)
@example(at=len(THOUGHT), by=[])
def test_thinking_that_is_continued_at_any_byte_is_the_whole_thinking(
    labelled: bool, at: int, by: list[int]
) -> None:
    turn = make_turn("both", keeps_answer=True)
    pieces = deltas(cut(THOUGHT[:at], by), "reasoning_content")
    if not labelled:
        pieces = deltas(["<think>", *cut(THOUGHT[:at], by)], "content")
    events = turn.start(0)
    for frame in pieces:
        events += turn.feed(lines(frame), 1)
    events += turn.close(2)
    assert turn.broken_in == "thinking"
    events += turn.break_off(2)
    turn.take_over("other", "any", "thinking")
    at = len(turn.thoughts_back)
    rest = [delta(reasoning_content=THOUGHT[at:])] if labelled else []
    rest += [delta(content="Four." if labelled else f"{THOUGHT[at:]}</think>Four.")]
    for frame in [*rest, FINISH, DONE]:
        events += turn.feed(lines(frame), 3)
    assert text(events, ReasoningDelta) == THOUGHT
    assert text(events, OutputDelta) == "Four."
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}])],
        [
            delta(content="I look."),
            delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f"}}]),
        ],
        [delta(content="It is four."), FINISH],
        [delta(content="<think>Two.</think>")],
    ],
    ids=["nothing", "a call", "a call behind text", "a whole answer", "thinking that has ended"],
)
def test_what_is_never_continued(frames: list[Any]) -> None:
    turn = make_turn("both", keeps_answer=True)
    turn.start(0)
    for frame in frames:
        turn.feed(lines(frame), 1)
    assert turn.broken_in is None


def test_nothing_is_kept_where_answers_are_not_continued() -> None:
    turn = make_turn("both")
    turn.feed(lines(delta(content="It is")), 1)
    assert turn.broken_in is None


def test_white_space_is_not_doubled_where_the_rest_comes_in_one_piece() -> None:
    turn = make_turn("both", keeps_answer=True)
    events = turn.start(0) + turn.feed(lines(delta(content="It is\n")), 1) + turn.close(2)
    events += turn.break_off(2)
    turn.take_over("other", "any", "answer")
    rest = {"message": {"role": "assistant", "content": "\nfour."}, "finish_reason": "stop"}
    body = {"choices": [{"index": 0, **rest}]}
    events += turn.feed([json.dumps(body).encode()], 3) + turn.close(4)
    assert text(events, OutputDelta) == "It is\nfour."
    assert isinstance(events[-1], Done)


def test_repeated_white_space_alone_makes_no_event() -> None:
    turn = make_turn("both", keeps_answer=True)
    turn.start(0)
    turn.feed(lines(delta(reasoning_content="I add.\n\n")), 1)
    turn.close(2)
    turn.break_off(2)
    turn.take_over("other", "any", "thinking")
    assert turn.feed(lines(delta(reasoning_content="\n\n")), 3) == []
