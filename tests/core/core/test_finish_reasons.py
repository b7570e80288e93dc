"""Finish reasons are understood by their meaning, and an end is good only if it is known to be."""

import json
from typing import Any

import pytest

from gateway.apis import DIALECTS, Answer
from gateway.core.events import Done, Event, Failed, OutputDelta
from gateway.core.finish_reasons import Meaning, canonical, meaning_of
from tests.core.scripted import DONE, FINISH, contents, delta, finish, lines, make_turn, run, text

BROKEN = [
    *("abort", "error", "network_error", "insufficient_system_resource"),
    *("MALFORMED_FUNCTION_CALL", "malformedFunctionCall", "UNEXPECTED_TOOL_CALL"),
    # Words that no table can hold.
    *("engine_overloaded", "stream_error", "user_abort", "USER_CANCEL", "error: out of memory"),
    *("preempted", "rate_limit_exceeded", "insufficient_quota", "killed", "kv_cache_evicted"),
]
LENGTH = [
    "repetition",
    "max_time",
    "reached_max_tokens",
    "max_tokens",
    "MAX_TOKENS",
    "model_length",
    "model_context_window_exceeded",
    "maxTokens",
]
FILTERED = ["sensitive", "SAFETY", "RECITATION", "content-filter", "FINISH_REASON_SAFETY"]
FINISHED = ["STOP", "end_turn", "eos", "stop_sequence", "COMPLETE"]
CALLS = ["tool_use", "TOOL_CALL", "toolCalls"]


@pytest.mark.parametrize(
    ("meaning", "reasons", "word"),
    [
        ("broken", BROKEN, None),
        ("length", LENGTH, "length"),
        ("filtered", FILTERED, "content_filter"),
        ("finished", FINISHED, None),
        ("calls", CALLS, "tool_calls"),
        ("calls", ["function_call"], "function_call"),
    ],
)
def test_words_of_one_meaning(meaning: Meaning, reasons: list[str], word: str | None) -> None:
    for reason in reasons:
        assert meaning_of(reason) == meaning, reason
        assert word is None or canonical(reason) == word, reason


def test_an_unknown_word_stays_as_it_came() -> None:
    assert (meaning_of("Weird.Word"), canonical("Weird.Word")) == ("unknown", "Weird.Word")


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_end_is_a_failure(reason: str) -> None:
    events = run(make_turn(), lines(*contents("The answer is"), finish(reason), DONE))
    assert text(events, OutputDelta) == "The answer is"
    assert type(events[-1]) is Failed
    assert reason in events[-1].error.message


@pytest.mark.parametrize(
    ("choice", "end"),
    [
        # SGLang's own form.
        ({"finish_reason": {"type": "abort", "message": "shutdown"}}, None),
        ({"finish_reason": {"type": "length", "length": 16}}, "length"),
        ({"finish_reason": {"type": "stop", "matched": 128009}}, "stop"),
        # OpenRouter's: the word of the server behind it.
        ({"finish_reason": "stop", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}, None),
        ({"finish_reason": "stop", "native_finish_reason": "completed"}, "stop"),
        ({"finish_reason": "length", "native_finish_reason": "abort"}, "length"),
    ],
)
def test_other_places_of_a_finish_reason(choice: dict[str, Any], end: str | None) -> None:
    frame = {"choices": [{"index": 0, "delta": {}, **choice}]}
    last = run(make_turn(), lines(*contents("The answer is"), frame, DONE))[-1]
    assert (last.finish_reason if isinstance(last, Done) else None) == end


def test_before_the_first_word_a_broken_end_leaves_the_turn_open_for_another_upstream() -> None:
    turn = make_turn()
    turn.start(0)
    turn.feed(lines(finish("abort")), 1)
    assert (turn.fault is not None, turn.model_ran, turn.ended) == (True, False, False)


