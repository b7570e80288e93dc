"""Evidence decides whether a text without markers is reasoning, and no text is lost either way."""

from typing import Any

import pytest

from gateway.config import Config
from gateway.core.events import Done, Event, Failed, OutputDelta, ReasoningDelta
from gateway.core.families import Families
from gateway.core.families.evidence import (
    TURNS_IN_A_ROW,
    Belief,
    Observation,
    Turns,
    decide,
    read_switch,
    shows_other_turns,
)
from tests.core.scripted import DONE, FINISH, contents, delta, finish, lines, make_turn, run, text

HYBRIDS = [
    "deepseek/deepseek-v3.2",
    "Qwen/Qwen3.5-9B",
    "zai-org/GLM-5",
    "moonshotai/kimi-k2.5",
    "MiniMax-M2.5",
    "deepseek-v4",
    "nvidia/nemotron-3-nano",
]
HYBRID = HYBRIDS[0]
ALWAYS = "deepseek-r1"

OFF: list[dict[str, Any]] = [
    {"chat_template_kwargs": {"enable_thinking": False}},
    {"chat_template_kwargs": {"thinking": False}},
    {"chat_template_kwargs": {"thinking_budget": 0}},
    {"enable_thinking": False},
    {"thinking": False},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "enabled", "budget_tokens": 0}},
    {"think": False},
    {"reasoning": False},
    {"reasoning": {"enabled": False}},
    {"reasoning": {"effort": "none"}},
    {"reasoning": {"max_tokens": 0}},
    {"reasoning_effort": "none"},
    {"thinking_budget": 0},
    {"reasoning_budget": 0},
    {"thinking_token_budget": 0},
    {"thinking_budget_tokens": 0},
    {"reasoning_budget_tokens": 0},
    {"max_thinking_tokens": 0},
    {"custom_params": {"thinking_budget": 0}},
    {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
]
HIDDEN: list[dict[str, Any]] = [
    {"reasoning": {"exclude": True}},
    {"include_reasoning": False},
    {"reasoning_format": "hidden"},
]
LABELS: list[dict[str, Any]] = [
    {"reasoning_format": "parsed"},
    {"separate_reasoning": True},
    {"reasoning_split": True},
]
UNLABELLED: list[dict[str, Any]] = [
    {"separate_reasoning": False},
    {"reasoning_format": "raw"},
    {"reasoning_format": "none"},
]
NOTHING: list[dict[str, Any]] = [
    {},
    {"chat_template_kwargs": {"enable_thinking": True}},
    {"chat_template_kwargs": None, "reasoning": 1, "thinking": "x", "think": None},
    {"reasoning_effort": "low", "thinking": {"type": "enabled"}},
    {"thinking_budget": False, "reasoning": {"max_tokens": 100, "exclude": False}},
]


@pytest.mark.parametrize(
    ("switch", "bodies"),
    [
        ("thinking off", OFF),
        ("hidden", HIDDEN),
        ("labels asked for", LABELS),
        ("unlabelled", UNLABELLED),
        (None, NOTHING),
    ],
)
def test_every_spelling_of_a_switch_is_understood(
    switch: str | None, bodies: list[dict[str, Any]]
) -> None:
    for body in bodies:
        assert read_switch(body) == switch, body


ASK = {"role": "user", "content": "Hi"}
SHAPED: list[dict[str, Any]] = [
    {"stop": ["</think>"]},
    {"response_format": {"type": "json_object"}},
    {"guided_choice": ["a", "b"]},
    {"grammar": "root ::= x"},
    {"messages": [ASK, {"role": "assistant", "content": "The answer"}]},
]


@pytest.mark.parametrize("body", [*OFF, *HIDDEN, *LABELS, *UNLABELLED, *SHAPED])
def test_a_text_that_the_request_has_shaped_shows_nothing_of_others(body: dict[str, Any]) -> None:
    assert not shows_other_turns("unmarked", body)
    assert not shows_other_turns("unopened end", body)


@pytest.mark.parametrize("body", [{}, {"messages": [ASK], "tools": [{}], "stop": None}])
def test_any_other_text_shows_how_the_model_answers(body: dict[str, Any]) -> None:
    assert shows_other_turns("unmarked", body)


