"""Coding agents as clients: the real programs, against a mock that is as strict as real servers."""

import os
import re
import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.wire import logged_turns, wait_until
from tests.programs import Program, start_gateway, start_mock
from tests.real.agent_programs import (
    AGENTS,
    COMPACT_AT,
    PROGRAMS,
    one_line,
    run_agent,
    start_agent,
)


def _marked(name: str) -> Any:
    is_there = PROGRAMS[name].exists()
    return pytest.param(name, marks=pytest.mark.skipif(not is_there, reason="make test-real"))


every_agent = pytest.mark.parametrize("agent", list(map(_marked, AGENTS)))
every_agent_with_tools = pytest.mark.parametrize(
    "agent", [_marked(name) for name in AGENTS if name != "aider"]
)
DONE = "Done after 2 commands."
TWO_ANSWERS = 1500
"""More tokens than the mock's answers of two turns have."""
IN_TEXT = "What surprised you is what you have learnt."
"""The end of the model's answer where it calls no tools: aider offers it none."""
UNTIL_SAID = frozenset({"aider"})
"""Those that repeat a request for a minute after any error, and show the error each time."""
BROKE_OFF = {"claude": "Server error mid-response"}
"""What an agent says of a cut answer, where it does not show the gateway's words."""
SUMMARY = "A command shows what is there"
"""A line of the summary of each step."""
RETRY_AFTER_S = 7
MAX_TRIES = 12
"""Requests for one prompt that fails, those for titles included."""


@pytest.fixture
def mock() -> Iterator[Program]:
    with start_mock("--tokens-per-second", "0") as mock:
        yield mock


@pytest.fixture
def gateway(mock: Program) -> Iterator[Program]:
    with start_gateway(f"{mock.url}/v1", breaker_failures=10_000) as gateway:
        yield gateway


def stats(mock: Program) -> dict[str, Any]:
    """What the mock has counted, and its last request."""
    found: dict[str, Any] = requests.get(f"{mock.url}/stats", timeout=10).json()
    return found


def failures(gateway: Program) -> list[str]:
    """The errors of the turns so far."""
    return [turn["error"] for turn in logged_turns(gateway) if turn.get("error")]


@every_agent_with_tools
@pytest.mark.parametrize("model", ["agent", "deepseek-v4-agent"])
def test_two_turns_of_two_tool_calls_each(
    gateway: Program, mock: Program, tmp_path: Path, agent: str, model: str
) -> None:
    for turn, prompt in enumerate(["Look around", "And once more"]):
        run = run_agent(agent, gateway.url, tmp_path, model, prompt, turn)
        assert run.status == 0, run.output
        assert DONE in run.output
        assert SUMMARY in run.output
        assert run.output.count(f"{prompt}\n\n") + run.output.count(f"{prompt}\\n\\n") <= 1
        assert failures(gateway) == []
        # The model gets its own thoughts back, and nothing in their place.
        assert not [turn for turn in logged_turns(gateway) if "thoughts_replaced" in turn]
    messages = stats(mock)["last_request"]["body"]["messages"]
    results = [message for message in messages if message["role"] == "tool"]
    assert ["step 1" in str(results[0]), "step 2" in str(results[-1])] == [True, True]
    assert len(results) == 4


