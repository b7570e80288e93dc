"""A model that thinks slowly or falls silent: after 15 seconds comes the best line there is."""

import pytest
from hypothesis import given

from gateway.config import ReasoningMode
from gateway.core.effects import AskSummaryModel, SummaryReply
from gateway.core.events import Event, SummaryDelta
from gateway.core.summarizers import LINE_WITHIN_S, ExtractiveSummarizer, WrittenSummarizer
from gateway.core.turn import Turn
from tests.core.cuts import cut, places
from tests.core.scripted import delta, lines, make_turn
from tests.core.scripted import text as text_of

WEAK = "Could the tank hold 40 litres?\n"
STRONG = "So the pump fills the tank in 5 minutes.\n"
DUE = 1 + LINE_WITHIN_S
"""When a line is due in a turn that begins to think at second 1."""


def thinks(turn: Turn, text: str, now: float) -> str:
    """The lines that this reasoning makes."""
    return shown(turn.feed(lines(delta(reasoning_content=text)), now))


def shown(events: list[Event]) -> str:
    return text_of(events, SummaryDelta)


def thinking(reasoning: str, mode: ReasoningMode = "summary") -> Turn:
    """A turn that has thought this at second 1."""
    turn = make_turn(mode)
    turn.start(0)
    assert thinks(turn, reasoning, 1) == ""
    return turn


def test_an_upstream_that_falls_silent_brings_the_best_line_there_is() -> None:
    turn = thinking(f"{WEAK}{STRONG}{WEAK}")
    assert shown(turn.tick(DUE - 0.1)) == ""
    assert shown(turn.tick(DUE)) == "The pump fills the tank in 5 minutes."


def test_a_slow_model_needs_no_tick() -> None:
    turn = thinking(STRONG)
    assert thinks(turn, "Then", DUE - 0.1) == ""
    assert thinks(turn, " the", DUE) == "The pump fills the tank in 5 minutes."


def test_a_text_that_skips_the_parse_brings_it_too() -> None:
    turn = thinking(STRONG)
    assert shown(turn.feed_text("Then", DUE - 0.1)) == ""
    assert shown(turn.feed_text(" the", DUE)) == "The pump fills the tank in 5 minutes."


def test_a_weak_line_is_better_than_none() -> None:
    assert shown(thinking(WEAK).tick(DUE)) == "Could the tank hold 40 litres?"


def test_if_there_is_nothing_the_next_statement_is_the_line() -> None:
    turn = thinking("Let me think about it.\n")
    assert shown(turn.tick(DUE)) == ""
    assert thinks(turn, WEAK, DUE + 1) == "Could the tank hold 40 litres?"


def test_each_line_begins_the_time_anew() -> None:
    turn = thinking(STRONG)
    turn.tick(DUE)
    thinks(turn, "The red lorry carries 733 litres of diesel fuel.\n", DUE + 1)
    assert shown(turn.tick(DUE + LINE_WITHIN_S - 0.1)) == ""
    assert "733 litres" in shown(turn.tick(DUE + LINE_WITHIN_S))


def test_no_line_is_shown_twice() -> None:
    turn = thinking(STRONG)
    turn.tick(DUE)
    thinks(turn, STRONG, DUE + 1)
    assert [turn.tick(DUE + second) for second in range(2, 60)] == [[]] * 58


@pytest.mark.parametrize("mode", ["raw", "none"])
def test_no_line_where_no_summary_is_wanted(mode: ReasoningMode) -> None:
    assert shown(thinking(STRONG, mode).tick(DUE)) == ""


def test_no_line_once_the_answer_has_begun() -> None:
    turn = thinking(STRONG)
    turn.feed(lines(delta(content="5 minutes")), 2)
    assert turn.tick(DUE) == []


def test_no_line_before_the_thinking() -> None:
    turn = make_turn()
    turn.start(0)
    assert turn.tick(DUE) == []


def test_the_lines_of_a_model_count_too() -> None:
    summarizer = WrittenSummarizer("", 60)
    turn = make_turn(summarizer=summarizer)
    turn.start(0)
    thinks(turn, "The train covers 120 km in 2 hours, so its speed is 60 km/h. " * 30, 1)
    assert isinstance(turn.next_effect(1), AskSummaryModel)
    thinks(turn, "The red lorry carries 733 litres of diesel fuel.\n", 2)
    written = "The train goes at 60 km/h."
    assert shown(turn.take_summary_reply(SummaryReply(written), 10)) == written
    assert shown(turn.tick(10 + LINE_WITHIN_S - 0.1)) == ""
    assert "733 litres" in shown(turn.tick(10 + LINE_WITHIN_S))


@given(where=places)
def test_no_cut_changes_what_is_shown_when(where: list[int]) -> None:
    def show(where: list[int]) -> list[list[str]]:
        summarizer = ExtractiveSummarizer("", 60)
        found = []
        for tank in ("red tank", "kitchen's tank", "third"):
            thought = f"{WEAK}{STRONG}Let me see.\n".replace("tank", tank)
            pieces = cut(thought, where)
            found.append([line for piece in pieces for line in summarizer.feed(piece)])
            found.append(summarizer.hurry())
        return found

    assert show(where) == show([])
