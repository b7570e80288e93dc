"""Reasoning that comes both in a field and between tags in the content is shown once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.events import OutputDelta, ReasoningDelta, ReasoningSummary
from tests.core.cuts import cut, places
from tests.core.scripted import DONE, delta, finish, lines, make_turn, run, text

THOUGHT = "I add two and two.\n\nThat makes four, as 2 + 2 = 4."
MODELS = ("any", "deepseek-r1", "qwen3.5", "gpt-oss", "minimax-m2")


def shown(*deltas: dict[str, Any], reason: str = "stop", model: str = "any") -> tuple[str, str]:
    """The trace and the answer."""
    frames = [delta(**fields) for fields in deltas]
    events = run(make_turn("both", model), lines(*frames, finish(reason), DONE))
    assert [type(event) for event in events].count(ReasoningSummary) == 1
    return text(events, ReasoningDelta), text(events, OutputDelta)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize(
    "content", [f"<think>{THOUGHT}</think>", f"\n<think>\n{THOUGHT}\n</think>\n\n"]
)
def test_a_message_in_one_piece(content: str, field: str, model: str) -> None:
    assert shown({"content": f"{content}Four", field: THOUGHT}, model=model) == (THOUGHT, "Four")


@given(data=st.data(), by=places, content_by=places, model=st.sampled_from(MODELS))
def test_any_order_of_the_pieces(
    data: st.DataObject, by: list[int], content_by: list[int], model: str
) -> None:
    content = f"<think>\n{THOUGHT}\n</think>\n\nFour, `<b>`."
    pieces = {
        "reasoning_content": cut(THOUGHT, by),
        "content": cut(content, content_by),
    }
    deltas = []
    while any(pieces.values()):
        name = data.draw(st.sampled_from([name for name, left in pieces.items() if left]))
        deltas.append({name: pieces[name].pop(0)})
    trace, answer = shown(*deltas, model=model)
    assert trace.split() == THOUGHT.split()
    assert answer == "Four, `<b>`."


def test_a_copy_that_is_cut_off() -> None:
    deltas = {"reasoning_content": "I add."}, {"content": "<think>I ad"}
    assert shown(*deltas, reason="length") == ("I add.", "")
    assert shown(*deltas, reason="stop") == ("I add.", "")


def test_another_block_in_the_content_is_reasoning_too() -> None:
    deltas = {"reasoning_content": "I add. "}, {"content": "<think>I check.</think>Four"}
    assert shown(*deltas) == ("I add. I check.", "Four")


def test_an_answer_that_begins_with_a_tag_is_not_lost() -> None:
    deltas = {"reasoning_content": "I explain it."}, {"content": "<think> begins a block."}
    assert shown(*deltas) == ("I explain it.", "<think> begins a block.")


@pytest.mark.parametrize("answer", ["It is `<think>`.", "</think> ends it.", "a <think>b</think>"])
def test_tags_in_the_answer_are_text(answer: str) -> None:
    assert shown({"reasoning_content": "I add."}, {"content": answer}) == ("I add.", answer)
