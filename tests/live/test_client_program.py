"""`python client.py` with a real gateway: stdout, stderr and the exit status."""

import json
import re
import subprocess
import sys

import pytest

from gateway.terminal.formats import FORMATS
from tests.live.wire import in_parallel
from tests.machine import PATIENCE_S
from tests.programs import ROOT, start_gateway


def run_client(
    url: str, *args: str, stdin: str | None = None, timeout_s: float = PATIENCE_S
) -> tuple[int, str, str]:
    """Returns the exit status, stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "client.py", "--url", url, *args],
        cwd=ROOT,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    return done.returncode, done.stdout, done.stderr


def test_events_are_printed_then_the_answer(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--prompt", "hi", "--events")
    assert (status, stderr) == (0, "")
    *lines, head, answer = stdout.splitlines()
    assert (head, answer) == ("--- FINAL OUTPUT ---", "Hi! Nice to meet you.")
    assert all(re.fullmatch(r"\[\w+\] \{.*\}", line) for line in lines)
    events = [(line[1 : line.index("]")], json.loads(line.partition(" ")[2])) for line in lines]
    name, data = events[0]
    assert (name, data["text"]) == ("prompt_summary", "hi")
    assert data["ttft_ms"] >= 0
    summary = {"text": "I should greet in one sentence and keep it short."}
    assert [data for name, data in events if name == "reasoning_summary"] == [summary]
    deltas = [data["text"] for name, data in events if name == "final_output_delta"]
    assert "".join(deltas) == "Hi! Nice to meet you."
    assert events[-1][0] == "done"


def test_trace_and_summary_are_printed_under_headings(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--prompt", "hi", "--reasoning", "both")
    assert (status, stderr) == (0, "")
    assert stdout == (
        "[REASONING]\nI should greet in one sentence and keep it short.\n\n"
        "[REASONING SUMMARY]\nI should greet in one sentence and keep it short.\n\n"
        "[FINAL RESPONSE]\nHi! Nice to meet you.\n"
    )


def test_the_answer_goes_to_stdout_and_the_rest_to_stderr(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--prompt", "hi")
    assert (status, stdout) == (0, "Hi! Nice to meet you.\n")
    assert stderr == (
        "[REASONING SUMMARY]\nI should greet in one sentence and keep it short.\n\n"
        "[FINAL RESPONSE]\n"
    )


def test_every_format_looks_the_same(gateway_url: str) -> None:
    def check(format: str) -> None:
        args = ("--prompt", "What is 2+2?", "--format", format, "--sections")
        status, stdout, stderr = run_client(gateway_url, *args)
        assert (status, stderr) == (0, "")
        assert stdout.endswith("[FINAL RESPONSE]\n2 + 2 = 4.\n")
        if format != "plain":
            assert stdout.startswith("[REASONING SUMMARY]\n")

    in_parallel(check, FORMATS)


def test_a_good_answer_passes_the_check(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--check", "--model", "default@tps=400")
    assert (status, stderr) == (0, "")
    verdicts = [line for line in stdout.splitlines() if line[:4] in ("ok  ", "FAIL")]
    assert len(verdicts) == 6
    assert all(line.startswith("ok") for line in verdicts)
    for name in ("chunks ", "characters ", "time to first byte ", "tokens a second "):
        assert name in stdout


def test_the_check_fails_if_a_requirement_is_not_met(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--check", "--prompt", "hi")
    assert status == 1
    assert "FAIL" in stdout
    assert stderr.count("\n") == 1


def test_health_of_a_running_gateway_is_ok(gateway_url: str) -> None:
    status, stdout, stderr = run_client(gateway_url, "--health")
    assert (status, stderr) == (0, "")
    assert "status: ok\n" in stdout


def test_a_prompt_can_be_piped_in(gateway_url: str) -> None:
    status, stdout, _ = run_client(gateway_url, "--events", stdin="hi\n")
    assert status == 0
    assert stdout.endswith("--- FINAL OUTPUT ---\nHi! Nice to meet you.\n")


def test_piped_input_is_added_below_the_prompt(gateway_url: str) -> None:
    args = ("--prompt", "What is this?", "--json", "--format", "events")
    status, stdout, _ = run_client(gateway_url, *args, stdin="a log line\n")
    summary = json.loads(stdout.splitlines()[0])["data"]["text"]
    assert (status, summary) == (0, "What is this? a log line")


def test_json_prints_one_event_per_line(gateway_url: str) -> None:
    status, stdout, _ = run_client(gateway_url, "--prompt", "hi", "--json")
    assert status == 0
    events = [json.loads(line) for line in stdout.splitlines()]
    assert events[0]["event"] == "prompt_summary"
    assert events[-1]["event"] == "done"


def test_verbose_prints_phases_and_timings(gateway_url: str) -> None:
    status, _, stderr = run_client(gateway_url, "--prompt", "hi", "-v")
    assert status == 0
    for line in ("phase prompt_summary after", "phase final_output after", "first byte after"):
        assert line in stderr


def test_a_piped_conversation_sends_each_line_as_a_prompt(gateway_url: str) -> None:
    status, stdout, _ = run_client(gateway_url, "--interactive", stdin="hi\nWhat is 2+2?\n/quit\n")
    assert (status, stdout) == (0, "Hi! Nice to meet you.\n2 + 2 = 4.\n")


@pytest.mark.parametrize("model", ["cut@tps=0", "error-500", "rate-limited", "garbage@tps=0"])
def test_a_failure_exits_with_1_and_prints_one_line(gateway_url: str, model: str) -> None:
    def check(format: str) -> None:
        args = ("--prompt", "hi", "--model", model, "--format", format, "--sections")
        status, stdout, stderr = run_client(gateway_url, *args)
        assert status == 1
        assert stderr.startswith("Error: ")
        assert stderr.count("\n") == 1
        assert stderr.endswith(".\n")
        if model.startswith("cut"):
            assert "[FINAL RESPONSE]\nHi! Nice\n" in stdout

    in_parallel(check)


def test_an_unreachable_gateway_is_one_line_with_a_hint() -> None:
    status, stdout, stderr = run_client("http://127.0.0.1:1", "--prompt", "hi")
    assert (status, stdout) == (1, "")
    assert stderr.count("\n") == 1
    assert "cannot reach a gateway at http://127.0.0.1:1" in stderr
    assert "reasoning-gateway serve" in stderr


def test_an_unreachable_upstream_is_one_line() -> None:
    with start_gateway("http://127.0.0.1:1") as gateway:
        status, _, stderr = run_client(gateway.url, "--prompt", "hi")
    assert status == 1
    assert "could not be reached: connection refused." in stderr
    assert stderr.count("\n") == 1


def test_a_gateway_with_api_keys_needs_the_option(mock_url: str) -> None:
    with start_gateway(mock_url, api_keys="sk-one") as gateway:
        for args in (
            ("--prompt", "hi", "-q"),
            ("--check",),
            ("--prompt", "hi", "--format", "plain"),
        ):
            status, stdout, stderr = run_client(gateway.url, *args)
            assert (status, stdout) == (1, "")
            assert re.fullmatch(
                r"Error: http\S+ returned 401: .*\(pass a key with --api-key\)\n", stderr
            )
        for format in FORMATS:
            args = ("--api-key", "sk-one", "--prompt", "hi", "-q", "--format", format)
            assert run_client(gateway.url, *args) == (0, "Hi! Nice to meet you.\n", "")
        assert run_client(gateway.url, "--health")[0] == 0
