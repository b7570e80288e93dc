"""`python client.py` against the real gateway: what a user sees in the terminal."""

import json
import re
import subprocess
import sys

import pytest

from gateway.terminal.formats import FORMATS
from tests.live.wire import in_parallel
from tests.programs import ROOT, start_gateway


def client(
    url: str, *args: str, typed: str | None = None, timeout_s: float = 20
) -> tuple[int, str, str]:
    """Exit status, what was printed, and what was complained about."""
    done = subprocess.run(
        [sys.executable, "client.py", "--url", url, *args],
        cwd=ROOT,
        input=typed,
        stdin=subprocess.DEVNULL if typed is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    return done.returncode, done.stdout, done.stderr


def test_each_event_then_the_answer(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--prompt", "hi", "--events")
    assert (status, complaints) == (0, "")
    *lines, head, answer = said.splitlines()
    assert (head, answer) == ("--- FINAL OUTPUT ---", "Hi! Nice to meet you.")
    assert all(re.fullmatch(r"\[\w+\] \{.*\}", line) for line in lines)
    events = [(line[1 : line.index("]")], json.loads(line.partition(" ")[2])) for line in lines]
    name, data = events[0]
    assert (name, data["text"]) == ("prompt_summary", "hi")
    assert data["ttft_ms"] >= 0
    summary = {"text": "I should greet in one sentence. Keep it short."}
    assert [data for name, data in events if name == "reasoning_summary"] == [summary]
    deltas = [data["text"] for name, data in events if name == "final_output_delta"]
    assert "".join(deltas) == "Hi! Nice to meet you."
    assert events[-1][0] == "done"


def test_trace_and_summary_under_headings(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--prompt", "hi", "--reasoning", "both")
    assert (status, complaints) == (0, "")
    assert said == (
        "[PROMPT]\nhi\n\n"
        "[REASONING]\nI should greet in one sentence. Keep it short.\n\n"
        "[REASONING SUMMARY]\nI should greet in one sentence. Keep it short.\n\n"
        "[FINAL RESPONSE]\nHi! Nice to meet you.\n"
    )


def test_the_answer_goes_to_stdout_and_all_else_to_stderr(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--prompt", "hi")
    assert (status, said) == (0, "Hi! Nice to meet you.\n")
    assert complaints == (
        "[PROMPT]\nhi\n\n"
        "[REASONING SUMMARY]\nI should greet in one sentence. Keep it short.\n\n"
        "[FINAL RESPONSE]\n"
    )


def test_the_formats_look_the_same(gateway_url: str) -> None:
    def check(format: str) -> None:
        args = ("--prompt", "What is 2+2?", "--format", format, "--sections")
        status, said, complaints = client(gateway_url, *args)
        assert (status, complaints) == (0, "")
        assert said.endswith("[FINAL RESPONSE]\n2 + 2 = 4.\n")
        if format != "plain":
            assert said.startswith("[PROMPT]\nWhat is 2+2?\n\n[REASONING SUMMARY]\n")

    in_parallel(check, FORMATS)


def test_the_check_says_of_each_requirement_that_it_holds(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--check", "--model", "default@tps=400")
    assert (status, complaints) == (0, "")
    verdicts = [line for line in said.splitlines() if line[:4] in ("ok  ", "FAIL")]
    assert len(verdicts) == 6
    assert all(line.startswith("ok") for line in verdicts)
    for name in ("chunks ", "characters ", "time to first byte ", "tokens a second "):
        assert name in said


def test_the_check_fails_where_a_requirement_does_not_hold(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--check", "--prompt", "hi")
    assert status == 1
    assert "FAIL" in said
    assert complaints.count("\n") == 1


def test_health(gateway_url: str) -> None:
    status, said, complaints = client(gateway_url, "--health")
    assert (status, complaints) == (0, "")
    assert "status: ok\n" in said


def test_a_prompt_can_be_piped_in(gateway_url: str) -> None:
    status, said, _ = client(gateway_url, "--events", typed="hi\n")
    assert status == 0
    assert said.endswith("--- FINAL OUTPUT ---\nHi! Nice to meet you.\n")


def test_what_is_piped_in_stands_below_the_prompt(gateway_url: str) -> None:
    args = ("--prompt", "What is this?", "--json", "--format", "events")
    status, said, _ = client(gateway_url, *args, typed="a log line\n")
    summary = json.loads(said.splitlines()[0])["data"]["text"]
    assert (status, summary) == (0, "What is this? a log line")


def test_each_event_as_a_line_of_json(gateway_url: str) -> None:
    status, said, _ = client(gateway_url, "--prompt", "hi", "--json")
    assert status == 0
    events = [json.loads(line) for line in said.splitlines()]
    assert events[0]["event"] == "prompt_summary"
    assert events[-1]["event"] == "done"


def test_phases_and_timings_when_asked(gateway_url: str) -> None:
    status, _, complaints = client(gateway_url, "--prompt", "hi", "-v")
    assert status == 0
    for line in ("phase prompt_summary after", "phase final_output after", "first byte after"):
        assert line in complaints


def test_a_conversation(gateway_url: str) -> None:
    status, said, _ = client(gateway_url, "--interactive", typed="hi\nWhat is 2+2?\n/quit\n")
    assert (status, said) == (0, "Hi! Nice to meet you.\n2 + 2 = 4.\n")


@pytest.mark.parametrize("model", ["cut@tps=0", "error-500", "rate-limited", "garbage@tps=0"])
def test_a_failure_is_status_one_and_one_line(gateway_url: str, model: str) -> None:
    def check(format: str) -> None:
        args = ("--prompt", "hi", "--model", model, "--format", format, "--sections")
        status, said, complaints = client(gateway_url, *args)
        assert status == 1
        assert complaints.startswith("Error: ")
        assert complaints.count("\n") == 1
        assert complaints.endswith(".\n")
        if model.startswith("cut"):
            assert "[FINAL RESPONSE]\nHi! Nice\n" in said

    in_parallel(check)


def test_without_a_gateway_one_line_says_what_to_do() -> None:
    status, said, complaints = client("http://127.0.0.1:1", "--prompt", "hi")
    assert (status, said) == (1, "")
    assert complaints.count("\n") == 1
    assert "no gateway can be reached at http://127.0.0.1:1" in complaints
    assert "make run" in complaints


def test_without_an_upstream_one_line_says_so() -> None:
    with start_gateway("http://127.0.0.1:1") as alone:
        status, _, complaints = client(alone.url, "--prompt", "hi")
    assert status == 1
    assert "upstream could not be reached" in complaints
    assert complaints.count("\n") == 1


def test_a_gateway_that_wants_a_key(mock_url: str) -> None:
    with start_gateway(mock_url, api_keys="sk-one") as gateway:
        for args in (
            ("--prompt", "hi", "-q"),
            ("--check",),
            ("--prompt", "hi", "--format", "plain"),
        ):
            status, said, complaint = client(gateway.url, *args)
            assert (status, said) == (1, "")
            assert re.fullmatch(
                r"Error: http\S+ answered 401: .*\(--api-key gives one\)\n", complaint
            )
        for format in FORMATS:
            args = ("--api-key", "sk-one", "--prompt", "hi", "-q", "--format", format)
            assert client(gateway.url, *args) == (0, "Hi! Nice to meet you.\n", "")
        assert client(gateway.url, "--health")[0] == 0
