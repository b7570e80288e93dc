"""One address can't take all connections with requests that never become complete."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.live.upstream import CHUNKED, Upstream, chunked, say
from tests.live.wire import get_json, request_body, wait_until
from tests.programs import Program, start_gateway

LIMIT = 10
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
)
PARTS = {
    "heads": HEAD[:-5],
    "bodies": HEAD + b"Content-Length: 1000\r\n\r\n{",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[Program]:
    settings = {"max_waiting_per_address": LIMIT, "forwarded_allow_ips": "10.9.9.9"}
    with start_gateway(upstream.url, max_streams=50, **settings) as gateway:
        yield gateway


def connect(gateway: Program, address: str = "127.0.0.1") -> socket.socket:
    url = urlsplit(gateway.url)
    assert url.hostname
    assert url.port
    return socket.create_connection((url.hostname, url.port), 20, source_address=(address, 0))


def probe(gateway: Program, address: str) -> int:
    with connect(gateway, address) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := client.recv(65536):
            received += piece
    return int(received.split()[1])


@pytest.mark.parametrize("part", PARTS)
def test_incomplete_requests_of_one_address_are_limited(gateway: Program, part: str) -> None:
    with ExitStack() as stack:
        for _ in range(LIMIT):
            client = stack.enter_context(connect(gateway))
            client.sendall(PARTS[part])
        wait_until(lambda: probe(gateway, "127.0.0.1") == 429)
        assert probe(gateway, "127.0.0.2") == 200
        client = stack.enter_context(connect(gateway))
        client.sendall(PARTS[part])
        refused = client.recv(65536)
        assert refused.startswith(b"HTTP/1.1 429 ")
        error = json.loads(refused.partition(b"\r\n\r\n")[2])["error"]
        assert error["code"] == "too_many_waiting"
        assert "MAX_WAITING_PER_ADDRESS" in error["message"]
    wait_until(lambda: probe(gateway, "127.0.0.1") == 200)


def test_running_streams_and_idle_connections_are_not_counted(
    gateway: Program, upstream: Upstream
) -> None:
    hold = threading.Event()
    upstream.set_script("m", CHUNKED, *chunked(say("Hi"), end=False), hold)
    body = json.dumps(request_body("m", gateway={"format": "events"})).encode()
    with ExitStack() as stack:
        for _ in range(2 * LIMIT):
            stream = stack.enter_context(connect(gateway))
            stream.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert stream.recv(65536).startswith(b"HTTP/1.1 200 ")
        for _ in range(2 * LIMIT):
            stack.enter_context(connect(gateway))
        assert get_json(f"{gateway.url}/health")["open_streams"] == 2 * LIMIT
        assert probe(gateway, "127.0.0.1") == 200
        hold.set()


def test_trusted_proxies_are_exempt(upstream: Upstream) -> None:
    with (
        start_gateway(upstream.url, max_waiting_per_address=2) as gateway,
        ExitStack() as stack,
    ):
        for _ in range(10):
            client = stack.enter_context(connect(gateway))
            client.sendall(PARTS["heads"])
        assert [probe(gateway, "127.0.0.1") for _ in range(5)] == [200] * 5
