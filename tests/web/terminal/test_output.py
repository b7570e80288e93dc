"""What the outputs print, and where."""

import re
from itertools import count
from types import SimpleNamespace

import pytest
import responses
from click.testing import CliRunner

from gateway.terminal import cli, timeline
from gateway.terminal.events import Event
from gateway.terminal.formats import FORMATS
from tests.web.terminal.fake_gateway import (
    PROMPT_ARGS,
    SECTION_ARGS,
    URL,
    assert_fails,
    run_client,
    serve,
)
from tests.web.terminal.transcripts import (
    ANSWER_SECTION,
    DONE_DATA,
    FAILURE,
    FULL_SUMMARY,
    LIVE_LINES,
    PROMPT_SECTION,
    REASONING_SECTION,
    STREAMS,
    SUMMARY_LINES,
    events_stream,
    named_event,
    phased_stream,
    plain_stream,
)


def test_every_format_has_a_transcript() -> None:
    assert STREAMS.keys() == FORMATS.keys()


@pytest.mark.parametrize("reasoning", ["summary", "raw", "both", "none"])
@pytest.mark.parametrize("format", STREAMS)
def test_sections_are_in_order_in_every_format(
    gateway: responses.RequestsMock, format: str, reasoning: str
) -> None:
    serve(gateway, STREAMS[format](reasoning))
    result = run_client(*SECTION_ARGS, "--format", format, "--reasoning", reasoning)
    trace = REASONING_SECTION if reasoning in ("raw", "both") else ""
    summary = {
        ("events", "summary"): f"[REASONING SUMMARY]\n{FULL_SUMMARY}\n\n",
        ("events", "both"): f"[REASONING SUMMARY]\n{FULL_SUMMARY}\n\n",
        ("messages", "both"): f"[REASONING SUMMARY]\n{FULL_SUMMARY}\n\n",
    }.get((format, reasoning), f"[REASONING SUMMARY]\n{LIVE_LINES}")
    summary = summary if reasoning in ("summary", "both") else ""
    before = "" if format == "plain" else PROMPT_SECTION + trace + summary
    expected = before + ANSWER_SECTION
    assert (result.stdout, result.stderr, result.exit_code) == (expected, "", 0)


