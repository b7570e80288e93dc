"""Every dialect encodes every event or omits it on purpose; the decoded texts agree."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, get_args

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import Answer, Completion, Dialect
from gateway.apis.history import strip_summaries
from gateway.config import Format, ReasoningMode
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
    ToolCallDelta,
)
from gateway.core.phases import NOT_DETECTED
from gateway.errors import UpstreamBroke
from tests.toy_api import ALL_DIALECTS

ODD = 'a "quoted" \\ line\n\u2028\u2029\x85 é🤔'
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{"}}
MORE = {"index": 0, "function": {"arguments": "}"}}
BEFORE: list[Event] = [
    PromptSummary("What is 2+2?", 1),
    ReasoningDelta("I add. "),
    SummaryDelta("I add."),
    ReasoningDelta("It is 4."),
    ReasoningSummary("I add. It is 4.", "It is 4."),
]
TURN: list[Event] = [
    *BEFORE,
    OutputDelta(ODD),
    OutputDelta(" 4."),
    Extra({"refusal": "no"}),
    ToolCallDelta(CALL),
    ToolCallDelta(MORE),
    Done("stop", {"total_tokens": 3}, Timings(1, 2, 3, 4, 5)),
]
ENDS = {"done", "message_stop", "response.completed", "response.incomplete"}
"""Named events that end a complete answer."""
FAILED = Failed(UpstreamBroke("It broke off.").info, Timings(1))


def make(name: str, **options: Any) -> Dialect:
    return ALL_DIALECTS[name](Answer(id="1", model="m", created=7, **options))


def encode_stream(dialect: Dialect, batches: Iterable[list[Event]]) -> bytes:
    """The bytes of a stream whose events are numbered as the relay numbers them."""
    stream, number = dialect.begin(), 1
    for batch in batches:
        stream += dialect.encode(number, batch)
        number += len(batch)
    return stream


def is_lines(name: str) -> bool:
    """True when the stream is of lines of JSON, and not of server-sent events."""
    return ALL_DIALECTS[name].content_type == "application/x-ndjson"


def decode(stream: bytes) -> list[tuple[str, Any]]:
    """Name and data of each event, as an independent parser sees them. A line has no name."""
    if stream.startswith(b"{"):
        return [("", json.loads(line)) for line in stream.splitlines()]
    events = sseclient.SSEClient([stream]).events()
    return [(e.event, e.data if e.data == "[DONE]" else json.loads(e.data)) for e in events]


def deltas(stream: bytes, field: str) -> str:
    """The joined text of one field of the deltas."""
    chunks = [data for _, data in decode(stream) if isinstance(data, dict)]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
    return "".join(choice["delta"].get(field) or "" for choice in choices)


def test_every_format_of_the_settings_has_a_dialect() -> None:
    assert set(ALL_DIALECTS) >= set(get_args(Format))


@pytest.mark.parametrize("name", ALL_DIALECTS)
@pytest.mark.parametrize("event", [*TURN, FAILED], ids=lambda event: type(event).__name__)
def test_every_event_is_encoded_as_complete_frames_or_omitted(name: str, event: Event) -> None:
    frames = make(name).encode(1, [event])
    assert frames == b"" or frames.endswith(b"\n" if is_lines(name) else b"\n\n")


@pytest.mark.parametrize("name", ALL_DIALECTS)
def test_every_frame_is_one_ascii_line_of_data(name: str) -> None:
    stream = encode_stream(make(name, include_usage=True), [TURN]) + make(name).heartbeat(7)
    assert stream.isascii()
    assert b"\r" not in stream
    if is_lines(name):
        lines = stream.split(b"\n")
        assert lines.pop() == b""
        assert all(isinstance(json.loads(line), dict) for line in lines), "no line is blank"
        return
    blocks = stream.split(b"\n\n")
    assert blocks.pop() == b""
    for block in blocks:
        data = [line for line in block.split(b"\n") if line.startswith(b"data")]
        assert block.startswith(b": ") or len(data) == 1, "an event has one data line"
        assert all(line.startswith(b"data: ") for line in data)


@pytest.mark.parametrize("name", ALL_DIALECTS)
def test_batching_events_does_not_change_the_bytes(name: str) -> None:
    together = encode_stream(make(name), [TURN])
    assert encode_stream(make(name), [[event] for event in TURN]) == together


@pytest.mark.parametrize("name", ALL_DIALECTS)
@pytest.mark.parametrize("at", range(1, len(TURN)))
def test_a_failure_at_any_point_is_sent_once_and_nothing_looks_complete(name: str, at: int) -> None:
    events = decode(encode_stream(make(name), [TURN[:at], [FAILED]]))
    failures = [data for _, data in events if isinstance(data, dict) and "error" in data]
    assert len(failures) == 1
    assert "It broke off." in json.dumps(failures)
    assert not any(name in ENDS for name, _ in events)
    chunks = [data for _, data in events if isinstance(data, dict)]
    assert not any(chunk.get("done") for chunk in chunks)
    assert not any(c.get("finish_reason") for chunk in chunks for c in chunk.get("choices", []))


def streamed_answer(name: str, stream: bytes) -> str:
    """The text of the answer in a stream of this dialect."""
    named = decode(stream)
    match name:
        case "plain" | "openai":
            return deltas(stream, "content")
        case "phased":
            return strip_summaries(deltas(stream, "content"))
        case "events":
            return "".join(data["text"] for name, data in named if name == "final_output_delta")
        case "messages":
            block_deltas = [data["delta"] for name, data in named if name == "content_block_delta"]
            return "".join(delta.get("text", "") for delta in block_deltas)
        case "ollama":
            return "".join(data["message"]["content"] for _, data in named)
        case "toy":
            return "".join(data["toy"] for _, data in named if "toy" in data)
        case "responses":
            return "".join(d["delta"] for name, d in named if name == "response.output_text.delta")
    raise AssertionError(f"no test knows where {name} has the answer")


def non_streamed_answer(body: dict[str, Any]) -> str:
    """The text of a non-streamed answer."""
    if "message" in body:
        return str(body["message"]["content"])
    if "choices" in body:
        return str(body["choices"][0]["message"]["content"])
    parts = body.get("content") or [p for item in body["output"] for p in item.get("content", [])]
    return "".join(part["text"] for part in parts if part["type"] in ("text", "output_text"))


@pytest.mark.parametrize("name", ALL_DIALECTS)
@given(texts=st.lists(st.text(), max_size=5))
def test_the_answer_is_the_same_in_every_dialect_and_mode(name: str, texts: list[str]) -> None:
    events = [*BEFORE, *map(OutputDelta, texts), TURN[-1]]
    answer = "".join(texts)
    for reasoning in get_args(ReasoningMode):
        assert (
            streamed_answer(name, encode_stream(make(name, reasoning=reasoning), [events]))
            == answer
        )
        collector = ALL_DIALECTS[name].non_streamed(
            Answer(id="1", model="m", created=7, reasoning=reasoning)
        )
        collector.add(events)
        assert non_streamed_answer(collector.body()) == answer


def test_the_events_format_names_each_event_and_numbers_it() -> None:
    named = decode(encode_stream(make("events"), [TURN]))
    assert named == [
        ("prompt_summary", {"text": "What is 2+2?", "ttft_ms": 1}),
        ("reasoning_delta", {"text": "I add. "}),
        ("reasoning_summary_delta", {"text": "I add.\n"}),
        ("reasoning_delta", {"text": "It is 4."}),
        ("reasoning_summary", {"text": "I add. It is 4."}),
        ("final_output_delta", {"text": ODD}),
        ("final_output_delta", {"text": " 4."}),
        ("tool_call_delta", {"index": 0, "id": "call_1", "name": "f", "arguments": "{"}),
        ("tool_call_delta", {"index": 0, "arguments": "}"}),
        (
            "done",
            {
                "finish_reason": "stop",
                "usage": {"total_tokens": 3},
                "timings": {
                    "prompt_summary_ms": 1,
                    "first_reasoning_ms": 2,
                    "first_summary_ms": 3,
                    "first_output_ms": 4,
                    "total_ms": 5,
                },
            },
        ),
    ]
    assert make("events").encode(12, [OutputDelta("a")]) == (
        b'id: 12\nevent: final_output_delta\ndata: {"text":"a"}\n\n'
    )
    assert make("events").heartbeat(15000) == b'event: heartbeat\ndata: {"elapsed_ms":15000}\n\n'
    assert decode(make("events").encode(1, [FAILED])) == [("failed", FAILED.error.body())]


def test_the_phased_format_labels_the_summaries_and_announces_each_phase() -> None:
    stream = encode_stream(make("phased"), [TURN])
    assert deltas(stream, "content") == (
        "[Prompt Summary] What is 2+2?\n\n[Reasoning Summary] I add.\nIt is 4.\n\n" + ODD + " 4."
    )
    assert deltas(stream, "reasoning_content") == "I add. It is 4."
    announced = [data["phase"] for name, data in decode(stream) if name == "phase"]
    assert announced == ["prompt_summary", "reasoning", "reasoning_summary", "final_output"]
    chunks = [data for _, data in decode(stream) if data != "[DONE]"]
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks} == {
        ("chatcmpl-1", 7, "m")
    }
    assert chunks[1]["ttft_ms"] == 1
    assert chunks[1]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["timings"]["total_ms"] == 5
    assert decode(stream)[-1][1] == "[DONE]"


def test_phases_only_move_forward_when_a_model_thinks_again() -> None:
    events = [*BEFORE[:1], OutputDelta("a"), ReasoningDelta("again"), OutputDelta("b")]
    for name in ("phased", "openai"):
        phases = [data["phase"] for _, data in decode(encode_stream(make(name), [events]))]
        rank = ["prompt_summary", "final_output"].index
        assert all(rank(a) <= rank(b) for a, b in pairwise(phases))


def test_the_openai_format_has_only_what_a_strict_client_accepts() -> None:
    stream = encode_stream(make("openai", include_usage=True), [[PASSED_THROUGH[1]], TURN])
    assert all(line.startswith(b"data: ") for line in stream.split(b"\n") if line)
    assert make("openai").heartbeat(1) == b": ping\n\n"
    *chunks, usage, end = [data for _, data in decode(stream)]
    assert end == "[DONE]"
    assert (usage["choices"], usage["usage"]) == ([], {"total_tokens": 3})
    for chunk in chunks:
        constant = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7}
        assert chunk | constant | {"model": "m"} == chunk
        assert "usage" not in chunk
        [choice] = chunk["choices"]
        assert choice.keys() == {"index", "delta", "finish_reason"}
    fields = ({"reasoning_content", "reasoning"}, {"content"}, {"tool_calls"}, {"refusal"})
    first, *middle, last = [chunk["choices"][0] for chunk in chunks]
    assert first == {
        "index": 0,
        "delta": {"role": "assistant", "content": ""},
        "finish_reason": None,
    }
    for choice in middle:
        assert choice["finish_reason"] is None
        assert choice["delta"].keys() in fields
        assert all(choice["delta"].values()), "no delta is empty"
    assert last == {"index": 0, "delta": {}, "finish_reason": "stop"}


def test_the_openai_format_has_reasoning_in_both_fields_and_no_delta_of_white_space() -> None:
    stream = encode_stream(make("openai"), [[e for e in TURN if not isinstance(e, ReasoningDelta)]])
    summary = "What is 2+2?\n\nI add.\n\nIt is 4.\n\n"
    assert deltas(stream, "reasoning_content") == deltas(stream, "reasoning") == summary
    for _, chunk in decode(stream)[1:-1]:
        assert chunk["choices"][0]["delta"].get("reasoning", "x").strip() != ""


def test_the_openai_format_has_a_separate_summary_field_in_mode_both() -> None:
    stream = encode_stream(make("openai", reasoning="both"), [TURN])
    assert deltas(stream, "reasoning_content") == "What is 2+2?\n\nI add. It is 4."
    assert deltas(stream, "reasoning_summary") == "I add.\n\nIt is 4.\n\n"


@pytest.mark.parametrize("name", ["phased", "openai"])
def test_a_usage_chunk_is_sent_only_on_request(name: str) -> None:
    def usages(**options: Any) -> list[Any]:
        stream = encode_stream(make(name, **options), [TURN])
        return [d["usage"] for _, d in decode(stream) if isinstance(d, dict) and "usage" in d]

    assert usages() == []
    assert usages(include_usage=True) == [{"total_tokens": 3}]


def test_the_plain_format_has_only_the_answer() -> None:
    assert encode_stream(make("plain"), [TURN]).startswith(b": connected\n\ndata: ")
    assert decode(encode_stream(make("plain"), [[TURN[0], OutputDelta("a"), TURN[-1]]])) == [
        ("message", {"choices": [{"delta": {"content": "a"}}]}),
        ("message", "[DONE]"),
    ]
    assert decode(make("plain").encode(1, [FAILED])) == [
        ("message", {"error": "It broke off.", "code": 502})
    ]


def complete(events: list[Event], **options: Any) -> dict[str, Any]:
    completion = Completion(Answer(id="1", model="m", created=7, **options))
    completion.add(events)
    body: dict[str, Any] = json.loads(json.dumps(completion.body()))
    return body


def test_a_non_streamed_answer_is_one_chat_completion() -> None:
    body = complete(TURN)
    assert body["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": f"{ODD} 4.",
                "reasoning_content": "I add. It is 4.",
                "reasoning": "I add. It is 4.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                    }
                ],
                "refusal": "no",
            },
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert body["usage"] == {"total_tokens": 3}
    assert body["phases"] == {
        "prompt_summary": "What is 2+2?",
        "reasoning_summary": "I add. It is 4.",
    }


LOGPROBS = {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]}
PASSED_THROUGH: list[Event] = [
    TURN[0],
    Extra({}, chunk={"system_fingerprint": "fp_1", "service_tier": "flex"}),
    OutputDelta("a"),
    Extra({}, choice={"logprobs": LOGPROBS}),
    OutputDelta("a"),
    Extra({}, choice={"logprobs": LOGPROBS}),
    Extra({"refusal": "no"}),
    TURN[-1],
]


@pytest.mark.parametrize("name", ["phased", "openai"])
def test_logprobs_and_unknown_members_are_passed_through(name: str) -> None:
    chunks = [
        d for _, d in decode(encode_stream(make(name, include_usage=True), [PASSED_THROUGH]))
    ][:-1]
    marked = [chunk for chunk in chunks if chunk.get("system_fingerprint") == "fp_1"]
    assert marked == chunks[-len(marked) :]
    assert all(chunk["service_tier"] == "flex" for chunk in marked)
    choices = [chunk["choices"][0] for chunk in marked if chunk["choices"]]
    assert [c["logprobs"] for c in choices if "logprobs" in c] == [LOGPROBS] * 2
    assert "".join(c["delta"].get("content", "") for c in choices) == "aa"
    [refusing] = [c for c in marked if c["choices"] and c["choices"][0]["delta"].get("refusal")]
    assert refusing["phase"] == "final_output"


def test_a_non_streamed_answer_has_logprobs_and_unknown_members() -> None:
    body = complete([*PASSED_THROUGH])
    assert (body["system_fingerprint"], body["service_tier"]) == ("fp_1", "flex")
    assert body["choices"][0]["logprobs"] == {"content": LOGPROBS["content"] * 2}
    assert complete(TURN)["choices"][0]["logprobs"] is None
    assert complete([*PASSED_THROUGH]) == body, "the events have not been changed"


def test_the_reasoning_of_a_non_streamed_answer_follows_the_mode() -> None:
    raw = [e for e in TURN if not isinstance(e, SummaryDelta | ReasoningSummary)]
    body = complete(raw, reasoning="raw")
    assert body["choices"][0]["message"]["reasoning"] == "I add. It is 4."
    assert body["phases"]["reasoning"] == "I add. It is 4."
    none = [e for e in raw if not isinstance(e, ReasoningDelta)]
    assert "reasoning" not in complete(none, reasoning="none")["choices"][0]["message"]


def test_a_failed_non_streamed_answer_has_the_error() -> None:
    completion = Completion(Answer(id="a", model="m", created=7))
    completion.add([*TURN[:4], FAILED])
    assert completion.error is FAILED.error


def test_the_phased_format_shows_that_no_reasoning_was_detected() -> None:
    events = [TURN[0], ReasoningSummary(NOT_DETECTED, NOT_DETECTED), OutputDelta("a"), TURN[-1]]
    content = deltas(encode_stream(make("phased"), [events]), "content")
    assert content == f"[Prompt Summary] What is 2+2?\n\n[Reasoning Summary] {NOT_DETECTED}\n\na"
