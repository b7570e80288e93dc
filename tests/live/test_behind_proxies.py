"""Behind nginx and HAProxy as `deploy/` configures them: nothing held back, lost or done twice."""

import itertools
import json
import os
import signal
import statistics
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.live.proxies import PROXIES, Behind, program
from tests.live.test_leaving import leave, send
from tests.live.wire import FORMATS, ask, get, request_body, told, until
from tests.programs import Program, start_mock, workers_of

CLIENTS = 8
RAW = {"format": "events", "reasoning": "raw"}


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> str:
    if program(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def mock() -> Iterator[Program]:
    """A mock of its own: its books are checked."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module")
def behind(proxy: str, mock: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp(proxy)
    with Behind(proxy, mock.url, folder, heartbeat_s=1) as behind:
        yield behind


def asked(mock: Program) -> int:
    """How many answers the model server was asked for."""
    return get(f"{mock.url}/stats")["requests"]


@pytest.mark.alone
@pytest.mark.parametrize("format", FORMATS)
def test_tokens_arrive_as_the_model_sends_them(behind: Behind, format: str) -> None:
    body = request_body("no-reasoning@tps=20", "Explain streaming APIs", max_tokens=40)
    with ask(behind.url, {**body, "gateway": {"format": format}}) as stream:
        assert told(format, stream.whole()).error is None
    times = [frame.at_s for frame in stream.frames if frame.data.startswith("{")]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    steady = [gap for gap in gaps if gap > 0.005]  # some frames share a read
    assert len(steady) > 25
    assert 0.03 < statistics.median(steady) < 0.1  # a token each 50 ms


def test_heartbeats_pass_while_the_model_is_silent(behind: Behind) -> None:
    with ask(behind.url, request_body("slow-start@delay=30", gateway=RAW)) as stream:
        for _ in range(2):
            assert stream.until(lambda frame: frame.event == "heartbeat").at_s < 6


def test_a_request_has_one_id_from_end_to_end(behind: Behind) -> None:
    own = f"mine-{uuid.uuid4().hex}"
    for sent in (own, ""):
        with ask(behind.url, request_body("default@tps=0"), request_id=sent) as stream:
            stream.whole()
        id = stream.headers["X-Request-Id"]
        assert sent in ("", id)
        assert f'"request": "{id}"' in until(
            lambda id=id: id in behind.output() and behind.output()
        )
        assert id in until(lambda id=id: id in behind.proxy.output() and behind.proxy.output())
        line = next(line for line in behind.proxy.output().splitlines() if id in line)
        assert json.loads(line[line.index("{") :])["status"] == 200


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    ("model", "until_said"),
    [
        ("no-reasoning@tps=20", b"streaming"),
        ("silent@tps=0", b"streaming"),
        ("slow-start@delay=30", b""),
    ],
)
def test_a_client_that_leaves_ends_the_call_to_the_model(
    behind: Behind, mock: Program, how: str, model: str, until_said: bytes
) -> None:
    before = get(f"{mock.url}/stats")["aborted"]
    options = {"format": "events" if until_said else "openai"}
    body = request_body(model, "Explain streaming APIs", gateway=options)
    client = send(behind.url, body, "leaves")
    received = b""
    while until_said not in received:
        received += client.recv(65536)
    until(lambda: get(f"{mock.url}/stats")["open_streams"] == 1)
    leave(client, how)
    until(lambda: get(f"{mock.url}/stats")["aborted"] == before + 1, 4)
    until(lambda: get(f"{mock.url}/stats")["open_streams"] == 0)


def test_a_large_request_and_a_large_answer_pass_whole(behind: Behind) -> None:
    body = request_body("no-reasoning@tps=0,repeat=100", "word " * 200_000, gateway=RAW)
    with ask(behind.url, body) as stream:
        said = told("events", stream.whole(), "raw")
    assert said.error is None
    assert len(said.answer) > 100_000


def test_nothing_of_the_metrics_is_shown_outside(behind: Behind) -> None:
    assert requests.get(f"{behind.url}/metrics", timeout=5).status_code == 404
    assert requests.get(f"{behind.url}/health", timeout=5).status_code == 200


def test_a_refusal_is_passed_on(proxy: str, mock: Program, tmp_path: Path) -> None:
    with (
        Behind(proxy, mock.url, tmp_path, max_streams=1) as behind,
        ExitStack() as held,
    ):
        for _ in range(2):  # the least busy gateway each time
            body = request_body("slow-start@delay=20", gateway=RAW)
            held.enter_context(ask(behind.url, body)).until(lambda frame: frame.data)
        with ask(behind.url, request_body("default")) as refused:
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert json.loads(refused.response.read())["error"]["code"] == "gateway_full"


def test_no_model_runs_twice_when_a_gateway_dies(proxy: str, mock: Program, tmp_path: Path) -> None:
    """The answer has not begun, so the proxy could ask the other gateway; it must not."""
    with Behind(proxy, mock.url, tmp_path) as behind:
        before = asked(mock)
        body = request_body("slow-start@delay=20", gateway={"format": "openai"})
        with send(behind.url, body, "dies") as client:
            until(lambda: asked(mock) == before + 1)
            busy = [g for g in behind.gateways if get(f"{g.url}/health")["open_streams"]]
            for pid in (busy[0].process.pid, *workers_of(busy[0])):
                os.kill(pid, signal.SIGKILL)
            assert client.recv(65536).startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 503 "))
        assert asked(mock) == before + 1


def test_gateways_are_restarted_under_load_and_no_stream_is_lost(
    proxy: str, mock: Program, tmp_path: Path
) -> None:
    """One after the other; every answer is whole, and every model ran once."""
    stopping = threading.Event()

    def keep_asking() -> int:
        served = 0
        while not stopping.is_set():
            body = request_body("default@tps=60", f"What is {served}+1?", gateway=RAW)
            with ask(behind.url, body) as stream:
                assert stream.status == 200, stream.response.read()
                said = told("events", stream.whole(), "raw")
            assert said.error is None
            assert said.answer == f"{served} + 1 = {served + 1}."
            served += 1
        return served

    with Behind(proxy, mock.url, tmp_path) as behind, ThreadPoolExecutor(CLIENTS) as pool:
        before = asked(mock)
        clients = [pool.submit(keep_asking) for _ in range(CLIENTS)]
        try:
            for number in (0, 1):
                old = behind.restart(number)
                assert old.process.returncode == 0
                assert '"end": "done"' in old.output()
                new = behind.gateways[number]
                until(lambda new=new: '"end": "done"' in new.output(), 20)
                assert [client.exception() for client in clients if client.done()] == []
        finally:
            stopping.set()
        served = sum(client.result() for client in clients)
        assert served > CLIENTS
        assert asked(mock) == before + served
