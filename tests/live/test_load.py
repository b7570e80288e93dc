"""Many concurrent streams are complete, and a stream above the limit gets 503 at once."""

import re
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.wire import FORMATS, ask, get_json, parse_stream, request_body, wait_until
from tests.machine import allowed
from tests.programs import Program, start_gateway, workers_of

STREAMS = 200
MAX_STREAMS = 5


def test_two_hundred_concurrent_streams_are_complete(mock_url: str) -> None:
    """On one worker, which answers /health meanwhile."""
    delay_s = min(allowed(1), 8)  # no stream ends before the last one begins

    def ask_for_sum(number: int) -> tuple[str, str]:
        format = FORMATS[number % 4]
        body = request_body(f"default@tps=30,delay={delay_s:.1f}", f"What is {number}+{number}?")
        with ask(gateway.url, {**body, "gateway": {"format": format}}) as stream:
            result = parse_stream(format, stream.read_all())
        assert result.error is None
        if format != "plain":
            assert result.finish_reason == "stop"
            assert f"{number}+{number}" in result.prompt_summary
        return result.answer, f"{number} + {number} = {2 * number}."

    with start_gateway(mock_url) as gateway, ThreadPoolExecutor(STREAMS) as pool:
        answers = [pool.submit(ask_for_sum, number) for number in range(STREAMS)]
        most, slowest_s = 0, 0.0
        while not all(answer.done() for answer in answers):
            began = time.monotonic()
            most = max(most, get_json(f"{gateway.url}/health")["open_streams"])
            slowest_s = max(slowest_s, time.monotonic() - began)
            time.sleep(0.05)
        for answer in answers:
            result, expected = answer.result()
            assert result == expected
        assert most == STREAMS
        assert slowest_s < allowed(1)
        assert get_json(f"{gateway.url}/health")["open_streams"] == 0
        assert "Traceback" not in gateway.output()


@pytest.fixture(scope="module")
def small(mock_url: str) -> Iterator[Program]:
    """A gateway with a low stream limit."""
    with start_gateway(mock_url, max_streams=MAX_STREAMS) as gateway:
        yield gateway


REQUESTS: dict[str, dict[str, Any]] = {
    **{f"/{format}/v1/chat/completions": request_body("default") for format in FORMATS},
    "/v1/chat/completions": request_body("default", stream=False),
    "/v1/responses": {"model": "default", "input": "hi", "stream": True},
    "/openai/v1/responses": {"model": "default", "input": "hi"},
    "/v1/messages": {**request_body("default"), "max_tokens": 9},
}
EXPECTED_TEXT = {"/plain/v1/chat/completions": '"code":503', "/v1/messages": "overloaded_error"}


def test_a_stream_above_the_limit_gets_503_at_once(small: Program) -> None:
    """Within 50 ms on every path, while /health still answers."""
    wait_until(lambda: get_json(f"{small.url}/health")["open_streams"] == 0)
    with ExitStack() as held, requests.Session() as session:
        for _ in range(MAX_STREAMS):
            body = request_body("slow-start@delay=20", gateway={"format": "events"})
            held.enter_context(ask(small.url, body))
        for path, body in REQUESTS.items():
            took_s = []
            for _ in range(8):  # the machine may be busy for a moment
                began = time.monotonic()
                refused = session.post(small.url + path, json=body, timeout=60)
                took_s.append(time.monotonic() - began)
                assert refused.status_code == 503
                assert int(refused.headers["Retry-After"]) >= 1
                assert EXPECTED_TEXT.get(path, '"code":"gateway_full"') in refused.text
            assert min(took_s) < allowed(0.05), path
            assert get_json(f"{small.url}/health")["open_streams"] == MAX_STREAMS


def test_ended_streams_free_their_slots(small: Program) -> None:
    body = request_body("default@tps=0", gateway={"format": "events"})
    wait_until(lambda: get_json(f"{small.url}/health")["open_streams"] == 0)
    for _ in range(3 * MAX_STREAMS):
        with ask(small.url, body) as stream:
            assert parse_stream("events", stream.read_all()).error is None
    wait_until(lambda: get_json(f"{small.url}/health")["open_streams"] == 0)


def test_failed_streams_free_their_slots(small: Program) -> None:
    for model in ("error-500", "cut@tps=0", "garbage@tps=0", "html", "rate-limited", "no-such"):
        for format in FORMATS:
            for streamed in (True, False):
                body = request_body(model, stream=streamed, gateway={"format": format})
                with ask(small.url, body) as stream:
                    stream.response.read()
    wait_until(lambda: get_json(f"{small.url}/health")["open_streams"] == 0)


@contextmanager
def open_files_limit(soft: int) -> Iterator[None]:
    """Programs started meanwhile get this soft limit of open files."""
    before = resource.prlimit(0, resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_start_raises_the_limit_of_open_files(mock_url: str) -> None:
    with open_files_limit(200), start_gateway(mock_url, max_streams=100) as gateway:
        limits = Path(f"/proc/{workers_of(gateway)[0]}/limits").read_text()
    assert re.search(r"Max open files +550 ", limits)


def test_running_out_of_files_does_not_open_the_breaker(mock_url: str) -> None:
    with start_gateway(mock_url, max_streams=100, breaker_failures=1) as gateway:
        worker = workers_of(gateway)[0]
        most = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
        with requests.Session() as session:
            assert session.get(f"{gateway.url}/health", timeout=60).ok
            # A limit under every open file: a number that becomes free is not used again.
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, most))
            body = request_body("default@tps=0", gateway={"format": "openai"})
            refused = session.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=60)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "gateway_full")
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (1000, most))
            answer = session.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=60)
            assert answer.text.endswith("[DONE]\n\n")