CALL = delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}])


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([CALL, finish("tool_calls"), FINISH, DONE], "tool_calls"),
        ([CALL, DONE], "tool_calls"),
        ([CALL, FINISH, DONE], "stop"),
        ([*contents("a"), FINISH, finish("length"), DONE], "length"),
        ([*contents("a"), DONE], "stop"),
        ([*contents("a"), finish("weird"), DONE], "weird"),
    ],
)
def test_which_of_several_finish_reasons_counts(frames: list[Any], reason: str) -> None:
    assert run(make_turn(), lines(*frames))[-1].finish_reason == reason


@pytest.mark.parametrize(
    ("usage", "limit", "reason"),
    [
        ({"completion_tokens": 8}, 8, "length"),
        ({"completion_tokens": 7}, 8, "stop"),
        ({"completion_tokens": 7}, None, "unknown"),
        (None, 8, "unknown"),
    ],
)
def test_a_body_without_a_finish_reason(
    usage: dict[str, int] | None, limit: int | None, reason: str
) -> None:
    choice = {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    body = json.dumps({"choices": [choice], "usage": usage}).encode()
    events = run(make_turn(max_tokens=limit), [body])
    assert (text(events, OutputDelta), events[-1].finish_reason) == ("Hi", reason)


@pytest.mark.parametrize(
    "answer",
    [
        [b'{"choices": []}'],
        [b'{"choices": [], "usage": {"completion_tokens": 0}}'],
        lines(DONE),
        lines({"choices": []}, DONE),
        [],
    ],
)
def test_an_empty_answer_is_a_failure_that_may_fail_over(answer: list[bytes]) -> None:
    turn = make_turn()
    events = run(turn, answer)
    assert (type(events[-1]), turn.model_ran) == (Failed, False)


# Finish reasons in each format.


def spell(format: str, *frames: object) -> list[dict[str, Any]]:
    """The data of a stream in this format."""
    events: list[Event] = run(make_turn(), lines(*frames))
    dialect = DIALECTS[format](Answer(id="a", model="m", created=1))
    stream = dialect.begin() + dialect.encode(1, events)
    datas = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(data) for data in datas if data != DONE]


@pytest.mark.parametrize(("word", "said"), [("max_tokens", "length"), ("weird", "weird")])
def test_plain_names_a_finish_reason_that_is_not_stop(word: str, said: str) -> None:
    chunks = spell("plain", *contents("Hi"), finish(word), DONE)
    assert chunks[-1] == {"choices": [{"delta": {"content": ""}, "finish_reason": said}]}
    assert spell("plain", *contents("Hi"), finish("eos"), DONE) == [
        {"choices": [{"delta": {"content": "Hi"}}]}
    ]


def test_responses_and_messages_mark_an_unknown_finish_reason() -> None:
    frames = [*contents("Hi"), finish("weird"), DONE]
    final = spell("responses", *frames)[-1]["response"]
    assert (final["status"], final["incomplete_details"]) == ("completed", {"reason": "weird"})
    [end] = [event for event in spell("messages", *frames) if event["type"] == "message_delta"]
    assert end["delta"]["stop_reason"] == "end_turn"
    assert end["usage"]["finish_reason"] == "weird"


@pytest.mark.parametrize("word", LENGTH)
def test_responses_and_messages_say_that_a_limit_ended_the_answer(word: str) -> None:
    frames = [*contents("Hi"), finish(word), DONE]
    assert spell("responses", *frames)[-1]["type"] == "response.incomplete"
    [end] = [event for event in spell("messages", *frames) if event["type"] == "message_delta"]
    assert end["delta"]["stop_reason"] == "max_tokens"


def test_a_good_end_stays_a_good_end() -> None:
    for word in FINISHED:
        assert type(run(make_turn(), lines(*contents("Hi"), finish(word)))[-1]) is Done


@pytest.mark.parametrize("word", ["stop_sequence", "STOP_STRING"])
def test_thoughts_that_a_stop_sequence_has_ended_are_no_answer(word: str) -> None:
    """Its text need not be named."""
    events = run(
        make_turn(model="deepseek-r1"), lines(*contents("I look it up."), finish(word), DONE)
    )
    assert text(events, OutputDelta) == ""
    assert (type(events[-1]), events[-1].finish_reason) == (Done, word)
