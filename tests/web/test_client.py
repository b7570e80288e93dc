"""client.py: what it sends, what it shows of each format, and how it fails."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import responses
import urllib3
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from gateway.terminal import cli, timeline
from gateway.terminal.checks import Measured
from gateway.terminal.formats import FORMATS
from gateway.terminal.stream import Chunks, Event, decode, named_events, split_lines

URL = "http://gateway.test:8080"
CHAT = f"{URL}/v1/chat/completions"
ASKED = ["--prompt", "What is 2+2?"]
WHOLE = [*ASKED, "--sections"]


@pytest.fixture
def gateway() -> Iterator[responses.RequestsMock]:
    """The gateway's place on the network; nothing else can be reached."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def run(*args: str, typed: str | None = None) -> Result:
    """Runs the client against URL."""
    return CliRunner().invoke(cli.main, ["--url", URL, *args], input=typed)


def serve(gateway: responses.RequestsMock, body: bytes, status: int = 200) -> None:
    """The next request to the main door gets this stream."""
    for url in (CHAT, f"{URL}/v1/messages", f"{URL}/v1/responses"):
        gateway.post(url, body=body, status=status, content_type="text/event-stream; charset=utf-8")


def sent(gateway: responses.RequestsMock, number: int = 0) -> dict[str, Any]:
    """The body of a request that the client has sent."""
    body: dict[str, Any] = json.loads(gateway.calls[number].request.body or b"")
    return body


def assert_fails(result: Result, sentence: str) -> None:
    """Status 1 and `sentence` as the only line on stderr."""
    assert result.exit_code == 1
    assert result.stderr == f"Error: {sentence}\n"
    assert "Traceback" not in result.output


# --- Transcripts, as the contract has them.


def named(name: str, data: Any, number: int = 1) -> bytes:
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def data(value: Any) -> bytes:
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def chunk(
    phase: str, delta: dict[str, Any], finish_reason: str | None = None, **more: Any
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "default"}
    return data({**head, "choices": [choice], "phase": phase, **more})


def entering(phase: str) -> bytes:
    return b"event: phase\n" + chunk(phase, {})


DONE_DATA = {"finish_reason": "stop", "usage": None, "timings": {"total_ms": 9}}
LINES = ["Two numbers are to be added.", "They make 4."]
WHOLE_TEXT = "The sum of 2 and 2 is 4."
TRACE = ["Let me think.\n", "2+2 is 4.\n\n"]