def test_a_summary_that_repeats_the_live_lines_is_shown_once(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary", summary=" ".join(SUMMARY_LINES)))
    shown = f"[REASONING SUMMARY]\n{' '.join(SUMMARY_LINES)}\n\n[FINAL RESPONSE]"
    assert shown in run_client(*SECTION_ARGS).stdout


def test_a_pipe_gets_the_live_lines_of_a_turn_that_fails(gateway: responses.RequestsMock) -> None:
    lines = [
        named_event("reasoning_summary_delta", {"text": f"{line}\n"}) for line in SUMMARY_LINES
    ]
    serve(gateway, b"".join(lines) + named_event("failed", FAILURE))
    result = run_client(*SECTION_ARGS)
    assert result.stdout == f"[REASONING SUMMARY]\n{LIVE_LINES}".rstrip() + "\n"
    assert result.exit_code == 1


def test_the_prompts_summary_is_shown_only_if_it_says_something_new(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary"))
    assert "[PROMPT]" in run_client(*SECTION_ARGS).stdout
    serve(gateway, events_stream("summary"))
    assert "[PROMPT]" not in run_client("--prompt", "What is  2+2?", "--sections").stdout


def test_a_summary_without_live_lines_is_shown_alone(gateway: responses.RequestsMock) -> None:
    summary = named_event("reasoning_summary", {"text": "Reasoning not detected."})
    answer = named_event("final_output_delta", {"text": "4"})
    serve(gateway, summary + answer + named_event("done", DONE_DATA))
    expected = "[REASONING SUMMARY]\nReasoning not detected.\n\n[FINAL RESPONSE]\n4\n"
    assert run_client(*SECTION_ARGS).stdout == expected


def test_a_trace_that_was_not_requested_is_hidden(gateway: responses.RequestsMock) -> None:
    serve(gateway, phased_stream("both"))
    assert "[REASONING]" not in run_client(*SECTION_ARGS, "--format", "phased").stdout


def test_trace_after_the_start_of_the_answer_is_dropped(
    gateway: responses.RequestsMock,
) -> None:
    late = named_event("reasoning_delta", {"text": "Wait."})
    texts = [named_event("final_output_delta", {"text": text}) for text in ("4", ", surely")]
    serve(gateway, texts[0] + late + texts[1] + named_event("done", DONE_DATA))
    assert run_client(*SECTION_ARGS, "--reasoning", "raw").stdout == "[FINAL RESPONSE]\n4, surely\n"


def test_the_indentation_of_the_answer_is_kept(gateway: responses.RequestsMock) -> None:
    serve(gateway, plain_stream(texts=("\n\n    ", "x = 1\n", "    ", "y = 2", "\n\n")))
    stdout = run_client(*SECTION_ARGS, "--format", "plain").stdout
    assert stdout == "[FINAL RESPONSE]\n    x = 1\n    y = 2\n"


def test_complete_tool_calls_are_shown_below_the_answer(gateway: responses.RequestsMock) -> None:
    calls = [
        {"index": 0, "id": "call_1", "name": "add", "arguments": ""},
        {"index": 1, "id": "call_2", "name": "now", "arguments": "{}"},
        {"index": 0, "arguments": '{"a":2}'},
    ]
    text = named_event("final_output_delta", {"text": "A moment."})
    end = named_event("done", {**DONE_DATA, "finish_reason": "tool_calls"})
    serve(gateway, text + b"".join(named_event("tool_call_delta", call) for call in calls) + end)
    expected = '[FINAL RESPONSE]\nA moment.\n\ntool call: add {"a":2}\ntool call: now {}\n'
    assert run_client(*SECTION_ARGS).stdout == expected


def test_control_characters_of_the_model_are_removed(gateway: responses.RequestsMock) -> None:
    serve(gateway, plain_stream(texts=("\x1b[2J", "a\x07b\x9b1m\tc\r\n", "d")))
    stdout = run_client(*SECTION_ARGS, "--format", "plain").stdout
    assert stdout == "[FINAL RESPONSE]\n[2Jab1m\tc\nd\n"


def test_a_lone_surrogate_is_shown_as_a_question_mark(gateway: responses.RequestsMock) -> None:
    serve(gateway, b'data: {"choices":[{"delta":{"content":"a\\ud83d b"}}]}\n\ndata: [DONE]\n\n')
    assert run_client(*SECTION_ARGS, "--format", "plain").stdout == "[FINAL RESPONSE]\na? b\n"


def test_the_answer_goes_to_stdout_and_the_rest_to_stderr(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary"))
    result = run_client(*PROMPT_ARGS)
    assert result.stdout == "The answer\n\nis 4.\n"
    summary = f"[REASONING SUMMARY]\n{FULL_SUMMARY}\n\n"
    assert result.stderr == f"{PROMPT_SECTION}{summary}[FINAL RESPONSE]\n"


def test_a_turn_that_fails_at_once_prints_one_line(gateway: responses.RequestsMock) -> None:
    prompt = named_event("prompt_summary", {"text": "What is 2+2?", "ttft_ms": 1})
    serve(gateway, prompt + named_event("failed", FAILURE))
    assert_fails(run_client(*PROMPT_ARGS), "the turn failed: The upstream closed the connection.")


def test_quiet_prints_only_the_answer(gateway: responses.RequestsMock) -> None:
    serve(gateway, events_stream("summary"))
    result = run_client(*PROMPT_ARGS, "-q")
    assert (result.stdout, result.stderr) == ("The answer\n\nis 4.\n", "")


def test_events_are_printed_one_per_line_then_the_answer(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, events_stream("summary"))
    assert run_client(*PROMPT_ARGS, "--events").stdout.splitlines() == [
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


def test_json_is_one_ascii_line_per_event(gateway: responses.RequestsMock) -> None:
    answer = named_event("final_output_delta", {"text": "4\u2028\u00fc"})
    serve(gateway, answer + named_event("done", {}))
    assert run_client(*PROMPT_ARGS, "--json").stdout == (
        '{"event":"final_output_delta","data":{"text":"4\\u2028\\u00fc"}}\n'
        '{"event":"done","data":{}}\n'
    )


def test_verbose_prints_phases_and_timings_to_stderr_only(
    gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = count()
    monkeypatch.setattr(timeline, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 1000))
    serve(gateway, phased_stream("both"))
    result = run_client(*PROMPT_ARGS, "--format", "phased", "--reasoning", "both", "-v")
    summary = f"[REASONING SUMMARY]\n{LIVE_LINES}"
    assert result.stdout == PROMPT_SECTION + REASONING_SECTION + summary + ANSWER_SECTION
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


def test_an_answer_cut_by_its_length_limit_is_reported(gateway: responses.RequestsMock) -> None:
    serve(gateway, named_event("done", {**DONE_DATA, "finish_reason": "length"}))
    result = run_client(*SECTION_ARGS)
    assert (result.exit_code, result.stdout) == (0, "[FINAL RESPONSE]\n")
    assert result.stderr == "The answer is incomplete: finish reason length.\n"


@pytest.mark.parametrize(("args", "coloured"), [((), True), (("--no-color",), False)])
def test_colour_can_be_switched_off(
    gateway: responses.RequestsMock, args: tuple[str, ...], coloured: bool
) -> None:
    serve(gateway, events_stream("summary"))
    # with color=True, click assumes a terminal
    result = CliRunner().invoke(cli.main, ["--url", URL, *SECTION_ARGS, *args], color=True)
    assert ("\x1b[" in result.stdout) is coloured


@pytest.mark.parametrize("kind", ["events", "json", "sections", "quiet", "answer"])
def test_every_output_writes_each_event_at_once(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with cli.make_output(kind, "summary", colour=False) as output:
        output.show(Event("final_output_delta", {"text": "now"}))
        assert "now" in capsys.readouterr().out
