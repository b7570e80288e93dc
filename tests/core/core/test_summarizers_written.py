"""Summaries written by a model: asked for at a pace, checked, and never waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Config, ModelConfig
from gateway.core.effects import AskSummaryModel, StopSummaryModel, SummaryReply
from gateway.core.events import Done, OutputDelta, ReasoningSummary, SummaryDelta
from gateway.core.summarizers import (
    OFF,
    SUMMARIZERS,
    ExtractiveSummarizer,
    Summarizers,
    WrittenSummarizer,
)
from gateway.core.summarizers.numbers import numbers
from gateway.core.summarizers.written import ASK_BYTES, ASK_GAP_S, SHARE
from gateway.errors import BadRequest, ConfigError
from gateway.mock.texts import LONG_THINKING, LONG_THINKING_LINE
from tests.core.scripted import FINISH, contents, lines, make_turn
from tests.properties import examples

STEP = "The train covers 120 km in 2 hours, so its speed is 60 km/h. "
FIRST = "The tank holds 40 litres of water, and the pump moves 8 litres a minute. "
SECOND = "Dividing 40 litres by 8 litres a minute gives 5 minutes for the whole tank. "
PART = STEP * (ASK_BYTES // len(STEP) + 1)
GOOD = SummaryReply("**Finding the speed**\n\nThe train goes at 60 km/h.", {"total_tokens": 9})


def asked(summarizer: WrittenSummarizer, text: str = PART, now: float = 0) -> AskSummaryModel:
    """What it asks after this text."""
    summarizer.feed(text)
    ask = summarizer.ask(now)
    assert ask is not None
    return ask


def test_a_part_is_asked_for_when_enough_is_new_and_time_has_passed() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    summarizer.feed(PART[: ASK_BYTES // 2])
    assert summarizer.ask(0) is None
    asked(summarizer)
    summarizer.feed(PART)
    assert summarizer.ask(ASK_GAP_S + 1) is None, "never two in flight"
    summarizer.answer(GOOD)
    assert summarizer.ask(ASK_GAP_S - 0.1) is None
    assert summarizer.ask(ASK_GAP_S) is not None


def test_a_call_repeats_the_one_before_it_and_adds_what_is_new() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    first = asked(summarizer)
    summarizer.answer(GOOD)
    second = asked(summarizer, FIRST * 30, ASK_GAP_S)
    assert second.messages[: len(first.messages)] == first.messages, "the prefix cache has it"
    reply, new = second.messages[len(first.messages) :]
    assert reply == {
        "role": "assistant",
        "content": "**Finding the speed** The train goes at 60 km/h.",
    }
    assert "How fast is the train?" in first.messages[1]["content"]
    assert "pump" in new["content"]
    assert "covers 120 km" not in new["content"]


def test_a_dropped_reply_is_not_repeated() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    asked(summarizer)
    summarizer.answer(SummaryReply("The moon is a cheese of great age."))
    second = asked(summarizer, FIRST * 30, ASK_GAP_S)
    assert [message["role"] for message in second.messages] == ["system", "user"]
    assert "cheese" not in str(second.messages)
    assert "covers 120 km" in second.messages[1]["content"]
    assert "pump" in second.messages[1]["content"]


def test_the_calls_write_at_most_their_share_of_what_was_thought() -> None:
    summarizer = WrittenSummarizer("", 60)
    thought, written = 0.0, 0
    for part in range(40):
        summarizer.feed(PART)
        thought += len(PART) / 4
        ask = summarizer.ask(part * ASK_GAP_S)
        if ask is not None:
            written += 2 * ask.max_tokens  # a server that ignores the limit
            usage = {"completion_tokens": 2 * ask.max_tokens}
            summarizer.answer(SummaryReply(GOOD.text, usage))
            assert written <= SHARE * thought + ask.max_tokens + 1
    assert written > SHARE * thought / 2


def test_a_call_that_was_not_made_is_made_up_for() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    first = asked(summarizer)
    assert summarizer.answer(SummaryReply(None, was_made=False)) == []
    again = asked(summarizer, FIRST, ASK_GAP_S)
    assert "covers 120 km" in again.messages[1]["content"]
    assert again.messages[0] == first.messages[0]
    assert "How fast is the train?" in again.messages[1]["content"]


def test_a_model_that_can_never_be_asked_leaves_the_extractive_summary() -> None:
    text = (FIRST + SECOND + STEP) * 40
    summarizer, alone = WrittenSummarizer("", 60), ExtractiveSummarizer("", 60)
    for second, at in enumerate(range(0, len(text), 500)):
        piece = text[at : at + 500]
        assert summarizer.feed(piece) == alone.feed(piece)
        if summarizer.ask(second) is not None:
            assert summarizer.answer(SummaryReply(None, was_made=False)) == []
    assert summarizer.close() == alone.close()


@pytest.mark.parametrize(("cached", "messages"), [(900, 4), (0, 2), (None, 4)])
def test_a_call_repeats_little_where_the_cache_has_nothing(
    cached: int | None, messages: int
) -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    asked(summarizer)
    summarizer.answer(SummaryReply(GOOD.text, {"prompt_tokens": 1000, "completion_tokens": 20}))
    asked(summarizer, FIRST * 30, ASK_GAP_S)
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    usage = {"prompt_tokens": 1500, "completion_tokens": 20, **details}
    summarizer.answer(SummaryReply("The pump moves 8 litres of water a minute.", usage))
    third = asked(summarizer, SECOND * 30, 2 * ASK_GAP_S)
    assert len(third.messages) == messages


@examples(0.5)
@given(
    st.lists(st.sampled_from([STEP, FIRST, SECOND]), min_size=15, max_size=40),
    st.lists(st.from_regex(r"[A-Z][a-z ]{3,20} (train|pump) [a-z0-9 ]{1,20}\.", fullmatch=True)),
)
def test_no_number_is_shown_that_was_not_thought(thoughts: list[str], replies: list[str]) -> None:
    summarizer, shown, known = WrittenSummarizer("", 60), [""], numbers("".join(thoughts))
    for second, thought in enumerate(thoughts):
        shown += summarizer.feed(thought * 10)
        if replies and summarizer.ask(second * ASK_GAP_S) is not None:
            shown += summarizer.answer(SummaryReply(replies.pop()))
    summary = summarizer.close()
    assert numbers("\n".join([*shown, *summary.lines, summary.closing, summary.text])) <= known


def test_a_call_is_ended_with_the_thinking() -> None:
    turn = make_turn(summarizer=WrittenSummarizer("", 60))
    turn.start(0)
    turn.feed(lines(*contents(f"<think>{PART}")), 1)
    assert isinstance(turn.next_effect(1), AskSummaryModel)
    turn.feed(lines(*contents("</think>It is fast.")), 2)
    assert turn.next_effect(2) == StopSummaryModel()
    assert turn.next_effect(3) is None


def test_calls_stay_bounded_however_long_the_reasoning() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    for part in range(60):
        ask = asked(summarizer, PART, part * ASK_GAP_S)
        assert sum(len(message["content"]) for message in ask.messages) < 60_000
        assert ask.max_tokens <= SHARE * (len(PART) / 4 + 20)
        summarizer.answer(GOOD)


def test_what_the_model_wrote_is_one_line_with_its_heading() -> None:
    summarizer = WrittenSummarizer("", 60)
    asked(summarizer)
    assert summarizer.answer(GOOD) == ["**Finding the speed** The train goes at 60 km/h."]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        "",
        "**Heading alone**",
        "The train goes at 61 km/h.",
        "**Step 3** The train goes at 60 km/h.",
        "The train covers its way at a speed. " * 8,
        "The train covers 120 km in 2 hours, so its",
        "El tren recorre 120 km en 2 horas y la velocidad es de 60 km/h.",
        "火车在两小时内行驶了一百二十公里。",
        "Sorry, our favourite pasta recipe needs garlic and some basil leaves.",
        "Let me think about the speed of the train.",
        "The user wants to know how fast the train is.",
        "The train goes at sixty-one km/h.",
        "<think>\nThe train goes at 60 km/h",
        "The train goes at 60 km/h.</think>",
        "Sure, here is the line: the train goes at 60 km/h.",
        "I cannot say how fast the train goes in 2 hours.",
        "Here is the summary of the train's speed:",
        "Hmm, the train covers 120 km in 2 hours.",
    ],
    ids=[
        *("failed", "empty", "no sentence", "an invented number", "one in the heading"),
        *("too long", "cut off", "Spanish", "Chinese", "about something else", "talk", "more talk"),
        *("a number in words", "an open thought", "a closed thought", "a preface", "a refusal"),
        *("a preface alone", "thinking aloud"),
    ],
)
def test_the_reader_does_not_notice_a_bad_reply(reply: str | None) -> None:
    text = (FIRST + SECOND + STEP) * 12
    summarizer, alone = WrittenSummarizer("", 60), ExtractiveSummarizer("", 60)
    assert summarizer.feed(text) == alone.feed(text)
    assert summarizer.ask(0) is not None
    assert summarizer.answer(SummaryReply(reply)) == []
    assert summarizer.feed(PART) == alone.feed(PART)
    assert summarizer.close() == alone.close()


def test_extractive_lines_go_on_while_the_model_writes() -> None:
    text = "".join(f"Tank {n} of town{n} holds {40 + n} litres of oil{n}. " for n in range(200))
    summarizer, alone = WrittenSummarizer("", 60), ExtractiveSummarizer("", 60)
    asked(summarizer)
    alone.feed(PART)
    lines = summarizer.feed(text)
    assert lines == alone.feed(text)
    assert len(lines) > 3


def test_a_reply_that_says_the_same_again_is_dropped() -> None:
    summarizer = WrittenSummarizer("", 60)
    asked(summarizer)
    assert summarizer.answer(GOOD)
    asked(summarizer, PART, ASK_GAP_S)
    assert summarizer.answer(GOOD) == []


def test_numbers_count_in_any_spelling_and_from_the_prompt() -> None:
    summarizer = WrittenSummarizer("A crate of 12 costs how much?", 60)
    asked(summarizer, "It is 1,250.50 in all. " * 70)
    assert summarizer.answer(SummaryReply("Twelve (12) crates cost 1250.5 in all.")) != []
    assert summarizer.close().lines == ()


def test_a_number_is_not_cut_where_a_part_ends() -> None:
    summarizer = WrittenSummarizer("", 60)
    ask = asked(summarizer, PART + "So it is 60")
    assert (
        ask.messages[1]["content"]
        .rstrip()
        .endswith("So it is \n</reasoning>\n\nThe line about this part, alone:")
    )
    summarizer.answer(GOOD)
    second = asked(summarizer, "25 km in all. " * 150, ASK_GAP_S)
    assert "6025 km" in second.messages[-1]["content"]


def test_the_first_line_does_not_wait_for_the_model() -> None:
    assert WrittenSummarizer("", 60).feed(FIRST + SECOND) == ExtractiveSummarizer("", 60).feed(
        FIRST + SECOND
    )


def test_the_summary_proper_is_made_of_the_account() -> None:
    summarizer = WrittenSummarizer("How fast is the train?", 60)
    asked(summarizer)
    summarizer.answer(GOOD)
    summary = summarizer.close()
    assert summary.text.startswith("The train goes at 60 km/h.")
    assert "**" not in summary.text


def test_what_the_model_wrote_comes_before_what_it_thought() -> None:
    thought = LONG_THINKING.format(topic="streaming APIs")
    summarizer = WrittenSummarizer("Explain streaming APIs", 60)
    asked(summarizer, thought[:1700])
    summarizer.answer(SummaryReply(LONG_THINKING_LINE))
    summarizer.feed(thought[1700:])
    assert LONG_THINKING_LINE in summarizer.close().text


def test_what_was_not_answered_in_time_is_summed_up_all_the_same() -> None:
    summarizer = WrittenSummarizer("", 60)
    asked(summarizer, FIRST * 30 + SECOND)
    summary = summarizer.close()
    assert "5 minutes" in summary.text


def test_what_is_left_is_read_from_the_beginning_of_a_sentence() -> None:
    steps = "".join(f"Before that, tank {n} takes {n} minutes to be full. " for n in range(10, 99))
    for more in range(60):
        summarizer = WrittenSummarizer("", 120)
        summarizer.feed(steps + "x" * more)
        assert summarizer.close().text.startswith("Before that")


@given(st.lists(st.text(max_size=400), max_size=20), st.data())
def test_no_text_and_no_answer_makes_it_fail(texts: list[str], data: st.DataObject) -> None:
    summarizer = WrittenSummarizer("", 30)
    for now, text in enumerate(texts):
        summarizer.feed(text * 10)
        if summarizer.ask(now * ASK_GAP_S) is not None:
            summarizer.answer(SummaryReply(data.draw(st.none() | st.text(max_size=80))))
    summarizer.close()


def test_a_turn_asks_and_is_answered() -> None:
    turn = make_turn(summarizer=WrittenSummarizer("", 60))
    turn.start(0)
    turn.feed(lines(*contents(f"<think>{PART}")), 1)
    assert turn.next_effect(1) is not None
    [line] = turn.take_summary_reply(GOOD, 2)
    assert line == SummaryDelta("**Finding the speed** The train goes at 60 km/h.")
    events = turn.feed(lines(*contents("</think>It is fast."), FINISH, "[DONE]"), 3)
    assert [type(event) for event in events] == [ReasoningSummary, OutputDelta, Done]
    assert events[-1].total_usage == {"summarizer": {"total_tokens": 9}}  # type: ignore[union-attr]
    assert turn.record()["summarizer"] == {"calls": 1, "failed": 0, "total_tokens": 9}


def test_an_answer_that_comes_after_the_reasoning_is_counted_not_shown() -> None:
    turn = make_turn(summarizer=WrittenSummarizer("", 60))
    turn.start(0)
    turn.feed(lines(*contents(f"<think>{PART}")), 1)
    assert turn.next_effect(1) is not None
    shown = turn.feed(lines(*contents("</think>It is fast.")), 2)
    assert SummaryDelta in map(type, shown) or ReasoningSummary in map(type, shown)
    assert turn.next_effect(20) == StopSummaryModel()
    assert turn.take_summary_reply(GOOD, 20) == []
    assert turn.feed(lines(FINISH, "[DONE]"), 21)[-1].summarizer_usage == {"total_tokens": 9}  # type: ignore[union-attr]


# --- Choosing -------------------------------------------------------------------------------------

WITH_MODEL = {"summarizer_url": "http://127.0.0.1:1", "summarizer_model": "small"}


def test_a_request_chooses_then_the_model_then_the_setting() -> None:
    models = (ModelConfig(match="quiet-*", summarizer=OFF),)
    choice = Summarizers(Config(summarizer="model", models=models, **WITH_MODEL), SUMMARIZERS)
    assert choice.name("any", None) == "model"
    assert choice.name("org/Quiet-7b", None) == OFF
    assert choice.name("quiet-7b", "extractive") == "extractive"


def test_a_request_can_not_choose_what_is_not_offered() -> None:
    with pytest.raises(BadRequest, match=r"one of extractive, off") as caught:
        Summarizers(Config(), SUMMARIZERS).name("any", "model")
    assert caught.value.param == "gateway.summarizer"
    with pytest.raises(BadRequest, match="SUMMARIZER_PER_REQUEST"):
        Summarizers(Config(summarizer_per_request=False), SUMMARIZERS).name("any", OFF)


def test_one_setting_has_a_model_write() -> None:
    choice = Summarizers(Config(summarizer="model"), SUMMARIZERS)
    assert choice.name("any", None) == "model"
    of_a_model = (ModelConfig(match="any", summarizer="model"),)
    choice = Summarizers(Config(models=of_a_model), SUMMARIZERS)
    assert choice.name("any", None) == choice.name("other", "model") == "model"


def test_a_setting_that_can_not_be_kept_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="SUMMARIZER"):
        Summarizers(Config(summarizer="magic"), SUMMARIZERS)
    with pytest.raises(ConfigError, match=r"models\[0\]\.summarizer"):
        Summarizers(Config(models=(ModelConfig(match="*", summarizer="magic"),)), SUMMARIZERS)


def test_url_and_model_go_together() -> None:
    with pytest.raises(ValueError, match="go together"):
        Config(summarizer_url="http://127.0.0.1:1")
