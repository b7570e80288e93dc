"""A turn's events: order, text and end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import ReasoningMode
from gateway.core.events import (
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Timings,
    Tokens,
    ToolCallDelta,
)
from gateway.core.phases import NOT_DETECTED
from gateway.errors import UpstreamTimeout
from tests.core.cuts import cut, places
from tests.core.scripted import (
    DONE,
    FINISH,
    USAGE,
    contents,
    delta,
    finish,
    joined,
    lines,
    make_turn,
    run,
    text,
)

THOUGHT = "I should greet in one sentence and keep it short."
GREETING = [
    *contents("<think>\n", THOUGHT, "\n</think>", "\n\n", "Hi! Nice"),
    *contents(" to meet."),
]

RANK = {
    PromptSummary: 0,
    ReasoningDelta: 1,
    SummaryDelta: 1,
    ReasoningSummary: 2,
    OutputDelta: 3,
    ToolCallDelta: 3,
    Done: 4,
    Failed: 4,
}


def check_order(events: list[Event]) -> None:
    """Phases only move forward, and there is exactly one end, which comes last."""
    ranks = [RANK[type(event)] for event in events if type(event) is not Extra]
    assert ranks == sorted(ranks)
    assert ranks.count(0) == 1
    assert ranks.count(2) <= 1
    assert ranks.count(4) == 1


def test_the_phases_of_a_turn() -> None:
    events = run(make_turn("both"), lines(*GREETING), lines(FINISH, USAGE, DONE))
    assert events == [
        PromptSummary("What is 2+2?", 1),
        ReasoningDelta(THOUGHT),
        ReasoningSummary(THOUGHT, THOUGHT),
        OutputDelta("Hi! Nice to meet."),
        Done("stop", {"total_tokens": 3}, Timings(1, 1000, 1000, 1000, 2000), Tokens(13, 5)),
    ]


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("summary", [PromptSummary, ReasoningSummary, OutputDelta, Done]),
        ("raw", [PromptSummary, ReasoningDelta, OutputDelta, Done]),
        ("both", [PromptSummary, ReasoningDelta, ReasoningSummary, OutputDelta, Done]),
        ("none", [PromptSummary, OutputDelta, Done]),
    ],
)
def test_the_reasoning_option_selects_the_events(mode: str, kinds: list[type[Event]]) -> None:
    events = run(make_turn(mode), lines(*GREETING, FINISH, DONE))
    assert [type(event) for event in events] == kinds


def test_missing_reasoning_is_reported() -> None:
    events = run(make_turn(), lines(*contents("Hi"), FINISH, DONE))
    assert events[1:3] == [ReasoningSummary(NOT_DETECTED, NOT_DETECTED), OutputDelta("Hi")]


def test_an_empty_block_counts_as_no_reasoning() -> None:
    events = run(make_turn(), lines(*contents("<think>\n\n</think>Hi"), FINISH, DONE))
    assert text(events, ReasoningSummary) == NOT_DETECTED


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_markers_are_not_searched_beside_labelled_fields(field: str) -> None:
    frames = [delta(**{field: THOUGHT}), *contents("<think>", " is a tag"), FINISH, DONE]
    events = run(make_turn("raw"), lines(*frames))
    assert text(events, ReasoningDelta) == THOUGHT
    assert text(events, OutputDelta) == "<think> is a tag"


def test_a_text_under_both_labelled_names_counts_once() -> None:
    events = run(make_turn("raw"), lines(delta(reasoning="a", reasoning_content="a"), FINISH))
    assert text(events, ReasoningDelta) == "a"


def test_an_empty_labelled_field_is_ignored() -> None:
    frames = [delta(reasoning_content="", content="<think>a</think>"), *contents("b"), FINISH]
    events = run(make_turn("raw"), lines(*frames))
    assert (text(events, ReasoningDelta), text(events, OutputDelta)) == ("a", "b")


def test_white_space_before_a_labelled_field_is_kept_for_the_answer() -> None:
    frames = [delta(content="\n"), delta(reasoning="a"), delta(content="b"), FINISH]
    events = run(make_turn("raw"), lines(*frames))
    check_order(events)
    assert text(events, OutputDelta) == "\nb"


def test_reasoning_after_the_answer_began_is_only_in_the_trace() -> None:
    frames = [delta(reasoning="a"), delta(content="b"), delta(reasoning="c"), delta(content="d")]
    assert text(run(make_turn("raw"), lines(*frames, FINISH)), ReasoningDelta) == "ac"
    events = run(make_turn("both"), lines(*frames, FINISH))
    assert text(events, ReasoningSummary) == "A"
    assert text(events, OutputDelta) == "bd"


def test_a_tool_call_ends_the_reasoning() -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}
    frames = [*contents("<think>I call f."), delta(tool_calls=[call]), finish("tool_calls"), DONE]
    events = run(make_turn(), lines(*frames))
    check_order(events)
    assert events[1:3] == [ReasoningSummary("I call f.", "I call f."), ToolCallDelta(call)]
    assert events[-1].finish_reason == "tool_calls"


def test_the_arguments_of_a_tool_call_count_as_output() -> None:
    call = {"index": 0, "id": "call_1", "function": {"name": "look", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"at": "a place"}'}}
    frames = [delta(tool_calls=[call]), delta(tool_calls=[more, {"index": 0, "function": None}])]
    events = run(make_turn(), lines(*frames, finish("tool_calls")))
    assert events[-1].tokens == Tokens(0, 6)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"stop_reason": None}, None),
        ({"stop_reason": "END"}, "END"),  # vLLM
        ({"stop_reason": 151645}, None),
        ({"matched_stop": "END"}, "END"),  # SGLang
        ({"matched_stop": 151645}, None),
    ],
)
def test_the_stop_sequence_is_reported(said: dict[str, Any], expected: str | None) -> None:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **said}]}
    assert run(make_turn(), lines(*contents("a"), last, DONE))[-1].stop_sequence == expected


def test_unknown_delta_fields_pass_through() -> None:
    frames = [delta(content="a", refusal="no", role="assistant", audio=None), FINISH]
    assert Extra({"refusal": "no"}) in run(make_turn(), lines(*frames))


def test_fields_of_the_whole_answer_come_once() -> None:
    marks = {"system_fingerprint": "fp_1", "service_tier": None}
    frames = [{**delta(content=text), **marks} for text in "abc"]
    for turn, reads in ((make_turn(), [lines(*frames, FINISH, DONE)]), (make_turn(), frames)):
        events = run(turn, *[r if isinstance(r, list) else lines(r) for r in reads], lines(FINISH))
        extras = [event for event in events if isinstance(event, Extra)]
        assert extras == [Extra({}, chunk={"system_fingerprint": "fp_1"})]


def with_logprobs(**fields: Any) -> dict[str, Any]:
    """A chunk with one delta and the logprobs of its token."""
    chunk = delta(**fields)
    [token] = fields.values()
    chunk["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -1.0}]}
    return chunk


@pytest.mark.parametrize(
    ("said", "thought", "answered"),
    [
        ([("reasoning", "I"), ("content", "4"), ("reasoning", "u"), ("content", ".")], "Iu", "4."),
        ([("content", text) for text in ("<think>", "I", "</think>", "4", ".")], "I", "4."),
    ],
)
def test_logprobs_of_hidden_reasoning_are_hidden(
    said: list[tuple[str, str]], thought: str, answered: str
) -> None:
    def tokens(mode: ReasoningMode, *reads: list[bytes]) -> set[str]:
        events = run(make_turn(mode), *reads, lines(FINISH, DONE))
        found = [e.choice["logprobs"]["content"] for e in events if isinstance(e, Extra)]
        return {token["token"] for [token] in found} - {"<think>", "</think>"}

    frames = [with_logprobs(**{name: text}) for name, text in said]
    for reads in ([lines(*frames)], [lines(frame) for frame in frames]):
        assert tokens("summary", *reads) == set(answered)
        assert tokens("raw", *reads) == set(thought + answered)


@pytest.mark.parametrize("field", [{"refusal": "No."}, {"function_call": {"name": "f"}}])
def test_a_refusal_or_function_call_ends_the_reasoning(field: dict[str, Any]) -> None:
    events = run(make_turn(), lines(delta(reasoning="I think."), delta(**field), FINISH, DONE))
    assert [type(e) for e in events][1:3] == [ReasoningSummary, Extra]


def test_copies_of_the_reasoning_do_not_leak() -> None:
    details = [{"type": "reasoning.text", "text": "secret"}]
    events = run(make_turn(), lines(delta(reasoning="secret", reasoning_details=details), FINISH))
    assert not any(type(event) is Extra for event in events)


def test_reasoning_cut_off_by_length_leaves_the_answer_empty() -> None:
    events = run(make_turn("both"), lines(*contents("<think>a b"), finish("length"), DONE))
    assert [type(e) for e in events[1:]] == [ReasoningDelta, ReasoningSummary, Done]
    assert events[-1].finish_reason == "length"


def test_text_of_a_model_that_starts_inside_is_the_answer_if_no_marker_comes() -> None:
    events = run(make_turn(model="deepseek-r1"), lines(*contents("It ", "is 4."), FINISH, DONE))
    check_order(events)
    assert text(events, OutputDelta) == "It is 4."
    assert text(events, ReasoningSummary) == NOT_DETECTED


PREAMBLE = [
    delta(content="Sure, let me think. "),
    delta(reasoning_content="Two and two are added. "),
    delta(reasoning_content="The result is 4."),
    delta(content="It is 4."),
    FINISH,
]


@pytest.mark.parametrize("model", ["qwen3.5-9b", "deepseek-v3.2", "deepseek-r1"])
@pytest.mark.parametrize("one_read", [True, False])
def test_a_preamble_of_a_model_that_may_think_waits_for_labelled_reasoning(
    model: str, one_read: bool
) -> None:
    reads = [lines(*PREAMBLE)] if one_read else [lines(frame) for frame in PREAMBLE]
    events = run(make_turn(model=model), *reads)
    check_order(events)
    assert text(events, ReasoningSummary) == "Two and two are added. The result is 4."
    assert text(events, OutputDelta) == "Sure, let me think. It is 4."


def test_a_preamble_of_any_other_model_streams_and_the_reasoning_goes_into_the_trace() -> None:
    """Only an answer that waits could have a summary of what comes after its first words."""
    reads = [lines(frame) for frame in PREAMBLE]
    events = run(make_turn("raw"), *reads)
    assert events[1] == OutputDelta("Sure, let me think. ")
    assert text(events, ReasoningDelta) == "Two and two are added. The result is 4."
    assert text(events, OutputDelta) == "Sure, let me think. It is 4."


# How a turn ends.


@pytest.mark.parametrize("end", [[FINISH], [FINISH, DONE], [DONE]])
def test_a_finish_reason_or_done_completes_a_stream(end: list[object]) -> None:
    events = run(make_turn(), lines(*contents("Hi"), *end))
    assert type(events[-1]) is Done
    assert events[-1].finish_reason == "stop"


def test_a_stream_that_breaks_off_fails_after_all_its_text() -> None:
    events = run(make_turn("raw"), lines(*contents("<think>a</think>b", "c")))
    check_order(events)
    assert text(events, OutputDelta) == "bc"
    assert events[-1].error.code == "upstream_broke_off"


@pytest.mark.parametrize("none", ["", "null"])
def test_an_empty_finish_reason_does_not_end_the_answer(none: str) -> None:
    """Some servers send one with each delta, also between the halves of a marker."""
    said = [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": none}]}
        for text in ("<thi", "nk>a</th", "ink>b", "c")
    ]
    events = run(make_turn("raw"), lines(*said))
    check_order(events)
    assert text(events, ReasoningDelta) == "a"
    assert text(events, OutputDelta) == "bc"
    assert events[-1].error.code == "upstream_broke_off"
    assert type(run(make_turn("raw"), lines(*said, FINISH))[-1]) is Done


def test_held_back_text_comes_out_before_a_failure() -> None:
    events = run(make_turn(), lines(*contents("<thi")))
    assert events[-2] == OutputDelta("<thi")
    assert type(events[-1]) is Failed


def test_a_failure_outside_the_turn_ends_it() -> None:
    turn = make_turn("raw")
    events = run(turn, lines(*contents("<think>a</thi")), close=False)
    error = UpstreamTimeout("It fell silent.", code="upstream_idle_timeout")
    events += turn.fail(error, 9)
    check_order(events)
    assert text(events, ReasoningDelta) == "a</thi"
    assert events[-1] == Failed(error.info, Timings(1, 1000, None, None, 9000))
    assert turn.ended


def test_a_failure_after_the_finish_reason_is_ignored() -> None:
    turn = make_turn()
    events = run(turn, lines(*contents("Hi"), FINISH), close=False)
    events += turn.fail(UpstreamTimeout("It did not hang up."), 9)
    assert type(events[-1]) is Done


def test_the_finish_reason_of_a_failed_attempt_is_dropped() -> None:
    turn = make_turn()
    assert run(turn, lines(FINISH), close=False)[1:] == []
    turn.call("another", "any")
    events = run(turn, lines(*contents("Hi")))
    assert text(events, OutputDelta) == "Hi"
    assert events[-1].error.code == "upstream_broke_off"


def test_nothing_comes_after_the_end() -> None:
    turn = make_turn()
    events = run(turn, lines(*contents("Hi"), FINISH, DONE, *contents("more")), lines(DONE))
    check_order(events)
    assert text(events, OutputDelta) == "Hi"
    assert turn.feed(lines(*contents("x")), 9) == turn.close(9) == []
    assert turn.fail(UpstreamTimeout("late"), 9) == []


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"error": {"message": "boom", "code": "x"}}, "boom"),
        ({"error": "boom"}, "boom"),
        ({"type": "error", "error": {"type": "api_error", "message": "boom"}}, "boom"),
        ({"object": "error", "message": "boom", "code": 400}, "boom"),
        ({"detail": "boom"}, "boom"),
        (
            {
                "choices": [{"delta": {"content": ""}, "finish_reason": "error"}],
                "error": {"code": 502, "message": "boom"},
            },
            "boom",
        ),
        ({"error": {}}, "The upstream reported an error in its answer."),
        ('{"choices": [{"del', "The upstream sent a chunk that could not be read."),
        ({"choices": "x"}, "The upstream sent a chunk that could not be read."),
    ],
)
def test_an_error_in_the_stream_is_a_failure(frame: object, message: str) -> None:
    events = run(make_turn(), lines(*contents("Hi"), frame, *contents(" there"), DONE))
    check_order(events)
    assert text(events, OutputDelta) == "Hi"
    assert events[-1].error.message == message


def test_a_named_error_event_is_a_failure() -> None:
    events = run(make_turn(), [b"event: error", b'data: {"message": "boom"}', b""])
    assert events[-1].error.message == "boom"


@pytest.mark.parametrize(
    "frame",
    [
        "ping",
        "",
        "[1]",
        "null",
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"index": 1, "delta": {"content": "other"}}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"type": "ping"},
    ],
)
def test_odd_frames_are_ignored(frame: object) -> None:
    events = run(make_turn(), lines(*contents("Hi"), frame, *contents("!"), FINISH, DONE))
    assert (text(events, OutputDelta), type(events[-1])) == ("Hi!", Done)


def test_invalid_utf8_and_lone_surrogates_pass() -> None:
    halves = [rb'{"choices":[{"delta":{"content":"\ud83d"}}]}', *contents("\ude00")]
    broken = b'{"choices":[{"delta":{"content":"a\xff"}}]}'
    events = run(make_turn(), lines(*halves, broken, FINISH))
    assert text(events, OutputDelta) == "\ud83d\ude00a\ufffd"


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_body_is_read_like_a_stream(indent: int | None) -> None:
    message = {"role": "assistant", "content": f"<think>{THOUGHT}</think>Hi"}
    body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"x": 1}}
    events = run(make_turn(), json.dumps(body, indent=indent).encode().splitlines())
    assert text(events, ReasoningSummary) == THOUGHT
    assert text(events, OutputDelta) == "Hi"
    assert events[-1].usage == {"x": 1}


def test_a_json_body_with_an_error_is_a_failure() -> None:
    events = run(make_turn(), [b'{"error": {"message": "boom"}}'])
    assert events[-1].error.message == "boom"


def test_a_body_that_is_neither_json_nor_a_stream_is_a_failure() -> None:
    assert type(run(make_turn(), [b"<html>", b"nope", b"</html>"])[-1]) is Failed


# Properties.

pieces_of_text = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "\n", "I add 2 and 2. ", "Therefore, it is 4. ", "a", "<th", "é🤔"]
    ),
    max_size=30,
)


@given(
    pieces=pieces_of_text,
    where=places,
    mode=st.sampled_from(["summary", "raw", "both", "none"]),
    end=st.sampled_from([[FINISH, DONE], [finish("length")], []]),
    model=st.sampled_from(["any", "deepseek-r1"]),
)
def test_how_reads_are_split_does_not_change_the_events(
    pieces: list[str], where: list[int], mode: str, end: list[object], model: str
) -> None:
    stream = lines(*contents(*pieces), *end)
    whole = run(make_turn(mode, model), stream)
    cuts = [
        stream[a:b]
        for a, b in zip(
            [0, *sorted(w % (len(stream) + 1) for w in where)],
            [*sorted(w % (len(stream) + 1) for w in where), len(stream)],
            strict=True,
        )
    ]
    apart = run(make_turn(mode, model), *cuts)
    for events in (whole, apart):
        check_order(events)
    for kind in (OutputDelta, ReasoningDelta, SummaryDelta, ReasoningSummary):
        assert text(apart, kind) == text(whole, kind)
    assert type(apart[-1]) is type(whole[-1])


@given(pieces=pieces_of_text, where=places)
def test_how_text_is_split_into_deltas_does_not_change_it(
    pieces: list[str], where: list[int]
) -> None:
    whole = "".join(pieces)
    first = run(make_turn("both"), lines(*contents(whole), FINISH))
    again = run(make_turn("both"), lines(*contents(*cut(whole, where)), FINISH))
    assert text(first, OutputDelta) == text(again, OutputDelta)
    assert text(first, ReasoningDelta) == text(again, ReasoningDelta)
    assert text(first, SummaryDelta) == text(again, SummaryDelta)
    assert [e for e in joined(first) if type(e) is OutputDelta] == [
        e for e in joined(again) if type(e) is OutputDelta
    ]


@pytest.mark.parametrize(
    "endless",
    [[b'data: {"choices":', *[b"data: " + b" " * 94] * 9], [b'{"choices":', *[b" " * 99] * 9]],
    ids=["an event", "a body that is not a stream"],
)
def test_memory_for_an_endless_event_is_bounded(
    monkeypatch: pytest.MonkeyPatch, endless: list[bytes]
) -> None:
    monkeypatch.setattr("gateway.upstreams.chat_reader.MAX_EVENT_BYTES", 5000)
    is_stream = endless[0].startswith(b"data")
    turn = make_turn()
    events = turn.start(0)
    turn.call("a", "any")
    if is_stream:
        events += turn.feed(lines(*contents("one"), {"x": "x" * 4000}), 1)
    for _ in range(5):
        events += turn.feed(endless, 1)
        assert turn.fault is None
    events += turn.feed(endless, 1)
    assert turn.fault is not None
    assert turn.fault.code == "upstream_bad_chunk"
    events += turn.fail(turn.fault, 1)
    assert isinstance(events[-1], Failed)
    assert text(events, OutputDelta) == ("one" if is_stream else "")
