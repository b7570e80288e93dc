"""The Messages stream of any turn follows Anthropic's protocol, however its events are batched."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer, Dialect
from gateway.apis.messages import MESSAGES
from gateway.apis.messages.content_blocks import BlockDelta, BlockStart, BlockStop, ContentBlocks
from gateway.apis.messages.stream import MessageObject
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
    Thoughts,
    Timings,
    Tokens,
    ToolCallDelta,
)
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import GatewayError, UpstreamBroke, UpstreamRefused, UpstreamTimeout
from tests.core.apis.test_dialects import decode, encode_stream
from tests.core.cuts import cut

DONE = Done("stop", None, Timings(), Tokens(3, 4))
FAILED = Failed(UpstreamBroke("It broke off.").info, Timings())
STOP_REASONS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"}
MEMBERS = {"thinking_delta": "thinking", "text_delta": "text", "input_json_delta": "partial_json"}
DELTAS = {"thinking": "thinking_delta", "text": "text_delta", "tool_use": "input_json_delta"}


class StrictReader:
    """Accepts events only in the order that Anthropic documents."""

    def __init__(self) -> None:
        self.content: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.open = self.signed = False
        self.ended = ""
        self.delta: dict[str, Any] | None = None

    def read(self, named: Sequence[tuple[str, Any]]) -> "StrictReader":
        (first, start), *rest = named
        assert first == "message_start"
        assert set(start) == {"type", "message"}
        assert start["message"]["content"] == []
        assert isinstance(start["message"]["usage"]["input_tokens"], int)
        for name, data in rest:
            assert data["type"] == name
            assert not self.ended, "nothing comes after the end"
            getattr(self, name)(**{key: value for key, value in data.items() if key != "type"})
        assert self.ended
        return self

    def ping(self) -> None:
        pass

    def content_block_start(self, index: int, content_block: dict[str, Any]) -> None:
        assert not self.open
        assert self.delta is None
        assert index == len(self.content)
        self.open, self.signed, self.texts = True, False, []
        self.content.append(content_block)
        match content_block:
            case {"type": "thinking", "thinking": "", "signature": "", **more}:
                assert not more
            case {"type": "text", "text": "", **more}:
                assert not more
            case {"type": "tool_use", "input": {}, "id": str(id), "name": str(), **more}:
                assert not more
                assert id
            case _:
                pytest.fail(f"not a block: {content_block}")

    def content_block_delta(self, index: int, delta: dict[str, Any]) -> None:
        assert self.open
        assert index == len(self.content) - 1
        assert not self.signed, "the signature ends a block"
        kind = self.content[-1]["type"]
        if delta["type"] == "signature_delta":
            assert kind == "thinking"
            assert set(delta) == {"type", "signature"}
            self.signed = True
            self.content[-1]["signature"] = delta["signature"]
            return
        assert DELTAS[kind] == delta["type"]
        assert set(delta) == {"type", MEMBERS[delta["type"]]}
        self.texts.append(delta[MEMBERS[delta["type"]]])

    def content_block_stop(self, index: int) -> None:
        assert self.open
        assert index == len(self.content) - 1
        self.open = False
        text, block = "".join(self.texts), self.content[-1]
        if block["type"] == "tool_use":
            block["input"] = json.loads(text or "{}")
        else:
            block[block["type"]] = text
            assert self.signed is (block["type"] == "thinking")

    def message_delta(self, delta: dict[str, Any], usage: dict[str, Any]) -> None:
        assert not self.open
        assert self.delta is None
        assert set(delta) == {"stop_reason", "stop_sequence"}
        assert delta["stop_reason"] in STOP_REASONS
        counts = {name: count for name, count in usage.items() if name.endswith("_tokens")}
        assert set(counts) >= {"input_tokens", "output_tokens"}
        assert all(type(count) is int for count in counts.values())
        self.delta = {**delta, "usage": usage}

    def message_stop(self) -> None:
        assert self.delta is not None
        self.ended = "message_stop"

    def error(self, error: dict[str, Any], request_id: str) -> None:
        assert set(error) == {"type", "message"}
        if self.open and self.content[-1]["type"] == "text":
            self.content[-1]["text"] = "".join(self.texts)
        self.ended = "error"


def make(**options: Any) -> Dialect:
    return DIALECTS["messages"](Answer(id="1", model="m", created=7, request_id="req_1", **options))


def read(events: Sequence[Event], **options: Any) -> StrictReader:
    return StrictReader().read(decode(encode_stream(make(**options), [list(events)])))


def non_streamed(events: Sequence[Event], **options: Any) -> dict[str, Any]:
    message = MessageObject(Answer(id="1", model="m", created=7, **options))
    message.add(events)
    body: dict[str, Any] = json.loads(json.dumps(message.body()))
    return body


def call(index: int | None, id: str = "", name: str = "", arguments: str = "") -> ToolCallDelta:
    function = {"name": name, "arguments": arguments}
    return ToolCallDelta({"index": index, "id": id or None, "function": function})


texts = st.text(min_size=1, max_size=9)
objects = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3)


@st.composite
def tool_calls(draw: st.DrawFn, index: int) -> list[Event]:
    """The deltas of one call: its name, then its arguments, cut anywhere."""
    arguments = json.dumps(draw(objects))
    places = draw(st.lists(st.integers(0, 99), max_size=4))
    return [
        call(index, f"call_{index}", f"f{index}"),
        *(call(index, arguments=piece) for piece in cut(arguments, places)),
    ]


@st.composite
def turns(draw: st.DrawFn) -> tuple[list[Event], ReasoningMode, dict[str, Any]]:
    """The events of a turn in an order that core/events.py allows, the mode and the echo."""
    mode: ReasoningMode = draw(st.sampled_from(["summary", "raw", "both", "none"]))
    traced, summed = mode in ("raw", "both"), mode in ("summary", "both")
    trace = st.builds(ReasoningDelta, texts)
    thinking = [trace] * traced + [st.builds(SummaryDelta, texts)] * summed
    events: list[Event] = [PromptSummary("What is 2+2?", 1)]
    if thinking:
        events += draw(st.lists(st.one_of(thinking), max_size=4))
    if summed:
        events.append(ReasoningSummary(draw(texts), draw(st.text(max_size=5))))
    after_reasoning = st.lists(
        st.one_of(st.builds(OutputDelta, texts), *[trace] * traced), max_size=6
    )
    tracks: list[list[Event]] = [draw(after_reasoning)]
    tracks += [draw(tool_calls(index)) for index in range(draw(st.integers(0, 3)))]
    order = draw(st.permutations([at for at, track in enumerate(tracks) for _ in track]))
    events += [tracks[at].pop(0) for at in order]
    events.append(draw(st.sampled_from([DONE, FAILED])))
    echoes = [{}, {"display": "omitted"}] if mode == "none" else [{}]
    return events, mode, draw(st.sampled_from(echoes))


@given(turns(), st.data())
def test_any_turn_is_a_valid_stream_and_loses_nothing(
    turn: tuple[list[Event], ReasoningMode, dict[str, Any]], data: st.DataObject
) -> None:
    events, mode, echo = turn
    places = data.draw(st.lists(st.integers(0, 99), max_size=5))
    stream = encode_stream(make(reasoning=mode, echo=echo), cut(events, places))
    found = StrictReader().read(decode(stream))
    assert "".join(b["text"] for b in found.content if b["type"] == "text") == "".join(
        event.text for event in events if isinstance(event, OutputDelta)
    )
    arguments: dict[str, str] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            name = f"f{event.call['index']}"
            arguments[name] = arguments.get(name, "") + event.call["function"]["arguments"]
    if events[-1] is FAILED:
        assert found.ended == "error"
        assert found.open or not found.content or found.content[-1]["signature"]
        return
    called = {b["name"]: b["input"] for b in found.content if b["type"] == "tool_use"}
    assert called == {name: json.loads(text) for name, text in arguments.items()}
    body = non_streamed(events, reasoning=mode, echo=echo)
    assert found.content == body["content"]
    assert found.delta == {k: body[k] for k in ("stop_reason", "stop_sequence", "usage")}
    thoughts = [b["thinking"] for b in found.content if b["type"] == "thinking"]
    if mode == "none":
        assert thoughts == [""] * len(echo)
    elif mode == "raw":
        assert "".join(thoughts[1:]) == "".join(
            event.text for event in events if isinstance(event, ReasoningDelta)
        )


THOUGHTS: list[Event] = [
    PromptSummary("What is 2+2?", 1),
    ReasoningDelta("I add. "),
    SummaryDelta("I add."),
    ReasoningDelta("It is 4."),
    ReasoningSummary("I add. It is 4.", "It is 4."),
]


def blocks_of(events: Sequence[Event], mode: ReasoningMode, **echo: Any) -> list[tuple[str, Any]]:
    """Type and text of each block of the stream."""
    content = read([*events, DONE], reasoning=mode, echo=echo).content
    return [(b["type"], b.get(b["type"], b.get("input"))) for b in content]


def test_each_line_of_the_summary_has_a_block_of_its_own() -> None:
    assert blocks_of(without_trace(THOUGHTS), "summary") == [
        ("thinking", "What is 2+2?\n\n"),
        ("thinking", "I add.\n\n"),
        ("thinking", "It is 4.\n\n"),
    ]


def test_the_block_of_a_line_stops_with_the_line() -> None:
    blocks = ContentBlocks(Answer("1", "m", 0))
    assert blocks.add(SummaryDelta("I add.")) == [
        BlockStart(0, {"type": "thinking"}),
        BlockDelta(0, "I add.\n\n"),
        BlockStop(0),
    ]


@pytest.mark.parametrize(("closing", "last"), [("It is 4.", "It is 4.\n\n"), ("", "")])
def test_the_last_thinking_block_has_the_seal(closing: str, last: str) -> None:
    events = [
        SummaryDelta("I add."),
        ReasoningSummary("", closing),
        Thoughts(ThoughtRecord("thought")),
    ]
    answer = Answer("1", "m", 0, seal=lambda thoughts: f"sealed {thoughts.text}")
    message = MessageObject(answer)
    message.add([PromptSummary("?", 1), *events, OutputDelta("4."), DONE])
    *_, block, text = message.body()["content"]
    assert block == {"type": "thinking", "thinking": last, "signature": "sealed thought"}
    assert text == {"type": "text", "text": "4."}


def test_an_answer_without_thinking_has_no_block_for_the_seal() -> None:
    events = [PromptSummary("?", 1), Thoughts(ThoughtRecord("thought")), OutputDelta("4.")]
    assert blocks_of(events, "none") == [("text", "4.")]


def without_trace(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ReasoningDelta)]


def test_mode_both_streams_the_trace_and_then_sends_the_summary() -> None:
    assert blocks_of([*THOUGHTS, OutputDelta("4.")], "both") == [
        ("thinking", "What is 2+2?\n\n"),
        ("thinking", "I add. It is 4."),
        ("thinking", "I add. It is 4.\n\n"),
        ("text", "4."),
    ]


def test_omitted_thinking_is_one_empty_block() -> None:
    assert blocks_of([THOUGHTS[0], OutputDelta("4.")], "none", display="omitted") == [
        ("thinking", ""),
        ("text", "4."),
    ]


def test_reasoning_after_text_is_another_thinking_block() -> None:
    again = [OutputDelta("a"), ReasoningDelta("again"), OutputDelta("b")]
    assert blocks_of([THOUGHTS[0], *again], "raw")[1:] == [
        ("text", "a"),
        ("thinking", "again"),
        ("text", "b"),
    ]


def test_every_thinking_block_has_its_own_signature() -> None:
    signatures = [block["signature"] for block in read([*THOUGHTS, DONE]).content]
    assert all(signatures)
    assert len(set(signatures)) == len(signatures)


def steps(*events: Event, **echo: Any) -> list[str]:
    """The block events that each event gives, in short."""
    dialect, found = make(echo=echo), []
    for event in events:
        named = decode(dialect.encode(1, [event]))
        found.append(
            " ".join(
                f"{name.removeprefix('content_block_')}{d.get('index', '')}" for name, d in named
            )
        )
    return found


def test_the_second_of_two_interleaved_calls_starts_when_the_first_is_complete() -> None:
    assert steps(
        call(0, "a", "f"),
        call(0, arguments='{"x":'),
        call(1, "b", "g"),
        call(1, arguments='{"y":1'),
        call(0, arguments="2}"),
        call(1, arguments="}"),
        DONE,
    ) == [
        "",
        "start0",
        "",
        "",
        "delta0 stop0 start1",
        "",
        "delta1 stop1 message_delta message_stop",
    ]


def test_a_tool_with_eager_input_streaming_gets_its_arguments_as_they_come() -> None:
    pieces = [call(0, "a", "f"), call(0, arguments='{"x":'), call(0, arguments="2}")]
    end = "stop0 message_delta message_stop"
    assert steps(*pieces, DONE, eager_tools=["f"]) == ["", "start0 delta0", "delta0", end]
    assert steps(*pieces, DONE, eager_tools=["g"]) == ["", "start0", "", f"delta0 {end}"]


def test_the_prompt_summary_stops_at_once_and_omitted_thinking_stays_open() -> None:
    assert steps(THOUGHTS[0]) == ["start0 delta0 delta0 stop0"]
    omitted = make(reasoning="none", echo={"display": "omitted"})
    named = [name for name, _ in decode(omitted.encode(1, THOUGHTS[:1]))]
    assert named == ["content_block_start"]


def test_text_waits_until_the_call_before_it_is_complete() -> None:
    complete_call = call(0, "a", "f", "{}")
    assert steps(complete_call, OutputDelta("x")) == ["start0", "delta0 stop0 start1 delta1"]
    assert steps(call(0, "a", "f", "{"), OutputDelta("x"), call(0, arguments="}")) == [
        "start0",
        "",
        "delta0 stop0 start1 delta1",
    ]


def test_a_call_without_arguments_or_id_is_a_valid_block() -> None:
    content = non_streamed([call(0, "a", "f"), call(1, "", "g", "{}"), DONE])["content"]
    assert content == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
        {"type": "tool_use", "id": "toolu_1_1", "name": "g", "input": {}},
    ]


def test_a_tool_name_in_pieces_is_joined() -> None:
    events = [call(0, "a", "get_"), call(0, "a", "weather"), call(0, arguments="{}"), DONE]
    assert non_streamed(events)["content"][0]["name"] == "get_weather"


@pytest.mark.parametrize("arguments", ["{oops", "[1]", "7", "nonsense"])
def test_arguments_that_are_no_json_object_are_kept(arguments: str) -> None:
    [block] = non_streamed([call(0, "a", "f", arguments), DONE])["content"]
    assert block["input"] == {"INVALID_JSON": arguments}


@pytest.mark.parametrize(
    "cut_text", ['{"x":17,"y":25', '{"path": "/etc', "{", '{}{"x":1}', "{oops"]
)
@pytest.mark.parametrize("is_in_pieces", [True, False])
def test_streamed_arguments_that_are_no_json_become_a_string(
    cut_text: str, is_in_pieces: bool
) -> None:
    """A client must not read the begin of an object as an object with fewer members."""
    pieces = [call(0, arguments=piece) for piece in (cut_text if is_in_pieces else [cut_text])]
    done = Done("length", None, Timings())
    found = read([call(0, "a", "f"), *pieces, done])
    assert found.content == [{"type": "tool_use", "id": "a", "name": "f", "input": cut_text}]
    assert found.delta is not None
    assert found.delta["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("arguments", ['{"x": [1]}', "[1]", "null", ""])
def test_streamed_arguments_that_are_json_are_sent_as_they_came(arguments: str) -> None:
    found = decode(encode_stream(make(), [[call(0, "a", "f", arguments), DONE]]))
    deltas = [d["delta"]["partial_json"] for name, d in found if name == "content_block_delta"]
    assert deltas == [arguments] * bool(arguments)


def end(finish_reason: str, *events: Event) -> str:
    done = Done(finish_reason, None, Timings())
    reason: str = non_streamed([*events, done])["stop_reason"]
    assert delta_of([*events, done])["stop_reason"] == reason
    return reason


def delta_of(events: Sequence[Event], **options: Any) -> dict[str, Any]:
    delta = read(events, **options).delta
    assert delta is not None
    return delta


def test_a_tool_call_or_the_finish_reason_decides_the_stop_reason() -> None:
    tool = call(0, "a", "f", "{}")
    assert end("stop") == "end_turn"
    assert end("length") == "max_tokens"
    assert end("content_filter") == "refusal"
    assert end("tool_calls", tool) == "tool_use"
    assert end("stop", tool) == "tool_use"
    assert end("length", tool) == "max_tokens"
    assert end("tool_calls") == "end_turn"
    assert end("made_up") == "end_turn"


def test_the_stop_sequence_is_sent_if_the_upstream_names_it() -> None:
    done = Done("stop", None, Timings(), stop_sequence="END")
    assert delta_of([OutputDelta("a"), done])["stop_reason"] == "stop_sequence"
    assert non_streamed([OutputDelta("a"), done])["stop_sequence"] == "END"
    assert non_streamed([call(0, "a", "f", "{}"), done])["stop_reason"] == "tool_use"


def test_the_openapi_document_has_every_stop_reason() -> None:
    assert set(MESSAGES.answer.schema["properties"]["stop_reason"]["enum"]) == STOP_REASONS


def test_a_refusal_is_text_and_the_stop_reason() -> None:
    events = [Extra({"refusal": "I can't "}), Extra({"refusal": "help."}), Extra({"audio": {}})]
    assert non_streamed([*events, DONE])["content"] == [{"type": "text", "text": "I can't help."}]
    assert end("stop", *events) == "refusal"


def usage(given: dict[str, Any] | None) -> tuple[int, int, int, int, str | None]:
    done = Done("stop", given, Timings(), Tokens(3, 4))
    found = non_streamed([done], prompt_tokens=5)["usage"]
    assert found == delta_of([done], prompt_tokens=5)["usage"]
    return (
        found["input_tokens"],
        found["cache_read_input_tokens"],
        found["output_tokens"],
        found["output_tokens_details"]["thinking_tokens"],
        found.get("estimated"),
    )


def test_usage_is_estimated_where_the_upstream_gives_no_count() -> None:
    figures = {"prompt_tokens": 10, "completion_tokens": 20}
    thinking = {"completion_tokens_details": {"reasoning_tokens": 8}}
    cached = {"prompt_tokens_details": {"cached_tokens": 4}}
    assert usage(None) == (5, 0, 7, 3, "all")
    assert usage(figures) == (10, 0, 20, 3, "thinking_tokens")
    assert usage({**figures, "completion_tokens": 2}) == (10, 0, 2, 2, "thinking_tokens")
    assert usage(figures | thinking | cached) == (6, 4, 20, 8, None)
    nonsense = {"prompt_tokens": "a", "completion_tokens": -1, "completion_tokens_details": 1}
    assert usage(nonsense) == (5, 0, 7, 3, "all")
    assert usage({**figures, "completion_tokens": 10**9 + 1}) == (10, 0, 7, 3, "all")


def test_the_summary_models_tokens_are_reported_separately() -> None:
    done = Done("stop", None, Timings(), summarizer_usage={"prompt_tokens": 9})
    assert delta_of([done])["usage"]["summarizer"] == {"prompt_tokens": 9}


@pytest.mark.parametrize(
    ("error", "type"),
    [
        (UpstreamBroke("x"), "api_error"),
        (UpstreamTimeout("x"), "timeout_error"),
        (UpstreamRefused(429, "x"), "rate_limit_error"),
    ],
)
def test_an_error_is_the_last_event(error: GatewayError, type: str) -> None:
    found = decode(encode_stream(make(), [[OutputDelta("a"), Failed(error.info, Timings())]]))
    assert [name for name, _ in found[-2:]] == ["content_block_delta", "error"]
    assert found[-1][1] == {
        "type": "error",
        "error": {"type": type, "message": "x"},
        "request_id": "req_1",
    }


def test_a_call_that_was_cut_does_not_stop() -> None:
    cut_call = [call(0, "c1", "f"), call(0, arguments='{"path":"/etc')]
    found = decode(encode_stream(make(reasoning="none"), [[THOUGHTS[0], *cut_call, FAILED]]))
    names = [name for name, _ in found[2:]]
    assert names == ["content_block_start", "error"]


def test_a_heartbeat_is_a_ping_event() -> None:
    assert make().heartbeat(7) == b'event: ping\ndata: {"type":"ping"}\n\n'