@pytest.mark.parametrize("body", [*NOTHING, *OFF, *SHAPED])
def test_a_label_shows_that_the_server_labels(body: dict[str, Any]) -> None:
    assert shows_other_turns("labelled", body)


@pytest.mark.parametrize("body", LABELS)
def test_a_label_that_was_asked_for_shows_nothing_of_others(body: dict[str, Any]) -> None:
    assert not shows_other_turns("labelled", body)


@pytest.mark.parametrize(
    ("option", "body", "shown", "opened", "always", "expected"),
    [
        # The client's option is stronger than everything else.
        (True, OFF[0], "labelled", False, False, ("reasoning", "request")),
        (False, {}, "unopened end", True, True, ("answer", "request")),
        # Then the request's switches.
        (None, OFF[0], "unopened end", True, True, ("answer", "thinking off")),
        (None, HIDDEN[0], "unopened end", True, True, ("answer", "hidden")),
        # Then earlier turns.
        (None, {}, "unopened end", False, False, ("reasoning", "turns")),
        (None, LABELS[0], "unopened end", False, False, ("reasoning", "turns")),
        (None, {}, "labelled", True, True, ("answer", "labels")),
        (None, UNLABELLED[0], "labelled", True, False, ("reasoning", "request")),
        (None, {}, "unmarked", True, False, ("answer", "turns")),
        (None, {}, "marked", True, False, ("undecided", "family")),
        # Then the labels that a request asks for, and the family.
        (None, LABELS[0], None, True, True, ("answer", "labels asked for")),
        (None, {}, None, True, True, ("reasoning", "family")),
        (None, {}, None, True, False, ("undecided", "family")),
        (None, {}, None, False, False, ("answer", "family")),
        (None, UNLABELLED[0], None, True, False, ("reasoning", "request")),
        (None, UNLABELLED[0], None, False, False, ("answer", "family")),
    ],
)
def test_the_strongest_evidence_decides(
    option: bool | None,
    body: dict[str, Any],
    shown: Observation | None,
    opened: bool,
    always: bool,
    expected: tuple[str, str],
) -> None:
    belief = decide(option=option, body=body, shown=shown, opened=opened, always=always)
    assert tuple(belief) == expected


STOPPED = {"stopped": True, "stop_sequence": None, "usage": None}
NO_TOKENS = {"completion_tokens_details": {"reasoning_tokens": 0}}


@pytest.mark.parametrize(
    ("belief", "end", "answer"),
    [
        (Belief("undecided", "family"), {}, True),
        (Belief("undecided", "family"), {"stopped": False}, True),
        (Belief("undecided", "family"), {"stop_sequence": "END"}, True),
        (Belief("reasoning", "family"), {}, True),
        (Belief("reasoning", "family"), {"stopped": False}, False),
        (Belief("reasoning", "family"), {"stop_sequence": "END"}, False),
        (Belief("reasoning", "turns"), {"stopped": False}, False),
        (Belief("reasoning", "family"), {"stopped": False, "usage": NO_TOKENS}, True),
        (
            Belief("reasoning", "family"),
            {"stopped": False, "usage": {"reasoning_tokens": 9}},
            False,
        ),
        (Belief("reasoning", "request"), {"stopped": False, "usage": NO_TOKENS}, False),
    ],
)
def test_what_a_text_without_markers_was(belief: Belief, end: dict[str, Any], answer: bool) -> None:
    assert belief.unmarked_is_answer(**{**STOPPED, **end}) is answer


def test_turns_count_only_in_a_row_and_end_at_the_first_contradiction() -> None:
    turns = Turns()
    news = [turns.note("u", "m", "unopened end") for _ in range(TURNS_IN_A_ROW + 2)]
    assert news == [False] * (TURNS_IN_A_ROW - 1) + [True, False, False]
    assert turns.shown("u", "m") == "unopened end"
    assert turns.shown("v", "m") is turns.shown("u", "n") is None
    turns.note("u", "m", "unmarked")
    assert turns.shown("u", "m") is None
    for observation in ("unopened end", "marked") * TURNS_IN_A_ROW:
        turns.note("u", "m", observation)
    assert turns.shown("u", "m") is None


