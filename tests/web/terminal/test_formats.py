"""Every format becomes the same events, however its bytes were cut."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from gateway.terminal.chat import ChunkAdapter, read_named_event
from gateway.terminal.events import Event, decode_events
from gateway.terminal.formats import FORMATS
from tests.web.terminal.fake_gateway import PROMPT_ARGS, run_client, serve
from tests.web.terminal.transcripts import (
    DONE_DATA,
    STREAMS,
    chunk,
    content_block,
    data,
    named_event,
    phased_stream,
    typed_event,
)


@pytest.mark.parametrize("format", ["phased", "openai"])
def test_chunks_become_the_same_events_as_the_events_format(
    gateway: responses.RequestsMock, format: str
) -> None:
    serve(gateway, STREAMS[format]("summary"))
    lines = run_client(*PROMPT_ARGS, "--format", format, "--json").stdout.splitlines()
    events = [(line["event"], line["data"].get("text")) for line in map(json.loads, lines)]
    assert events == [
        ("prompt_summary", "What is 2+2?"),
        ("reasoning_summary_delta", "Two numbers are to be added.\n"),
        ("reasoning_summary_delta", "They make 4.\n"),
        ("reasoning_summary", "Two numbers are to be added.\nThey make 4."),
        ("final_output_delta", "The answer\n\n"),
        ("final_output_delta", "is 4."),
        ("done", None),
    ]


def test_done_has_the_finish_reason_usage_and_timings_of_the_chunks() -> None:
    usage = data({"choices": [], "usage": {"total_tokens": 9}})
    stream = phased_stream("none").replace(data("[DONE]"), usage + data("[DONE]"))
    *_, done = decode_events([stream], ChunkAdapter())
    assert done == Event("done", {**DONE_DATA, "usage": {"total_tokens": 9}})


def test_messages_and_responses_report_finish_reason_and_usage() -> None:
    for format in ("messages", "responses"):
        *_, done = decode_events([STREAMS[format]("none")], FORMATS[format].make_adapter("none"))
        usage = {"prompt_tokens": 5, "completion_tokens": 9}
        full_usage = {**usage, "completion_tokens_details": {"reasoning_tokens": 4}}
        assert done.data == {"finish_reason": "stop", "usage": full_usage, "timings": None}


def test_tool_calls_in_chunks_become_events() -> None:
    function = {"name": "f", "arguments": "{"}
    delta = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    events = list(decode_events([chunk("final_output", delta)], ChunkAdapter()))
    assert events == [Event("tool_call_delta", {"index": 0, "id": "call_1", **function})]


def test_tool_calls_in_messages_and_responses_become_events() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f"}
    piece = {"output_index": 2, "delta": "{}"}
    responses_frames = [
        typed_event("response.output_item.added", {"output_index": 2, "item": call}),
        typed_event("response.function_call_arguments.delta", piece),
    ]
    json_delta = {"type": "input_json_delta", "partial_json": "{}"}
    messages_frames = content_block(1, "tool_use", {"id": "call_1", "name": "f"}, json_delta)
    for format, frames in (("responses", responses_frames), ("messages", messages_frames)):
        assert list(decode_events(frames, FORMATS[format].make_adapter("none"))) == [
            Event("tool_call_delta", {"index": 0, "id": "call_1", "name": "f"}),
            Event("tool_call_delta", {"index": 0, "arguments": "{}"}),
        ]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"tool_calls": 1}}]},
    ],
    ids=json.dumps,
)
def test_malformed_chunks_are_ignored(value: dict[str, Any]) -> None:
    assert list(decode_events([data(value)], ChunkAdapter())) == []


def test_function_calls_without_an_output_index_are_ignored() -> None:
    stream = [
        typed_event("response.output_item.added", {"item": {"type": "function_call"}}),
        typed_event("response.function_call_arguments.delta", {"delta": "{}"}),
    ]
    assert list(decode_events(stream, FORMATS["responses"].make_adapter("none"))) == []


@pytest.mark.parametrize("format", STREAMS)
def test_a_stream_read_byte_by_byte_gives_the_same_events(format: str) -> None:
    stream = STREAMS[format]("both")
    reads = [stream[i : i + 1] for i in range(len(stream))]
    make_adapter = FORMATS[format].make_adapter
    whole = list(decode_events([stream], make_adapter("both")))
    assert list(decode_events(reads, make_adapter("both"))) == whole


def test_an_event_is_yielded_before_the_next_read() -> None:
    yielded = []

    def reads() -> Iterator[bytes]:
        for text in ("a", "b"):
            yielded.append(text)
            yield named_event("final_output_delta", {"text": text})

    events = decode_events(reads(), read_named_event)
    assert next(events).text == "a"
    assert yielded == ["a"]
