"""Thinking that is ended: when it is, and the two answers as one."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.continuation import (
    FirstAnswer,
    answer_limits,
    closing_sentence,
    cut_thoughts,
    joined_usage,
)
from gateway.core.effects import EndThinking
from gateway.core.events import Done, Event, Failed, OutputDelta, ReasoningDelta, ReasoningSummary
from gateway.core.thinking import ThinkingLimit, count_tokens, with_slack
from gateway.core.turn import Turn
from gateway.errors import UpstreamBroke
from tests.core.cuts import cut, places
from tests.core.scripted import DONE, FINISH, contents, delta, lines, make_turn, text

THOUGHT = "I add two and two. Two and two make four.\nI could say more, but <that> will do."
ANSWER = "It is **4**. I say <b>four</b>."
SENTENCE = closing_sentence("any")


class Upstreams:
    """Feeds a turn as the relay does: a first answer, and a second where the turn asks for it."""

    def __init__(self, turn: Turn, *, is_prefill: bool = True) -> None:
        self.turn = turn
        self.events: list[Event] = turn.start(0)
        self.effects: list[EndThinking] = []
        self._is_prefill = is_prefill

    def feed(self, frames: list[Any], second: list[list[bytes]]) -> None:
        """Feeds the first answer frame by frame; after a cut, the second read by read."""
        for frame in frames:
            self._take(self.turn.feed(lines(frame), 1))
            if self._ends_thinking():
                self._take(self.turn.cut(2, is_prefill=self._is_prefill))
                self.turn.continue_with("upstream", "any", is_prefill=self._is_prefill)
                for read in second:
                    self._take(self.turn.feed(read, 3))
                    assert not self._ends_thinking(), "the thinking is ended once"
                break
        self._take(self.turn.close(4))

    def request(self) -> None:
        """The client wants the answer now, while nothing arrives."""
        self.turn.limit.request()

    def _take(self, events: list[Event]) -> None:
        self.events += events

    def _ends_thinking(self) -> bool:
        match self.turn.next_effect(2):
            case EndThinking() as effect:
                self.effects.append(effect)
                return True
        return False

    @property
    def trace(self) -> str:
        return text(self.events, ReasoningDelta)

    @property
    def answer(self) -> str:
        return text(self.events, OutputDelta)

    @property
    def done(self) -> Done:
        end = self.events[-1]
        assert isinstance(end, Done), end
        return end


def labelled(texts: list[str], field: str = "reasoning_content") -> list[Any]:
    return [delta(**{field: piece}) for piece in texts if piece]


SHAPES = {
    "labelled": ([], "", ""),
    "tags": (contents("<think>\n"), "", "\n</think>\n\n"),
    "one tag by letters": (contents(*"<think>"), "", "</think>"),
}


@pytest.mark.parametrize("shape", ["labelled", "tags"])
@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning"])
@given(at=st.integers(0, len(THOUGHT)), by=places, answer_by=places)
def test_a_trigger_at_any_byte_loses_and_doubles_nothing(
    shape: str, field: str, at: int, by: list[int], answer_by: list[int]
) -> None:
    before, after = THOUGHT[:at], THOUGHT[at:]
    upstreams = Upstreams(make_turn("both"))
    pieces = [piece for piece in cut(before, by) if piece]
    first = labelled(pieces) if shape == "labelled" else contents("<think>\n", *pieces)
    rest = labelled([after]) if shape == "labelled" else contents(after + "\n</think>\n\nNo.")
    frames = [{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}, *first]

    class Trigger(list[Any]):
        """The frames of the first answer; the client asks before the rest."""

        def __iter__(self) -> Any:
            yield from frames
            upstreams.request()
            yield {"choices": []}
            yield from [*rest, FINISH, DONE]

    answer = [delta(**{field: piece}) for piece in cut(ANSWER, answer_by) if piece]
    upstreams.feed(Trigger(), [lines(frame) for frame in [*answer, FINISH, DONE]])
    if shape == "labelled" or before.strip("\n<"):
        may_be_a_tag = "<think>".startswith(before[before.rfind("<") :])
        assert upstreams.effects or may_be_a_tag
    if upstreams.effects:
        shown = upstreams.trace.removesuffix(SENTENCE)
        assert upstreams.trace == shown + SENTENCE
        assert THOUGHT.startswith(shown)
        assert len(shown) >= len(before.rstrip())
        assert upstreams.answer == ANSWER
        assert upstreams.done.thinking_ended == "request"
        assert upstreams.turn.thoughts_back.endswith(SENTENCE.strip())
    else:
        assert upstreams.trace == THOUGHT
        assert upstreams.done.thinking_ended is None
    kinds = [type(event) for event in upstreams.events]
    assert kinds.count(ReasoningSummary) == 1
    assert kinds.index(ReasoningSummary) < kinds.index(OutputDelta) if OutputDelta in kinds else 1


REPEATS = ["</think>", "\n</think>\n\n", " \n\n", "<think>\n\n</think>\n\n", "</think>\n</think>\n"]


@pytest.mark.parametrize("repeat", REPEATS)
@pytest.mark.parametrize("field", ["content", "reasoning_content"])
@given(by=places)
def test_repeated_markers_are_left_out(repeat: str, field: str, by: list[int]) -> None:
    upstreams = Upstreams(make_turn("both"))
    upstreams.request()
    said = [delta(**{field: piece}) for piece in cut(repeat + ANSWER, by) if piece]
    upstreams.feed(labelled(["Hm. "]), [lines(frame) for frame in [*said, FINISH, DONE]])
    assert upstreams.answer == ANSWER
    assert upstreams.trace == "Hm. " + SENTENCE


def test_an_answer_that_is_a_repeated_marker_alone_is_empty() -> None:
    upstreams = Upstreams(make_turn("both"))
    upstreams.request()
    upstreams.feed(labelled(["Hm."]), [lines(*contents("</thi", "nk>", "\n"), FINISH, DONE)])
    assert upstreams.answer == ""


def test_a_new_start_marker_begins_reasoning_that_is_not_ended_again() -> None:
    upstreams = Upstreams(make_turn("both"))
    upstreams.request()
    said = contents("<think>\n", "I am not done.", "\n</think>\n\n", ANSWER)
    upstreams.feed(labelled(["Hm."]), [lines(frame) for frame in [*said, FINISH, DONE]])
    assert upstreams.trace == f"Hm.{SENTENCE}I am not done."
    assert upstreams.answer == ANSWER


def test_a_restart_that_thinks_again_shows_that_as_reasoning() -> None:
    upstreams = Upstreams(make_turn("both"), is_prefill=False)
    upstreams.request()
    said = [*labelled(["I think all the same."]), *contents(ANSWER)]
    upstreams.feed(labelled(["Hm."]), [lines(frame) for frame in [*said, FINISH, DONE]])
    assert upstreams.trace == "Hm.I think all the same."
    assert upstreams.answer == ANSWER


def test_a_request_before_the_first_thought_waits_for_it() -> None:
    turn = make_turn("both")
    turn.limit.request()
    assert turn.next_effect(1) is None
    turn.feed(lines(*labelled(["Hm."])), 1)
    assert turn.next_effect(1) == EndThinking("request")
    assert turn.next_effect(1) is None


def test_thinking_is_not_cut_where_a_marker_may_have_begun() -> None:
    turn = make_turn("both")
    turn.feed(lines(*contents("<think>Hm.\n</thi")), 1)
    turn.limit.request()
    assert turn.next_effect(1) is None
    turn.feed(lines(*contents("nk>")), 1)
    assert turn.next_effect(1) is None
    assert turn.feed(lines(*contents("Yes.")), 1)[-1] == OutputDelta("Yes.")
    assert turn.next_effect(1) is None


def test_an_answer_that_has_begun_is_not_cut() -> None:
    turn = make_turn("both")
    turn.feed(lines(*labelled(["Hm."]), *contents("Yes.")), 1)
    assert not turn.thinks
    turn.limit.request()
    assert turn.next_effect(1) is None


@pytest.mark.parametrize("frames", [20, 29, 30, 400])
def test_a_budget_ends_the_thinking_when_it_is_passed(frames: int) -> None:
    upstreams = Upstreams(make_turn("raw"))
    upstreams.turn.limit.set_limit(30)
    first = [*labelled([" word"] * frames), *contents("Yes."), FINISH, DONE]
    upstreams.feed(first, [lines(*contents(ANSWER), FINISH, DONE)])
    if frames <= 30:
        assert upstreams.done.thinking_ended is None
    else:
        assert upstreams.done.thinking_ended == "budget"
        assert upstreams.trace.removesuffix(SENTENCE).count("word") == 31
        assert upstreams.done.timings.answer_forced_ms == 2000


def test_thinking_that_cannot_be_ended_goes_on() -> None:
    turn = make_turn("raw")
    turn.limit.set_limit(1)
    turn.feed(lines(*labelled([" word"] * 3)), 1)
    assert turn.next_effect(1) == EndThinking("budget")
    turn.limit.give_up()
    turn.feed(lines(*labelled([" word"] * 3), *contents("Yes."), FINISH, DONE), 1)
    assert turn.next_effect(1) is None
    assert turn.limit.why is None


def test_a_second_answer_that_breaks_off_fails_the_turn() -> None:
    turn = make_turn("both")
    turn.feed(lines(*labelled(["Hm."])), 1)
    turn.limit.request()
    turn.next_effect(1)
    turn.cut(1, is_prefill=True)
    turn.continue_with("upstream", "any", is_prefill=True)
    turn.feed(lines(*contents("It")), 2)
    turn.close(3)
    assert isinstance(turn.fault, UpstreamBroke)
    assert isinstance(turn.fail(turn.fault, 3)[-1], Failed)


def test_the_usage_of_both_answers_is_added() -> None:
    second = {
        "prompt_tokens": 130,
        "completion_tokens": 20,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 128, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    assert joined_usage(FirstAnswer(None, 30, 0), second, is_prefill=True) == {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    first = {"prompt_tokens": 99, "completion_tokens": 31}
    joined = joined_usage(FirstAnswer(first, 30, 0), second, is_prefill=True) or {}
    assert (joined["prompt_tokens"], joined["completion_tokens"]) == (99, 51)
    short = {"prompt_tokens": 9, "completion_tokens": 2}
    restarted = joined_usage(FirstAnswer(None, 5, 0), short, is_prefill=False)
    assert restarted == {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "total_tokens": 16,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert joined_usage(FirstAnswer(first, 30, 0), None, is_prefill=True) is None


def test_the_usage_of_an_answer_that_was_continued_has_its_thinking_once() -> None:
    second = {"prompt_tokens": 150, "completion_tokens": 20, "total_tokens": 170}
    assert joined_usage(FirstAnswer(None, 30, 10), second, is_prefill=True) == {
        "prompt_tokens": 110,
        "completion_tokens": 60,
        "total_tokens": 170,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }


@pytest.mark.parametrize("budget", [0, 1, 100, 640, 1000, 32000])
def test_a_server_that_keeps_a_budget_is_never_interrupted(budget: int) -> None:
    limit = ThinkingLimit()
    limit.set_limit(with_slack(budget))
    assert limit.end(budget + max(budget // 10, 64)) is None
    assert limit.end(budget + max(budget // 10, 64) + 1) == "budget"


def test_tokens_are_frames_unless_the_frames_are_long() -> None:
    assert count_tokens(100, 550) == 100
    assert count_tokens(10, 4000) == 1000
    assert count_tokens(0, 0) == 0


@pytest.mark.parametrize(
    ("thoughts", "kept"),
    [
        ("One. Two. Thr", "One. Two. "),
        ("One.\nTw", "One.\n"),
        ("Pi is 3.14", "Pi is 3.14"),
        ("no end at all", "no end at all"),
        ("", ""),
        ("First. " + "x" * 300, "First. " + "x" * 300),
    ],
)
def test_thoughts_are_cut_at_the_last_sentence_near_their_end(thoughts: str, kept: str) -> None:
    assert cut_thoughts(thoughts) == kept


def test_qwen_has_a_sentence_of_its_own() -> None:
    assert "limited time by the user" in closing_sentence("Qwen/Qwen3-8B")
    assert closing_sentence("glm-4.6") == SENTENCE


@pytest.mark.parametrize(
    ("limit", "thought", "left"),
    [(4000, 1000, 3000), (4000, 3900, 1000), (1000, 990, 512), (300, 290, 300)],
)
def test_a_share_of_the_limit_is_left_for_the_answer(limit: int, thought: int, left: int) -> None:
    assert answer_limits({"max_tokens": limit}, thought) == {"max_tokens": left}
    assert answer_limits({}, thought) == {}


def test_every_order_of_events_ends_in_one_answer() -> None:
    """Requests, budgets and the end of the thinking, in every order, for both ways."""
    for steps in itertools.permutations(["request", "budget", "think", "think", "answer"]):
        for is_prefill in (True, False):
            upstreams = Upstreams(make_turn("both"), is_prefill=is_prefill)
            turn = upstreams.turn

            class Steps(list[Any]):
                def __iter__(self, steps: Any = steps, turn: Turn = turn) -> Any:
                    for step in steps:
                        match step:
                            case "request":
                                turn.limit.request()
                            case "budget":
                                turn.limit.set_limit(0)
                            case "think":
                                yield delta(reasoning_content=" Hm.")
                            case "answer":
                                yield delta(content="Yes.")
                    yield from [FINISH, DONE]

            upstreams.feed(Steps(), [lines(*contents("Yes."), FINISH, DONE)])
            assert upstreams.answer == "Yes."
            assert len(upstreams.effects) <= 1
            assert isinstance(upstreams.events[-1], Done)
