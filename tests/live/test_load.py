"""Many streams at once are all whole, and one too many is told so at once."""

import os
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

from tests.live.wire import FORMATS, ask, get, request_body, told, until
from tests.programs import Program, start_gateway, workers_of

STREAMS = 200
PLACES = 5


@pytest.mark.alone
def test_two_hundred_streams_at_once_are_all_whole(mock_url: str) -> None:
    """On one worker, while /health answers."""

    def hear(number: int) -> tuple[str, str]:
        format = FORMATS[number % 4]
        body = request_body("default@tps=30,delay=1", f"What is {number}+{number}?")
        with ask(gateway.url, {**body, "gateway": {"format": format}}) as stream:
            said = told(format, stream.whole())
        assert said.error is None
        if format != "plain":
            assert said.finish_reason == "stop"
            assert f"{number}+{number}" in said.prompt_summary
        return said.answer, f"{number} + {number} = {2 * number}."

    with start_gateway(mock_url) as gateway, ThreadPoolExecutor(STREAMS) as pool:
        answers = [pool.submit(hear, number) for number in range(STREAMS)]
        most, slowest_s = 0, 0.0
        while not all(answer.done() for answer in answers):
            began = time.monotonic()
            most = max(most, get(f"{gateway.url}/health")["open_streams"])
            slowest_s = max(slowest_s, time.monotonic() - began)
            time.sleep(0.05)
        for answer in answers:
            said, expected = answer.result()
            assert said == expected
        assert most == STREAMS
        assert slowest_s < 1
        assert get(f"{gateway.url}/health")["open_streams"] == 0
        assert "Traceback" not in gateway.output()


@pytest.fixture(scope="module")
def small(mock_url: str) -> Iterator[Program]:
    """A gateway with few places."""
    with start_gateway(mock_url, max_streams=PLACES) as gateway:
        yield gateway


DOORS: dict[str, dict[str, Any]] = {
    **{f"/{format}/v1/chat/completions": request_body("default") for format in FORMATS},
    "/v1/chat/completions": request_body("default", stream=False),
    "/v1/responses": {"model": "default", "input": "hi", "stream": True},
    "/openai/v1/responses": {"model": "default", "input": "hi"},
    "/v1/messages": {**request_body("default"), "max_tokens": 9},
}
SAYS = {"/plain/v1/chat/completions": '"code":503', "/v1/messages": "overloaded_error"}


@pytest.mark.alone
def test_one_stream_too_many_is_refused_at_once(small: Program) -> None:
    """Within 50 ms at every door, and /health answers meanwhile."""
    until(lambda: get(f"{small.url}/health")["open_streams"] == 0)
    with ExitStack() as held, requests.Session() as session:
        for _ in range(PLACES):
            body = request_body("slow-start@delay=20", gateway={"format": "events"})
            held.enter_context(ask(small.url, body))
        for path, body in DOORS.items():
            took_s = []
            for _ in range(8):  # the machine may have other things to do now and then
                began = time.monotonic()
                refused = session.post(small.url + path, json=body, timeout=5)
                took_s.append(time.monotonic() - began)
                assert refused.status_code == 503
                assert int(refused.headers["Retry-After"]) >= 1
                assert SAYS.get(path, '"code":"gateway_full"') in refused.text
            assert min(took_s) < 0.05, path
            assert get(f"{small.url}/health")["open_streams"] == PLACES


def test_a_place_that_becomes_free_is_given_again(small: Program) -> None:
    body = request_body("default@tps=0", gateway={"format": "events"})
    until(lambda: get(f"{small.url}/health")["open_streams"] == 0)
    for _ in range(3 * PLACES):
        with ask(small.url, body) as stream:
            assert told("events", stream.whole()).error is None
    until(lambda: get(f"{small.url}/health")["open_streams"] == 0)


def test_no_failure_keeps_a_place(small: Program) -> None:
    for model in ("error-500", "cut@tps=0", "garbage@tps=0", "html", "rate-limited", "no-such"):
        for format in FORMATS:
            for streamed in (True, False):
                body = request_body(model, stream=streamed, gateway={"format": format})
                with ask(small.url, body) as stream:
                    stream.response.read()
    until(lambda: get(f"{small.url}/health")["open_streams"] == 0)


@contextmanager
def files(soft: int) -> Iterator[None]:
    """Programs that are started meanwhile may have so many files open."""
    before = resource.prlimit(0, resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_files_is_raised_to_what_the_places_need(mock_url: str) -> None:
    with files(200), start_gateway(mock_url, max_streams=100) as gateway:
        limits = Path(f"/proc/{workers_of(gateway)[0]}/limits").read_text()
    assert re.search(r"Max open files +500 ", limits)


def test_a_lack_of_files_is_not_the_upstreams_fault(mock_url: str) -> None:
    with start_gateway(mock_url, max_streams=100, breaker_failures=1) as gateway:
        worker = workers_of(gateway)[0]
        most = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
        with requests.Session() as session:
            assert session.get(f"{gateway.url}/health", timeout=5).ok
            open_now = max(map(int, os.listdir(f"/proc/{worker}/fd"))) + 1
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_now, most))
            body = request_body("default@tps=0", gateway={"format": "openai"})
            refused = session.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=5)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "gateway_full")
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (1000, most))
            answer = session.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=5)
            assert answer.text.endswith("[DONE]\n\n")