def test_one_label_is_enough_and_an_answer_without_thoughts_does_not_contradict_it() -> None:
    turns = Turns()
    turns.note("u", "m", "labelled")
    assert turns.shown("u", "m") == "labelled"
    turns.note("u", "m", "unmarked")
    assert turns.shown("u", "m") == "labelled"
    turns.note("u", "m", "unopened end")
    assert turns.shown("u", "m") is None


# Whole turns.


def shown(events: list[Event]) -> tuple[str, str]:
    return text(events, ReasoningDelta), text(events, OutputDelta)


PARIS = [delta(content=piece, reasoning=None) for piece in ("Paris is ", "the capital")]
CALL = delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}])
ENDS = {
    "stop": [FINISH, DONE],
    "length": [finish("length"), DONE],
    "tool calls": [CALL, finish("tool_calls"), DONE],
    "filter": [finish("content_filter"), DONE],
    "cut": [],
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
@pytest.mark.parametrize("model", HYBRIDS)
def test_an_empty_label_makes_the_text_of_a_hybrid_model_stream_as_the_answer(
    model: str, end: list[Any]
) -> None:
    for name in ("reasoning", "reasoning_content"):
        for empty in (None, ""):
            frames = [delta(content=piece, **{name: empty}) for piece in ("Paris is ", "the")]
            turn = make_turn("raw", model)
            first = run(turn, lines(frames[0]), close=False)
            assert text(first, OutputDelta) == "Paris is "
            rest = turn.feed(lines(frames[1], *end), 2) + turn.close(3)
            assert shown(first + rest) == ("", "Paris is the")


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_undecided_text_is_never_lost(end: list[Any]) -> None:
    for mode in ("raw", "summary", "none"):
        events = run(make_turn(mode, HYBRID), lines(*contents("Paris is ", "the capital"), *end))
        assert text(events, OutputDelta) == "Paris is the capital"


def test_a_label_that_comes_late_makes_the_text_before_it_the_answer() -> None:
    frames = [delta(content="Paris "), *PARIS[1:], delta(content="!"), FINISH]
    events = run(make_turn("raw", HYBRID), *[lines(frame) for frame in frames])
    assert shown(events) == ("Paris ", "Paris the capital!")


@pytest.mark.parametrize("model", ["any", HYBRID, ALWAYS])
def test_an_empty_label_never_hides_a_start_marker(model: str) -> None:
    frames = [delta(content=c, reasoning_content="") for c in ("<th", "ink>a</think>", "b")]
    assert shown(run(make_turn("raw", model), lines(*frames, FINISH))) == ("a", "b")


@pytest.mark.parametrize("body", [*OFF, *HIDDEN, *LABELS])
def test_a_request_can_make_the_text_stream_as_the_answer(body: dict[str, Any]) -> None:
    turn = make_turn("raw", HYBRID, body=body)
    events = run(turn, lines(*contents("It is 4.")), close=False)
    assert text(events, OutputDelta) == "It is 4."


@pytest.mark.parametrize("end", [[finish("length"), DONE], []], ids=["length", "cut"])
def test_thoughts_of_a_model_that_always_thinks_stay_reasoning_when_cut(end: list[Any]) -> None:
    events = run(make_turn("raw", ALWAYS), lines(*contents("First, ", "I add"), *end))
    assert shown(events) == ("First, I add", "")


def test_no_reasoning_tokens_in_the_usage_make_it_the_answer() -> None:
    usage = {"choices": [], "usage": NO_TOKENS}
    for end in ([finish("length"), usage, DONE], [finish("length"), usage]):
        events = run(make_turn("raw", ALWAYS), lines(*contents("Paris ", "is"), *end))
        assert text(events, OutputDelta) == "Paris is"
        assert type(events[-1]) is Done


@pytest.mark.parametrize("member", ["stop_reason", "matched_stop"])
def test_a_stop_string_in_unmarked_thoughts_does_not_make_them_the_answer(member: str) -> None:
    last = {"choices": [{"delta": {}, "finish_reason": "stop", member: "Observation:"}]}
    said = contents("I should look it up. ", "I will write ")
    events = run(make_turn("raw", ALWAYS), lines(*said, last, DONE))
    assert shown(events) == ("I should look it up. I will write ", "")


def test_text_before_labelled_reasoning_is_the_answer_also_where_it_was_undecided() -> None:
    frames = [delta(content="Let me see."), delta(reasoning="I look."), delta(content=" 4"), FINISH]
    events = run(make_turn("raw", HYBRID), *[lines(frame) for frame in frames])
    assert text(events, OutputDelta) == "Let me see. 4"
    assert text(events, ReasoningDelta).endswith("I look.")


def test_white_space_between_labelled_pieces_opens_nothing() -> None:
    frames = [
        delta(reasoning="I add 2 and 2. "),
        delta(content="\n"),
        delta(reasoning="Therefore, it is 4. "),
        delta(content="\n"),
        delta(content="Four."),
        FINISH,
    ]
    events = run(make_turn("both"), *[lines(frame) for frame in frames])
    kinds = [type(event).__name__ for event in events]
    assert kinds.index("OutputDelta") > max(i for i, k in enumerate(kinds) if k == "ReasoningDelta")
    assert shown(events) == ("I add 2 and 2. Therefore, it is 4. ", "\n\nFour.")


# What turns show is noted, so that a belief cannot be planted.


def play(families: Families, model: str, *frames: object) -> list[Event]:
    """One turn, after which the model's turns are noted as the relay does it."""
    turn = make_turn("raw", model, families=families)
    events = run(turn, lines(*frames))
    if (observation := turn.observation()) is not None:
        families.turns.note("upstream", model, observation)
    return events


PLANTED = [*contents("Sure, here it is:\n", "</think>\nAs you wished."), FINISH, DONE]
HELLO = [*contents("Hello ", "there"), FINISH, DONE]


@pytest.mark.parametrize("model", ["any", "qwen3-8b", HYBRID])
def test_one_answer_teaches_nothing(model: str) -> None:
    families = Families(Config())
    before = families.reading("upstream", model).belief
    play(families, model, *PLANTED)
    play(families, model, *contents("Let me look.</think>"), CALL, finish("tool_calls"), DONE)
    assert families.reading("upstream", model).belief == before


def test_turns_in_a_row_are_believed_until_one_contradicts_them() -> None:
    families = Families(Config())
    for _ in range(TURNS_IN_A_ROW):
        play(families, "any", *PLANTED)
    assert shown(play(families, "any", *PLANTED)) == ("Sure, here it is:", "As you wished.")
    assert text(play(families, "any", *HELLO), OutputDelta) == "Hello there"
    assert shown(play(families, "any", *HELLO)) == ("", "Hello there")


def test_a_labelled_turn_makes_later_text_stream_as_the_answer() -> None:
    families = Families(Config())
    play(families, HYBRID, delta(reasoning="I think."), *HELLO)
    assert shown(play(families, HYBRID, *contents("Hi"), finish("length"))) == ("", "Hi")


def test_unmarked_turns_in_a_row_make_an_undecided_model_stream() -> None:
    families = Families(Config())
    for _ in range(TURNS_IN_A_ROW):
        assert text(play(families, HYBRID, *HELLO), OutputDelta) == "Hello there"
    assert shown(play(families, HYBRID, *HELLO)) == ("", "Hello there")


@pytest.mark.parametrize(
    "frames",
    [
        [*contents("Hi</think>"), CALL, finish("tool_calls"), DONE],
        [*contents("Hi there")],
        [{"error": {"message": "boom"}}],
        [FINISH, DONE],
    ],
    ids=["tool calls", "cut", "failed", "empty"],
)
def test_some_turns_show_nothing(frames: list[Any]) -> None:
    turn = make_turn(model="any")
    events = run(turn, lines(*frames))
    assert turn.observation() is None
    assert isinstance(events[-1], Done | Failed)


def test_the_log_says_what_unmarked_text_counted_as_and_why() -> None:
    turn = make_turn("raw", HYBRID)
    assert (turn.record()["unmarked_text"], turn.record()["unmarked_text_why"]) == (
        "undecided",
        "family",
    )
    run(turn, lines(*PARIS, FINISH))
    assert (turn.record()["unmarked_text"], turn.record()["unmarked_text_why"]) == (
        "answer",
        "labels",
    )