def events_stream(reasoning: str, whole: str = WHOLE_TEXT) -> bytes:
    frames = [named("prompt_summary", {"text": "What is 2+2?", "ttft_ms": 1})]
    for line, piece in zip(LINES, TRACE, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(named("reasoning_delta", {"text": piece}))
        if reasoning in ("summary", "both"):
            frames.append(named("reasoning_summary_delta", {"text": line + "\n"}))
    if reasoning in ("summary", "both"):
        frames.append(named("reasoning_summary", {"text": whole}))
    frames.append(b'event: heartbeat\ndata: {"elapsed_ms":15000}\n\n')
    frames += [named("final_output_delta", {"text": text}) for text in ("The answer\n\n", "is 4.")]
    return b"".join(frames) + named("done", DONE_DATA)


def phased_stream(reasoning: str) -> bytes:
    first = {"role": "assistant", "content": "[Prompt Summary] What is 2+2?\n\n"}
    frames = [entering("prompt_summary"), chunk("prompt_summary", first, ttft_ms=1), b": ping\n\n"]
    label = "[Reasoning Summary] "
    for line, piece in zip(LINES, TRACE, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(chunk("reasoning", {"reasoning_content": piece}))
        if reasoning in ("summary", "both"):
            frames += [entering("reasoning_summary")] if label else []
            frames.append(chunk("reasoning_summary", {"content": f"{label}{line}\n"}))
            label = ""
    if not label:
        frames.append(chunk("reasoning_summary", {"content": "\n"}))
    frames.append(entering("final_output"))
    frames += [chunk("final_output", {"content": text}) for text in ("The answer\n\n", "is 4.")]
    frames.append(chunk("final_output", {}, "stop", timings={"total_ms": 9}))
    return b"".join(frames) + data("[DONE]")


def openai_stream(reasoning: str) -> bytes:
    def both_fields(text: str) -> dict[str, Any]:
        return {"reasoning_content": text, "reasoning": text}

    frames = [chunk("prompt_summary", {"role": "assistant", "content": ""})]
    frames.append(chunk("prompt_summary", both_fields("What is 2+2?\n\n")))
    for line, piece in zip(LINES, TRACE, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(chunk("reasoning", both_fields(piece)))
        if reasoning == "summary":
            frames.append(chunk("reasoning_summary", both_fields(f"{line}\n\n")))
        if reasoning == "both":
            frames.append(chunk("reasoning_summary", {"reasoning_summary": f"{line}\n\n"}))
    frames += [chunk("final_output", {"content": text}) for text in ("The answer\n\n", "is 4.")]
    frames.append(chunk("final_output", {}, "stop"))
    return b"".join(frames) + data("[DONE]")


def plain_stream(
    reasoning: str = "", pieces: tuple[str, ...] = ("The answer\n\n", "is 4.")
) -> bytes:
    events = [data({"choices": [{"delta": {"content": piece}}]}) for piece in pieces]
    return b": connected\n\n" + b"".join(events) + data("[DONE]")


def block(index: int, kind: str, head: Any, *deltas: dict[str, Any]) -> list[bytes]:
    start = {"index": index, "content_block": {"type": kind, **head}}
    frames = [("content_block_start", start)]
    frames += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
    return [message(*frame) for frame in [*frames, ("content_block_stop", {"index": index})]]


def message(name: str, more: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n".encode()


def responses_stream(reasoning: str) -> bytes:
    def part(index: int, text: str) -> bytes:
        where = {"summary_index": index, "output_index": 0}
        delta = message("response.reasoning_summary_text.delta", {**where, "delta": text})
        return delta + message("response.reasoning_summary_text.done", {**where, "text": text})

    summed, traced = (reasoning in kinds for kinds in (("summary", "both"), ("raw", "both")))
    created = message("response.created", {"response": {"status": "in_progress"}})
    frames = [created, part(0, "What is 2+2?")]
    for index, (line, piece) in enumerate(zip(LINES, TRACE, strict=True), 1):
        trace = message("response.reasoning_text.delta", {"delta": piece})
        frames += [trace] * traced + [part(index, line)] * summed
    frames.append(message("keepalive", {}))
    texts = ("The answer\n\n", "is 4.")
    frames += [message("response.output_text.delta", {"delta": text}) for text in texts]
    details = {"output_tokens_details": {"reasoning_tokens": 4}}
    usage = {"input_tokens": 5, "output_tokens": 9, **details}
    return b"".join(frames) + message("response.completed", {"response": {"usage": usage}})


def messages_stream(reasoning: str) -> bytes:
    def thinking(text: str) -> dict[str, Any]:
        return {"type": "thinking_delta", "thinking": text}

    traced, summed = (reasoning in kinds for kinds in (("raw", "both"), ("summary", "both")))
    frames = [message("message_start", {"message": {"usage": {"input_tokens": 5}}})]
    frames.append(message("ping", {}))
    blocks = [["What is 2+2?\n\n"]]
    blocks += [TRACE] if traced else [[f"{line}\n\n" for line in LINES]] if summed else []
    blocks += [[WHOLE_TEXT]] if reasoning == "both" else []
    for index, texts in enumerate(blocks):
        signature = {"type": "signature_delta", "signature": "x"}
        frames += block(index, "thinking", {}, *map(thinking, texts), signature)
    texts = [{"type": "text_delta", "text": text} for text in ("The answer\n\n", "is 4.")]
    frames += block(len(blocks), "text", {"text": ""}, *texts)
    usage = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    frames.append(message("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": usage}))
    return b"".join(frames) + message("message_stop", {})


STREAMS: dict[str, Callable[[str], bytes]] = {
    "events": events_stream,
    "phased": phased_stream,
    "openai": openai_stream,
    "plain": plain_stream,
    "responses": responses_stream,
    "messages": messages_stream,
}

PROMPT = "[PROMPT]\nWhat is 2+2?\n\n"
REASONING = "[REASONING]\nLet me think.\n2+2 is 4.\n\n"
LIVE = "Two numbers are to be added.\nThey make 4.\n\n"
ANSWER = "[FINAL RESPONSE]\nThe answer\n\nis 4.\n"


# --- Sections.


def test_every_format_of_the_client_has_a_transcript_here() -> None:
    assert STREAMS.keys() == FORMATS.keys()


@pytest.mark.parametrize("reasoning", ["summary", "raw", "both", "none"])
@pytest.mark.parametrize("format", STREAMS)
def test_sections_come_in_order_in_every_format(
    gateway: responses.RequestsMock, format: str, reasoning: str
) -> None:
    serve(gateway, STREAMS[format](reasoning))
    result = run(*WHOLE, "--format", format, "--reasoning", reasoning)
    trace = REASONING if reasoning in ("raw", "both") else ""
    summary = {
        ("events", "summary"): f"[REASONING SUMMARY]\n{LIVE}{WHOLE_TEXT}\n\n",
        ("events", "both"): f"[REASONING SUMMARY]\n{WHOLE_TEXT}\n\n",
        ("messages", "both"): f"[REASONING SUMMARY]\n{WHOLE_TEXT}\n\n",
    }.get((format, reasoning), f"[REASONING SUMMARY]\n{LIVE}")
    summary = summary if reasoning in ("summary", "both") else ""
    expected = ANSWER if format == "plain" else PROMPT + trace + summary + ANSWER
    assert (result.stdout, result.stderr, result.exit_code) == (expected, "", 0)


def test_a_summary_that_only_repeats_the_live_lines_is_shown_once(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary", whole=" ".join(LINES)))
    assert f"[REASONING SUMMARY]\n{LIVE}[FINAL RESPONSE]" in run(*WHOLE).stdout


def test_a_summary_without_live_lines_stands_alone(gateway: responses.RequestsMock) -> None:
    summary = named("reasoning_summary", {"text": "Reasoning not detected."})
    serve(gateway, summary + named("final_output_delta", {"text": "4"}) + named("done", DONE_DATA))
    expected = "[REASONING SUMMARY]\nReasoning not detected.\n\n[FINAL RESPONSE]\n4\n"
    assert run(*WHOLE).stdout == expected


def test_a_trace_that_was_not_asked_for_is_not_shown(gateway: responses.RequestsMock) -> None:
    serve(gateway, phased_stream("both"))
    assert "[REASONING]" not in run(*WHOLE, "--format", "phased").stdout


def test_trace_after_the_answer_began_does_not_turn_the_sections_back(
    gateway: responses.RequestsMock,
) -> None:
    late = named("reasoning_delta", {"text": "Wait."})
    texts = [named("final_output_delta", {"text": text}) for text in ("4", ", surely")]
    serve(gateway, texts[0] + late + texts[1] + named("done", DONE_DATA))
    assert run(*WHOLE, "--reasoning", "raw").stdout == "[FINAL RESPONSE]\n4, surely\n"


def test_indentation_of_the_answer_is_kept(gateway: responses.RequestsMock) -> None:
    serve(gateway, plain_stream(pieces=("\n\n    ", "x = 1\n", "    ", "y = 2", "\n\n")))
    stdout = run(*WHOLE, "--format", "plain").stdout
    assert stdout == "[FINAL RESPONSE]\n    x = 1\n    y = 2\n"


def test_tool_calls_are_shown_whole_below_the_answer(gateway: responses.RequestsMock) -> None:
    calls = [
        {"index": 0, "id": "call_1", "name": "add", "arguments": ""},
        {"index": 1, "id": "call_2", "name": "now", "arguments": "{}"},
        {"index": 0, "arguments": '{"a":2}'},
    ]
    text = named("final_output_delta", {"text": "A moment."})
    end = named("done", {**DONE_DATA, "finish_reason": "tool_calls"})
    serve(gateway, text + b"".join(named("tool_call_delta", call) for call in calls) + end)
    expected = '[FINAL RESPONSE]\nA moment.\n\ntool call: add {"a":2}\ntool call: now {}\n'
    assert run(*WHOLE).stdout == expected


def test_tool_calls_of_chunks_become_events() -> None:
    function = {"name": "f", "arguments": "{"}
    delta = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    events = list(decode([chunk("final_output", delta)], Chunks()))
    assert events == [Event("tool_call_delta", {"index": 0, "id": "call_1", **function})]


def test_the_model_cannot_steer_the_terminal(gateway: responses.RequestsMock) -> None:
    serve(gateway, plain_stream(pieces=("\x1b[2J", "a\x07b\x9b1m\tc\r\n", "d")))
    assert run(*WHOLE, "--format", "plain").stdout == "[FINAL RESPONSE]\n[2Jab1m\tc\nd\n"


def test_a_lone_surrogate_is_shown_as_a_question_mark(gateway: responses.RequestsMock) -> None:
    serve(gateway, b'data: {"choices":[{"delta":{"content":"a\\ud83d b"}}]}\n\ndata: [DONE]\n\n')
    assert run(*WHOLE, "--format", "plain").stdout == "[FINAL RESPONSE]\na? b\n"


# --- What goes where.


def test_the_answer_goes_to_stdout_and_all_else_to_stderr(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary"))
    result = run(*ASKED)
    assert result.stdout == "The answer\n\nis 4.\n"
    assert result.stderr == f"{PROMPT}[REASONING SUMMARY]\n{LIVE}{WHOLE_TEXT}\n\n[FINAL RESPONSE]\n"


def test_of_a_turn_that_fails_at_once_one_line_is_left(gateway: responses.RequestsMock) -> None:
    prompt = named("prompt_summary", {"text": "What is 2+2?", "ttft_ms": 1})
    serve(gateway, prompt + named("failed", FAILURE))
    assert_fails(run(*ASKED), "the turn failed: The upstream broke off.")


def test_quiet_leaves_the_answer_alone(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    result = run(*ASKED, "-q")
    assert (result.stdout, result.stderr) == ("The answer\n\nis 4.\n", "")


# --- Events and JSON.


def test_events_are_printed_a_line_each_and_then_the_answer(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary"))
    assert run(*ASKED, "--events").stdout.splitlines() == [
        '[prompt_summary] {"text":"What is 2+2?","ttft_ms":1}',
        '[reasoning_summary_delta] {"text":"Two numbers are to be added.\\n"}',
        '[reasoning_summary_delta] {"text":"They make 4.\\n"}',
        '[reasoning_summary] {"text":"The sum of 2 and 2 is 4."}',
        '[heartbeat] {"elapsed_ms":15000}',
        '[final_output_delta] {"text":"The answer\\n\\n"}',
        '[final_output_delta] {"text":"is 4."}',
        '[done] {"finish_reason":"stop","usage":null,"timings":{"total_ms":9}}',
        "--- FINAL OUTPUT ---",
        "The answer",
        "",
        "is 4.",
    ]


@pytest.mark.parametrize("format", ["phased", "openai"])
def test_chunks_give_the_events_of_the_events_format(
    gateway: responses.RequestsMock, format: str
) -> None:
    serve(gateway, STREAMS[format]("summary"))
    lines = run(*ASKED, "--format", format, "--json").stdout.splitlines()
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


def test_chunks_give_finish_reason_usage_and_timings_with_done() -> None:
    usage = data({"choices": [], "usage": {"total_tokens": 9}})
    stream = phased_stream("none").replace(data("[DONE]"), usage + data("[DONE]"))
    *_, done = decode([stream], Chunks())
    assert done == Event("done", {**DONE_DATA, "usage": {"total_tokens": 9}})


def test_json_is_one_ascii_line_an_event(gateway: responses.RequestsMock) -> None:
    serve(gateway, named("final_output_delta", {"text": "4\u2028\u00fc"}) + named("done", {}))
    assert run(*ASKED, "--json").stdout == (
        '{"event":"final_output_delta","data":{"text":"4\\u2028\\u00fc"}}\n'
        '{"event":"done","data":{}}\n'
    )


def test_messages_and_responses_say_how_they_ended() -> None:
    for format in ("messages", "responses"):
        *_, done = decode([STREAMS[format]("none")], FORMATS[format].adapter("none"))
        usage = {"prompt_tokens": 5, "completion_tokens": 9}
        usage_of = {**usage, "completion_tokens_details": {"reasoning_tokens": 4}}
        assert done.data == {"finish_reason": "stop", "usage": usage_of, "timings": None}


def test_tool_calls_of_messages_and_responses_become_events() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f"}
    piece = {"output_index": 2, "delta": "{}"}
    responses_frames = [
        message("response.output_item.added", {"output_index": 2, "item": call}),
        message("response.function_call_arguments.delta", piece),
    ]
    json_delta = {"type": "input_json_delta", "partial_json": "{}"}
    messages_frames = block(1, "tool_use", {"id": "call_1", "name": "f"}, json_delta)
    for format, frames in (("responses", responses_frames), ("messages", messages_frames)):
        assert list(decode(frames, FORMATS[format].adapter("none"))) == [
            Event("tool_call_delta", {"index": 0, "id": "call_1", "name": "f"}),
            Event("tool_call_delta", {"index": 0, "arguments": "{}"}),
        ]


# --- What is sent.


def test_the_request_is_the_contracts(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("both"))
    run(*ASKED, "--model", "default", "--reasoning", "both", "--detail", "concise")
    assert sent(gateway) == {
        "model": "default",
        "messages": [{"role": "user", "content": "What is 2+2?"}],
        "stream": True,
        "gateway": {"format": "events", "reasoning": "both", "detail": "concise"},
    }


def test_without_a_model_the_gateway_chooses(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    run(*ASKED)
    assert "model" not in sent(gateway)


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}/v1", f"{URL}/v1/", "gateway.test:8080"])
def test_the_url_may_end_in_v1(gateway: responses.RequestsMock, url: str) -> None:
    serve(gateway, events_stream("summary"))
    assert CliRunner().invoke(cli.main, [*ASKED, "--url", url]).exit_code == 0


def test_the_url_comes_from_the_environment(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    result = CliRunner().invoke(cli.main, ASKED, env={"GATEWAY_URL": URL})
    assert result.exit_code == 0


def test_a_prompt_can_be_piped_in(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    assert run(typed="Why?\nSay it.\n").exit_code == 0
    assert sent(gateway)["messages"] == [{"role": "user", "content": "Why?\nSay it."}]


def test_what_is_piped_in_stands_below_the_prompt(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    assert run("--prompt", "why?", typed="line 1\nline 2\n").exit_code == 0
    assert sent(gateway)["messages"][0]["content"] == "why?\n\nline 1\nline 2"


def test_the_api_key_is_sent_as_bearer(gateway: responses.RequestsMock) -> None:
    for args, env in ((["--api-key", "k-1"], {}), ([], {"GATEWAY_API_KEY": "k-1"}), ([], {})):
        serve(gateway, events_stream("summary"))
        result = CliRunner().invoke(cli.main, ["--url", URL, *ASKED, *args], env=env)
        assert result.exit_code == 0
    keys = [call.request.headers.get("Authorization") for call in gateway.calls]
    assert keys == ["Bearer k-1", "Bearer k-1", None]


def test_any_api_key_can_be_sent(gateway: responses.RequestsMock) -> None:
    """What is no key is for the gateway to say."""
    for key in ("ключ", "\udcff", " k-1\n"):
        serve(gateway, events_stream("summary"))
        assert run(*ASKED, "--api-key", key).exit_code == 0
    keys = [call.request.headers["Authorization"].encode("latin-1") for call in gateway.calls]
    assert keys == ["Bearer ключ".encode(), b"Bearer \xff", b"Bearer k-1"]


def test_a_refused_key_is_told_with_the_option_that_gives_one(
    gateway: responses.RequestsMock,
) -> None:
    gateway.post(f"{URL}/v1/chat/completions", status=401, json={"error": {"message": "No."}})
    failure = f"{URL} answered 401: No. (--api-key gives one)"
    assert_fails(run(*ASKED), failure)
    assert_fails(run("--check"), failure)


def test_a_summarizer_is_asked_for_only_when_named(gateway: responses.RequestsMock) -> None:
    for args in ([], ["--summarizer", "off"]):
        serve(gateway, events_stream("summary"))
        run(*ASKED, *args)
    asked = [sent(gateway, number)["gateway"].get("summarizer") for number in (0, 1)]
    assert asked == [None, "off"]


@pytest.mark.parametrize("args", [[], ["--interactive"]])
def test_piped_bytes_that_are_no_text_are_replaced(
    gateway: responses.RequestsMock, args: list[str]
) -> None:
    serve(gateway, events_stream("summary"))
    assert CliRunner().invoke(cli.main, ["--url", URL, *args], input=b"a\xffb\n").exit_code == 0
    assert sent(gateway)["messages"][0]["content"] == "a\ufffdb"


# --- Diagnostics.


def test_verbose_says_phases_and_timings_on_stderr_only(
    gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count()
    monkeypatch.setattr(timeline, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 1000))
    serve(gateway, phased_stream("both"))
    result = run(*ASKED, "--format", "phased", "--reasoning", "both", "-v")
    assert result.stdout == f"{PROMPT}{REASONING}[REASONING SUMMARY]\n{LIVE}{ANSWER}"
    assert re.sub(r"\d\.\d{3} s", "N s", result.stderr).splitlines() == [
        "phase prompt_summary after N s",
        "phase reasoning after N s",
        "phase reasoning_summary after N s",
        "phase final_output after N s",
        "first byte after N s, done after N s",
        'finish_reason: "stop"',
        "usage: null",
        'timings: {"total_ms":9}',
    ]


def test_an_answer_cut_at_its_length_is_said_so(gateway: responses.RequestsMock) -> None:
    serve(gateway, named("done", {**DONE_DATA, "finish_reason": "length"}))
    result = run(*WHOLE)
    assert (result.exit_code, result.stdout) == (0, "[FINAL RESPONSE]\n")
    assert result.stderr == "The answer is not whole: finish reason length.\n"


@pytest.mark.parametrize(("args", "coloured"), [((), True), (("--no-color",), False)])
def test_colour_can_be_switched_off(
    gateway: responses.RequestsMock, args: tuple[str, ...], coloured: bool
) -> None:
    serve(gateway, events_stream("summary"))
    # color=True is a terminal, as far as click can tell
    result = CliRunner().invoke(cli.main, ["--url", URL, *WHOLE, *args], color=True)
    assert ("\x1b[" in result.stdout) is coloured


# --- Failures: status 1, one line.


def refused() -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.NewConnectionError(None, "refused"))  # type: ignore[arg-type]


CONNECTION_ERRORS = {
    "no gateway can be reached at http://gateway.test:8080: "
    "start one with `make run`, or name another with --url": refused(),
    "nothing came from http://gateway.test:8080 for 120 s (--timeout sets how long to wait)": (
        requests.ReadTimeout()
    ),
    "http://gateway.test:8080 closed the connection without an answer": (
        requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted"))
    ),
    "no request can be sent to http://gateway.test:8080: too many redirects": (
        requests.TooManyRedirects("too many\nredirects")
    ),
}


@pytest.mark.parametrize("args", [ASKED, ["--health"], ["--check"]], ids=" ".join)
@pytest.mark.parametrize("sentence", CONNECTION_ERRORS)
def test_a_gateway_that_cannot_be_reached(
    gateway: responses.RequestsMock, sentence: str, args: list[str]
) -> None:
    gateway.post(CHAT, body=CONNECTION_ERRORS[sentence])
    gateway.get(f"{URL}/health", body=CONNECTION_ERRORS[sentence])
    result = run(*args)
    assert_fails(result, sentence)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error":{"message":"There is no model x."}}', "There is no model x."),
        (400, b'data: {"error":"Prompt cannot be empty","code":400}\n\n', "Prompt cannot be empty"),
        (502, b"<html>Bad Gateway</html>", "Bad Gateway"),
        (500, b"", "Internal Server Error"),
        (400, b'{"error":{"message":"two\\nlines \\u001b[1m"}}', "two lines [1m"),
    ],
)
def test_an_http_error_gives_the_servers_message(
    gateway: responses.RequestsMock, status: int, body: bytes, message: str
) -> None:
    serve(gateway, body, status)
    assert_fails(run(*ASKED), f"{URL} answered {status}: {message}")


PARTIAL = "[FINAL RESPONSE]\nThe\n"
FAILURE = {"error": {"message": "The upstream broke off.", "type": "upstream_error"}}


@pytest.mark.parametrize(
    ("format", "stream"),
    [
        ("events", named("final_output_delta", {"text": "The"}) + named("failed", FAILURE)),
        ("phased", chunk("final_output", {"content": "The"}) + data(FAILURE) + data("[DONE]")),
        ("openai", chunk("final_output", {"content": "The"}) + data(FAILURE) + data("[DONE]")),
        (
            "plain",
            data({"choices": [{"delta": {"content": "The"}}]})
            + data({"error": "The upstream broke off.", "code": 502}),
        ),
    ],
)
def test_a_failure_event(gateway: responses.RequestsMock, format: str, stream: bytes) -> None:
    serve(gateway, stream)
    result = run(*WHOLE, "--format", format)
    assert_fails(result, "the turn failed: The upstream broke off.")
    assert result.stdout == PARTIAL


@pytest.mark.parametrize("format", STREAMS)
def test_a_stream_without_its_end_is_not_taken_for_whole(
    gateway: responses.RequestsMock, format: str
) -> None:
    stream = STREAMS[format]("none")
    ends = {
        "events": b"event: done",
        "messages": b"event: message_stop",
        "responses": b"event: response.completed",
    }
    end = ends.get(format, b"data: [DONE]")
    serve(gateway, stream[: stream.index(end)])
    result = run(*WHOLE, "--format", format)
    assert_fails(result, "the stream ended without `done`: the answer is not whole")
    assert result.stdout.endswith(ANSWER)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (urllib3.exceptions.ProtocolError(), "the connection broke before the answer was whole"),
        (
            urllib3.exceptions.ReadTimeoutError(None, None, "timed out"),  # type: ignore[arg-type]
            f"nothing came from {URL} for 3 s (--timeout sets how long to wait)",
        ),
    ],
)
def test_a_connection_that_breaks_in_the_middle(
    gateway: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    sentence: str,
) -> None:
    reads = iter([named("final_output_delta", {"text": "The"})])

    def read1(self: Any, amt: int, decode_content: bool) -> bytes:
        for read in reads:
            return read
        raise fault

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", read1)
    serve(gateway, b"")
    result = run(*WHOLE, "--timeout", "3")
    assert_fails(result, sentence)
    assert result.stdout == PARTIAL


@pytest.mark.parametrize("body", [b"data: {nonsense\n\n", b"data: [1]\n\n", b"data: \xff\n\n"])
def test_what_is_no_event(gateway: responses.RequestsMock, body: bytes) -> None:
    serve(gateway, body)
    shown = body[6:-2].decode("utf-8", "replace")
    assert_fails(run(*ASKED), f"the stream carries what is no event: {shown}")


def test_an_answer_that_is_no_stream(gateway: responses.RequestsMock) -> None:
    gateway.post(CHAT, body="<html>", content_type="text/html")
    assert_fails(run(*ASKED), f"{CHAT} answered with text/html, not with an event stream")


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
def test_odd_chunks_are_survived(value: dict[str, Any]) -> None:
    assert list(decode([data(value)], Chunks())) == []


def test_ctrl_c_ends_with_130(gateway: responses.RequestsMock) -> None:
    def stop(request: requests.PreparedRequest) -> Any:
        raise KeyboardInterrupt

    gateway.add_callback("POST", CHAT, stop)
    result = run(*ASKED)
    assert (result.exit_code, result.output) == (130, "")


# --- The command line.


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "xml"],
        ["--reasoning", "loud"],
        ["--timeout", "0"],
        ["--health", "--check"],
        ["--nonsense"],
        [],
    ],
    ids=" ".join,
)
def test_usage_errors_end_with_2(gateway: responses.RequestsMock, args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not gateway.calls


def test_nothing_to_do_on_a_terminal_gives_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "has_terminal", lambda: True)
    result = run()
    assert (result.exit_code, result.stdout.split(maxsplit=1)[0]) == (0, "Usage:")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_for_the_program_as_it_is_started(shell: str) -> None:
    result = run("--completion", shell)
    assert result.exit_code == 0
    assert "_CLIENT_PY_COMPLETE" in result.stdout
    assert "client.py" in result.stdout


def completed(begun: str) -> list[str]:
    words = f"client.py --url {URL} {begun}"
    env = {"_CLIENT_PY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    result = CliRunner().invoke(cli.main, prog_name="client.py", env=env)
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_models_are_completed_from_the_gateway(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/v1/models", json={"data": [{"id": "qwen3-8b"}, {"id": "other"}]})
    assert completed("--model q") == ["qwen3-8b"]


def test_without_a_gateway_no_model_is_completed(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/v1/models", body=refused())
    assert completed("--model q") == []


def test_every_option_and_exit_status_is_in_the_help() -> None:
    shown = run("--help").stdout
    for parameter in cli.main.params:
        assert parameter.opts[-1] in shown
    for status in ("0 ", "1 ", "2 ", "130 "):
        assert f"\n    {status}" in shown


# --- Health.


def test_health_is_readable(gateway: responses.RequestsMock) -> None:
    upstream = {"name": "local", "breaker": "closed", "tags": []}
    health = {"status": "ok", "version": "0.1.0", "uptime_s": 1.5, "upstreams": [upstream]}
    gateway.get(f"{URL}/health", json=health)
    result = run("--health")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "status: ok",
            "version: 0.1.0",
            "uptime_s: 1.5",
            "upstreams:",
            "  1:",
            "    name: local",
            "    breaker: closed",
            "    tags: []",
        ],
    )


def test_health_that_is_not_ok(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/health", json={"status": "draining"})
    result = run("--health")
    assert_fails(result, f"{URL} says of itself: status draining")
    assert result.stdout == "status: draining\n"


def test_health_that_is_refused(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/health", status=503, json={"error": {"message": "Draining."}})
    assert_fails(run("--health"), f"{URL} answered 503: Draining.")


# --- A conversation.


def turn(*texts: str) -> bytes:
    deltas = [named("final_output_delta", {"text": text}) for text in texts]
    return b"".join(deltas) + named("done", DONE_DATA)


def test_earlier_turns_are_sent_as_history(gateway: responses.RequestsMock) -> None:
    for answer in ("one", "two", "three"):
        serve(gateway, turn(answer))
    result = run("--interactive", "--prompt", "a", typed="b\n\n  c\n/quit\nd\n")
    assert result.exit_code == 0
    assert [(m["role"], m["content"]) for m in sent(gateway, 2)["messages"]] == [
        ("user", "a"),
        ("assistant", "one"),
        ("user", "b"),
        ("assistant", "two"),
        ("user", "c"),
    ]
    assert len(gateway.calls) == 3
    assert result.stdout == "one\ntwo\nthree\n"


def test_a_turn_that_failed_is_forgotten_and_the_conversation_goes_on(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, named("final_output_delta", {"text": "The"}) + named("failed", FAILURE))
    serve(gateway, turn("two"))
    result = run("--interactive", typed="a\nb\n")
    assert (result.exit_code, sent(gateway, 1)["messages"]) == (
        0,
        [{"role": "user", "content": "b"}],
    )
    assert "Error: the turn failed: The upstream broke off.\n" in result.stderr


def test_a_conversation_whose_last_turn_failed_ends_with_1(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, named("failed", FAILURE))
    assert_fails(run("--interactive", typed="a\n"), "the turn failed: The upstream broke off.")


def test_ctrl_c_stops_the_turn_and_keeps_what_was_said(
    gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = iter([named("final_output_delta", {"text": "The"})])
    read1 = urllib3.HTTPResponse.read1

    def interrupted(self: Any, amt: int, decode_content: bool) -> bytes:
        for read in first:
            return read
        monkeypatch.setattr(urllib3.HTTPResponse, "read1", read1)
        raise KeyboardInterrupt

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", interrupted)
    serve(gateway, b"")
    serve(gateway, turn("two"))
    result = run("--interactive", typed="a\nb\n")
    assert (result.exit_code, "Stopped.\n" in result.stderr) == (0, True)
    assert sent(gateway, 1)["messages"][1] == {"role": "assistant", "content": "The"}


# --- The check.

GOOD = ("Streaming APIs send parts. ",) * 60


def checked(monkeypatch: pytest.MonkeyPatch, step_s: float) -> Result:
    """Runs --check with a clock that moves on by `step_s` whenever it is read."""
    ticks = count()
    monkeypatch.setattr(timeline, "time", SimpleNamespace(monotonic=lambda: next(ticks) * step_s))
    return run("--check")


def test_the_check_passes(gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(gateway, plain_stream(pieces=GOOD))
    result = checked(monkeypatch, 0.001)
    assert sent(gateway) == {"prompt": "Explain streaming APIs", "stream": True}
    assert (result.exit_code, result.stderr) == (0, "")
    shown = re.sub(r"0\.0\d\d s", "N s", re.sub(r"6,\d{3}\.\d", "N", result.stdout))
    assert shown.splitlines() == [
        "chunks               60",
        "characters           1,620",
        "time to first byte   N s",
        "time to first chunk  N s",
        "total time           N s",
        "tokens a second      N (characters / 4, over the total time)",
        "",
        "ok    at least 1,378 characters: 1,620",
        "ok    at least 6 chunks: 60",
        "ok    first byte under 2.4 s: N s",
        "ok    more than 29 tokens a second: N",
        "ok    ends with [DONE]: yes",
        "ok    the answer refers to the prompt: streaming, apis",
    ]


@pytest.mark.parametrize(
    ("stream", "step_s", "broken"),
    [
        (plain_stream(pieces=GOOD[:50]), 0.001, "at least 1,378 characters: 1,350"),
        (plain_stream(pieces=("".join(GOOD),)), 0.001, "at least 6 chunks: 1"),
        (plain_stream(pieces=(*GOOD, "x " * 90_000)), 2.4, "first byte under 2.4 s: 2.400 s"),
        (plain_stream(pieces=GOOD), 1.0, "more than 29 tokens a second: 6.5"),
        (plain_stream(pieces=GOOD).replace(data("[DONE]"), b""), 0.001, "ends with [DONE]: no"),
        (
            plain_stream(pieces=("I can explain that. ",) * 80),
            0.001,
            "the answer refers to the prompt: no",
        ),
    ],
)
def test_the_check_says_which_requirement_does_not_hold(
    gateway: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    stream: bytes,
    step_s: float,
    broken: str,
) -> None:
    serve(gateway, stream)
    result = checked(monkeypatch, step_s)
    assert_fails(result, "1 of 6 requirements do not hold")
    fails = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    assert fails == [f"FAIL  {broken}"]


def test_the_check_of_nothing_fails_in_everything(gateway: responses.RequestsMock) -> None:
    serve(gateway, b"")
    result = run("--check", "--prompt", "hi there")
    assert_fails(result, "6 of 6 requirements do not hold")


def test_the_check_of_a_failure_says_the_failure(gateway: responses.RequestsMock) -> None:
    serve(gateway, data({"error": "Server error: unforeseen", "code": 500}))
    assert_fails(run("--check"), "the turn failed: Server error: unforeseen")


def test_something_after_done_is_not_an_end_with_done(gateway: responses.RequestsMock) -> None:
    serve(gateway, plain_stream(pieces=GOOD) + data({"choices": [{"delta": {"content": "."}}]}))
    assert "FAIL  ends with [DONE]: no" in run("--check").stdout


def test_tokens_a_second_count_four_characters_a_token() -> None:
    assert Measured("p", "x" * 400, 1, 0.1, 0.1, 2.0, True).tokens_per_s == 50


# --- Reading.


@given(st.text("ab\r\n", max_size=40), st.lists(st.integers(0, 40)))
def test_lines_are_the_same_however_the_stream_is_cut(text: str, cuts: list[int]) -> None:
    stream = text.encode()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reads = [stream[a:b] for a, b in pairwise(places)]
    assert [line for lines in split_lines(reads) for line in lines] == stream.splitlines()


@pytest.mark.parametrize("format", STREAMS)
def test_a_stream_read_byte_by_byte_gives_the_same_events(format: str) -> None:
    stream = STREAMS[format]("both")
    reads = [stream[i : i + 1] for i in range(len(stream))]
    adapter = FORMATS[format].adapter
    whole = list(decode([stream], adapter("both")))
    assert list(decode(reads, adapter("both"))) == whole


def test_an_event_is_out_before_the_next_read() -> None:
    asked = []

    def reads() -> Iterator[bytes]:
        for text in ("a", "b"):
            asked.append(text)
            yield named("final_output_delta", {"text": text})

    events = decode(reads(), named_events)
    assert next(events).text == "a"
    assert asked == ["a"]


@pytest.mark.parametrize("kind", ["events", "json", "sections", "quiet", "answer"])
def test_each_output_writes_as_events_come(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with cli.new_output(kind, "summary", colour=False) as output:
        output.show(Event("final_output_delta", {"text": "now"}))
        assert "now" in capsys.readouterr().out