@pytest.mark.parametrize("agent", [_marked("aider")])
def test_two_turns_without_tools(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    for turn, prompt in enumerate(["Look around", "And once more"]):
        run = run_agent(agent, gateway.url, tmp_path, "agent", prompt, turn)
        assert run.status == 0, run.output
        assert IN_TEXT in one_line(run.output)
        assert f"{prompt} I want one small case" in one_line(run.output)
        assert failures(gateway) == []
    messages = stats(mock)["last_request"]["body"]["messages"]
    said = [m["content"] for m in messages if m["role"] == "assistant"]
    assert any(IN_TEXT in text for text in said)
    assert not [text for text in said if "one small case worked" in text]


@every_agent_with_tools
def test_a_call_that_was_cut_is_not_run_and_does_not_spoil_the_session(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    run = run_agent(agent, gateway.url, tmp_path, "agent-cut", "Look around")
    assert "step 1" in run.output
    assert "echo step 2" not in run.output
    assert BROKE_OFF.get(agent, "broke off") in run.output
    assert stats(mock)["requests"] <= MAX_TRIES
    again = run_agent(agent, gateway.url, tmp_path, "agent", "Go on", turn=1)
    assert again.status == 0, again.output
    assert DONE in again.output or "Done after 3" in again.output


@pytest.mark.parametrize("agent", [_marked("aider")])
def test_an_answer_that_was_cut_is_said_to_be(gateway: Program, tmp_path: Path, agent: str) -> None:
    run = run_agent(agent, gateway.url, tmp_path, "cut", "Look around", until="broke off")
    assert "broke off" in one_line(run.output)
    again = run_agent(agent, gateway.url, tmp_path, "agent", "Go on", turn=1)
    assert again.status == 0, again.output
    assert IN_TEXT in one_line(again.output)


@pytest.mark.parametrize("agent", [_marked("codex"), _marked("codex-openai")])
def test_codex_sums_up_a_long_conversation_and_goes_on(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    """With a provider of its own, Codex asks for the summary itself; else it asks the gateway."""
    first = run_agent(agent, gateway.url, tmp_path, "default", "Look around")
    used = int(re.findall(r'"input_tokens":(\d+)', first.output)[-1])
    (tmp_path / COMPACT_AT).write_text(str(used + TWO_ANSWERS))
    turn = compacted = 0
    while not compacted and turn < 8:
        turn, before = turn + 1, stats(mock)["requests"]
        run = run_agent(agent, gateway.url, tmp_path, "default", f"Step {turn}", turn)
        assert run.status == 0, run.output
        assert IN_TEXT in run.output
        compacted = stats(mock)["requests"] - before == 2
    assert compacted
    messages = stats(mock)["last_request"]["body"]["messages"]
    assert [m["role"] for m in messages] == ["system", *["user"] * (len(messages) - 1)]
    said = [m["content"] for m in messages[1:]]
    assert said[-1] == f"Step {turn}"
    assert said[-2].startswith(("Another language model", "The conversation up to here"))
    assert "Look around" in said
    assert failures(gateway) == []


@every_agent
def test_an_error_that_lasts_is_shown_with_its_reason(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    reason = "refused the gateway's key"
    until = reason if agent in UNTIL_SAID else ""
    run = run_agent(agent, gateway.url, tmp_path, "error-401", "Look around", until=until)
    assert reason in one_line(run.output)
    assert stats(mock)["requests"] <= MAX_TRIES


@every_agent
def test_a_rate_limit_makes_it_wait_as_long_as_the_server_said(
    gateway: Program, tmp_path: Path, agent: str
) -> None:
    process = start_agent(agent, gateway.url, tmp_path, "rate-limited", "Look around")
    try:
        at_once = 2 if agent == "opencode" else 1  # it asks for a title at the same time
        turns = wait_until(lambda: logged_turns(gateway)[at_once:] and logged_turns(gateway), 90)
        times = [datetime.fromisoformat(turn["timestamp"]).timestamp() for turn in turns]
        waits = [later - time for time, later in zip(times, times[at_once:], strict=False)]
        assert min(waits) > RETRY_AFTER_S - 3
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@every_agent
def test_cancel_ends_the_request_at_the_model_server(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    process = start_agent(agent, gateway.url, tmp_path, "long-thinking@tps=5", "Look around")
    try:
        wait_until(lambda: stats(mock)["tokens_sent"] > 3, 90)
        os.killpg(process.pid, signal.SIGINT)
        wait_until(lambda: stats(mock)["aborted"] > 0, 60)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
