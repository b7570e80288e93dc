"""Behind the nginx and HAProxy of `deploy/`: no buffering, no lost request, no second model run."""

import itertools
import json
import os
import signal
import socket
import statistics
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.live.proxies import PROXIES, ProxiedGateways, find_proxy
from tests.live.test_leaving import leave, send
from tests.live.wire import FORMATS, ask, get_json, parse_stream, request_body, wait_until
from tests.machine import allowed, slowness
from tests.programs import Program, start_mock, workers_of

CLIENTS = 8
RAW = {"format": "events", "reasoning": "raw"}


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> str:
    if find_proxy(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def mock() -> Iterator[Program]:
    """A mock for these tests alone, because they check its counts."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module")
def behind(
    proxy: str, mock: Program, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProxiedGateways]:
    folder = tmp_path_factory.mktemp(proxy)
    with ProxiedGateways(proxy, mock.url, folder, heartbeat_s=1) as behind:
        yield behind


def request_count(mock: Program) -> int:
    """Returns how many requests the model server received."""
    return get_json(f"{mock.url}/stats")["requests"]


@pytest.mark.parametrize("format", FORMATS)
def test_tokens_are_not_buffered(behind: ProxiedGateways, format: str) -> None:
    body = request_body("no-reasoning@tps=20", "Explain streaming APIs", max_tokens=40)
    with ask(behind.url, {**body, "gateway": {"format": format}}) as stream:
        assert parse_stream(format, stream.read_all()).error is None
    times = [frame.at_s for frame in stream.frames if frame.data.startswith("{")]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    steady = [gap for gap in gaps if gap > 0.005]  # some frames arrive in one read
    assert len(steady) > 25 / slowness()  # some more, where reads are late
    assert 0.03 < statistics.median(steady) < allowed(0.1)  # one token every 50 ms


def test_heartbeats_arrive_while_the_model_is_silent(behind: ProxiedGateways) -> None:
    with ask(behind.url, request_body("slow-start@delay=30", gateway=RAW)) as stream:
        for _ in range(2):
            assert stream.read_until(lambda frame: frame.event == "heartbeat").at_s < allowed(6)


def test_client_proxy_and_gateway_log_the_same_request_id(behind: ProxiedGateways) -> None:
    own = f"mine-{uuid.uuid4().hex}"
    for sent in (own, ""):
        with ask(behind.url, request_body("default@tps=0"), request_id=sent) as stream:
            stream.read_all()
        id = stream.headers["X-Request-Id"]
        assert sent in ("", id)
        assert f'"request": "{id}"' in wait_until(
            lambda id=id: id in behind.output() and behind.output()
        )
        assert id in wait_until(lambda id=id: id in behind.proxy.output() and behind.proxy.output())
        line = next(line for line in behind.proxy.output().splitlines() if id in line)
        assert json.loads(line[line.index("{") :])["status"] == 200


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    ("model", "first_text"),
    [
        ("no-reasoning@tps=20", b"streaming"),
        ("silent@tps=0", b"streaming"),
        ("slow-start@delay=30", b""),
    ],
)
def test_a_client_that_leaves_ends_the_upstream_request(
    behind: ProxiedGateways, mock: Program, how: str, model: str, first_text: bytes
) -> None:
    before = get_json(f"{mock.url}/stats")["aborted"]
    options = {"format": "events" if first_text else "openai"}
    body = request_body(model, "Explain streaming APIs", gateway=options)
    client = send(behind.url, body, "leaves")
    received = b""
    while first_text not in received:
        received += client.recv(65536)
    wait_until(lambda: get_json(f"{mock.url}/stats")["open_streams"] == 1)
    leave(client, how)
    wait_until(lambda: get_json(f"{mock.url}/stats")["aborted"] == before + 1, 4)
    wait_until(lambda: get_json(f"{mock.url}/stats")["open_streams"] == 0)


def test_large_requests_and_answers_arrive_complete(behind: ProxiedGateways) -> None:
    body = request_body("no-reasoning@tps=0,repeat=100", "word " * 200_000, gateway=RAW)
    with ask(behind.url, body) as stream:
        result = parse_stream("events", stream.read_all(), "raw")
    assert result.error is None
    assert len(result.answer) > 100_000


def test_the_proxy_blocks_metrics(behind: ProxiedGateways) -> None:
    assert requests.get(f"{behind.url}/metrics", timeout=60).status_code == 404
    assert requests.get(f"{behind.url}/health", timeout=60).status_code == 200


HIDDEN = {
    "encoded": ("/%6detrics", ""),
    "encoded whole": ("/%6D%65%74%72%69%63%73", ""),
    "two slashes": ("//metrics", ""),
    "an encoded slash": ("/%2fmetrics", ""),
    "both": ("//%6detrics", ""),
    "a slash at the end": ("/metrics/", ""),
    "a query": ("/metrics?a=b", ""),
    "a whole address": ("http://localhost/metrics", ""),
    "SCRIPT_NAME": ("/x/metrics", "SCRIPT_NAME: /x\r\n"),
    "PATH_INFO": ("/health", "PATH_INFO: /metrics\r\n"),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_no_spelling_of_the_path_reaches_metrics(behind: ProxiedGateways, way: str) -> None:
    path, headers = HIDDEN[way]
    address = urlsplit(behind.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as client:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n"
        client.sendall(head.encode())
        received = b""
        while piece := client.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 ")
    assert b"# HELP" not in received


def test_503_and_retry_after_reach_the_client(proxy: str, mock: Program, tmp_path: Path) -> None:
    with (
        ProxiedGateways(proxy, mock.url, tmp_path, max_streams=1) as behind,
        ExitStack() as held,
    ):
        for _ in range(2):  # the proxy picks the gateway with fewer streams
            body = request_body("slow-start@delay=20", gateway=RAW)
            held.enter_context(ask(behind.url, body)).read_until(lambda frame: frame.data)
        with ask(behind.url, request_body("default")) as refused:
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert json.loads(refused.response.read())["error"]["code"] == "gateway_full"


def test_no_model_runs_twice_when_a_gateway_dies(proxy: str, mock: Program, tmp_path: Path) -> None:
    """The answer has not begun, so the proxy could ask the other gateway, but must not."""
    with ProxiedGateways(proxy, mock.url, tmp_path) as behind:
        before = request_count(mock)
        body = request_body("slow-start@delay=20", gateway={"format": "openai"})
        with send(behind.url, body, "dies") as client:
            wait_until(lambda: request_count(mock) == before + 1)
            busy = [g for g in behind.gateways if get_json(f"{g.url}/health")["open_streams"]]
            for pid in (busy[0].process.pid, *workers_of(busy[0])):
                os.kill(pid, signal.SIGKILL)
            assert client.recv(65536).startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 503 "))
        assert request_count(mock) == before + 1


def test_restarting_the_gateways_under_load_loses_no_stream(
    proxy: str, mock: Program, tmp_path: Path
) -> None:
    """Restarts one after the other. Every answer is complete, and every model runs once."""
    stopping = threading.Event()

    def keep_asking() -> int:
        served = 0
        while not stopping.is_set():
            body = request_body("default@tps=60", f"What is {served}+1?", gateway=RAW)
            with ask(behind.url, body) as stream:
                assert stream.status == 200, stream.response.read()
                result = parse_stream("events", stream.read_all(), "raw")
            assert result.error is None
            assert result.answer == f"{served} + 1 = {served + 1}."
            served += 1
        return served

    with ProxiedGateways(proxy, mock.url, tmp_path) as behind, ThreadPoolExecutor(CLIENTS) as pool:
        before = request_count(mock)
        clients = [pool.submit(keep_asking) for _ in range(CLIENTS)]
        try:
            for number in (0, 1):
                old = behind.restart(number)
                assert old.process.returncode == 0
                assert '"end": "done"' in old.output()
                new = behind.gateways[number]
                wait_until(lambda new=new: '"end": "done"' in new.output())
                assert [client.exception() for client in clients if client.done()] == []
        finally:
            stopping.set()
        served = sum(client.result() for client in clients)
        assert served > CLIENTS
        assert request_count(mock) == before + served
