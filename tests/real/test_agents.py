"""Coding agents as clients: the real programs, against a mock that is as strict as real servers."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.wire import logged_turns, wait_until
from tests.programs import Program, start_gateway, start_mock
from tests.real.agent_programs import AGENTS, BIN, run_agent, start_agent

pytestmark = [
    pytest.mark.skipif(not BIN.exists(), reason="needs the programs: make test-real"),
    pytest.mark.parametrize("agent", AGENTS),
]
DONE = "Done after 2 commands."
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


@pytest.mark.parametrize("model", ["agent", "deepseek-v4-agent"])
def test_two_turns_of_two_tool_calls_each(
    gateway: Program, mock: Program, tmp_path: Path, agent: str, model: str
) -> None:
    for turn, prompt in enumerate(["Look around", "And once more"]):
        run = run_agent(agent, gateway.url, tmp_path, model, prompt, turn)
        assert run.status == 0, run.output
        assert DONE in run.output
        assert SUMMARY in run.output
        assert failures(gateway) == []
    messages = stats(mock)["last_request"]["body"]["messages"]
    results = [message for message in messages if message["role"] == "tool"]
    assert ["step 1" in str(results[0]), "step 2" in str(results[-1])] == [True, True]
    assert len(results) == 4


def test_a_call_that_was_cut_is_not_run_and_does_not_spoil_the_session(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    run = run_agent(agent, gateway.url, tmp_path, "agent-cut", "Look around")
    assert "step 1" in run.output
    assert "echo step 2" not in run.output
    assert "broke off" in run.output
    assert stats(mock)["requests"] <= MAX_TRIES
    again = run_agent(agent, gateway.url, tmp_path, "agent", "Go on", turn=1)
    assert again.status == 0, again.output
    assert DONE in again.output or "Done after 3" in again.output


def test_an_error_that_lasts_is_shown_with_its_reason(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    run = run_agent(agent, gateway.url, tmp_path, "error-401", "Look around")
    assert "refused the gateway's key" in run.output
    assert stats(mock)["requests"] <= MAX_TRIES


def test_a_rate_limit_makes_it_wait_as_long_as_the_server_said(
    gateway: Program, tmp_path: Path, agent: str
) -> None:
    process = start_agent(agent, gateway.url, tmp_path, "rate-limited", "Look around")
    try:
        wait_until(lambda: logged_turns(gateway), 30)
        # opencode asks for a title at the same time, a second after it at the latest.
        time.sleep(1.5)
        first = len(logged_turns(gateway))
        assert first <= 2
        began = time.monotonic()
        wait_until(lambda: len(logged_turns(gateway)) > first, 30)
        assert time.monotonic() - began > RETRY_AFTER_S - 3
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_cancel_ends_the_request_at_the_model_server(
    gateway: Program, mock: Program, tmp_path: Path, agent: str
) -> None:
    process = start_agent(agent, gateway.url, tmp_path, "long-thinking@tps=5", "Look around")
    try:
        wait_until(lambda: stats(mock)["tokens_sent"] > 3, 30)
        os.killpg(process.pid, signal.SIGINT)
        wait_until(lambda: stats(mock)["aborted"] > 0, 20)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
