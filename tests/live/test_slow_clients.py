"""Clients that send slowly, endlessly or nothing do not block other clients."""

import itertools
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from threading import Thread
from urllib.parse import urlsplit

import pytest
import requests

from tests.live.test_leaving import request_bytes
from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.machine import allowed, within
from tests.programs import Program, resident_mb, start_gateway

LIMIT_S = 1.0
MAX_BODY = 100_000
CHUNKED_HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture(scope="module")
def gateway(mock_url: str) -> Iterator[Program]:
    settings = {"request_timeout_s": LIMIT_S, "max_body_bytes": MAX_BODY}
    with start_gateway(mock_url, **settings) as gateway:
        yield gateway
        output = gateway.output()
        assert "Traceback" not in output, output
        assert '"level": "error"' not in output, output


def connect(gateway: Program) -> socket.socket:
    address = urlsplit(gateway.url)
    return socket.create_connection((address.hostname, address.port), timeout=60)


def post_head(path: str, length: int) -> bytes:
    """The head of a POST request with this Content-Length."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def answer(client: socket.socket) -> tuple[int, bytes]:
    """Reads the next response and returns its status and body."""
    response = HTTPResponse(client)
    response.begin()
    return response.status, response.read()


def drip(client: socket.socket, piece: bytes) -> None:
    """Sends the piece again and again until the connection is closed."""
    with client:
        try:
            while True:
                client.sendall(piece)
                time.sleep(0.1)  # slow on purpose
        except OSError:
            return


def test_a_slow_head_ends_in_408(gateway: Program) -> None:
    with connect(gateway) as client:
        began = time.monotonic()
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n")
        Thread(target=drip, args=(client.dup(), b"X: y\r\n"), daemon=True).start()
        status, _ = answer(client)
        assert status == 408
        assert LIMIT_S / 2 < time.monotonic() - began < allowed(LIMIT_S + 3)


def test_a_slow_head_on_a_keep_alive_connection_ends_in_408(gateway: Program) -> None:
    with connect(gateway) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(client)[0] == 200
        time.sleep(LIMIT_S * 1.5)  # idle time between requests is not limited by it
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        assert answer(client)[0] == 200
        with within(LIMIT_S + 3):
            assert answer(client)[0] == 408


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/chat/completions", b'"code":"request_timeout"'),
        ("/openai/v1/chat/completions", b'"code":"request_timeout"'),
        ("/plain/v1/chat/completions", b'"code":408'),
        ("/v1/responses", b'"code":"request_timeout"'),
        ("/v1/messages", b'"type":"timeout_error"'),
    ],
)
def test_a_slow_body_ends_in_408_in_the_form_of_its_api(
    gateway: Program, path: str, says: bytes
) -> None:
    with connect(gateway) as client:
        client.sendall(post_head(path, 5000) + b'{"model": ')
        Thread(target=drip, args=(client.dup(), b" "), daemon=True).start()
        status, body = answer(client)
        assert status == 408
        assert says in body
        assert client.recv(1) == b"", "the connection is closed"


def test_slow_clients_do_not_block_others(gateway: Program) -> None:
    """Two hundred of them: half send their heads slowly, half their bodies."""
    beginnings = (b"POST / HTTP/1.1\r\nX: ", post_head("/v1/responses", 5000) + b"{")
    with ExitStack() as held:
        for beginning, _ in zip(itertools.cycle(beginnings), range(200), strict=False):
            held.enter_context(client := connect(gateway)).sendall(beginning)
        health = get_json(f"{gateway.url}/health")
        assert health["open_streams"] == 0, "slow clients take no stream slot"
        with ask(gateway.url, request_body("default@tps=0", gateway={"format": "events"})) as s:
            assert parse_stream("events", s.read_all()).error is None
            assert s.frames[-1].at_s < allowed(LIMIT_S + 2)
        assert answer(client)[0] == 408
    text = requests.get(f"{gateway.url}/metrics", timeout=60).text
    assert 'code="request_timeout"' in text


def test_a_body_without_a_length_is_read(gateway: Program) -> None:
    body = request_body("default@tps=0", gateway={"format": "plain"})
    data = json.dumps(body).encode()
    pieces = (data[at : at + 7] for at in range(0, len(data), 7))
    url = f"{gateway.url}/v1/chat/completions"
    response = requests.post(
        url, data=pieces, headers={"Content-Type": "application/json"}, timeout=60
    )
    assert response.status_code == 200
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("size", [MAX_BODY + 1, 5_000_000])
def test_a_body_over_the_limit_gets_413_with_or_without_a_length(
    gateway: Program, size: int
) -> None:
    """And the client gets to read the response."""
    url = f"{gateway.url}/v1/chat/completions"
    headers = {"Content-Type": "application/json"}
    data = b'"' + b"x" * (size - 2) + b'"'
    stated = requests.post(url, data=data, headers=headers, timeout=60)
    pieces = (data[at : at + 10_000] for at in range(0, len(data), 10_000))
    unstated = requests.post(url, data=pieces, headers=headers, timeout=60)
    for response in (stated, unstated):
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"x"], ids=["large chunks", "a byte a chunk"])
def test_an_endless_body_ends_in_413_and_does_not_block_others(
    gateway: Program, chunk: bytes
) -> None:
    """The client never pauses, so a read without a switch would block all greenlets."""
    worker = int(gateway.wait_for(r"Booting worker with pid: (\d+)"))
    wire = b"%x\r\n%s\r\n" % (len(chunk), chunk) * (1_000_000 // len(chunk) or 1)
    before = resident_mb(worker)

    def flood(client: socket.socket) -> None:
        try:
            while True:
                client.sendall(wire)
        except OSError:
            return

    with connect(gateway) as client:
        client.sendall(CHUNKED_HEAD)
        Thread(target=flood, args=(client,), daemon=True).start()
        for _ in range(5):
            assert get_json(f"{gateway.url}/health")["status"] == "ok"
        status, _ = answer(client)
        assert status == 413
        assert get_json(f"{gateway.url}/health")["status"] == "ok"
        assert resident_mb(worker) - before < 30


@pytest.mark.parametrize(
    "rest",
    [b"zz\r\n", b"5\r\nhelloXX", b"-5\r\n", b"5;\x00\r\nhello\r\n0\r\n\r\n"],
    ids=["no size", "too long", "negative", "odd extension"],
)
def test_a_malformed_body_gets_400(gateway: Program, rest: bytes) -> None:
    with connect(gateway) as client:
        client.sendall(CHUNKED_HEAD + b"1\r\n{\r\n" + rest)
        assert answer(client)[0] == 400


def test_a_body_that_breaks_off_starts_no_turn(gateway: Program) -> None:
    body = request_bytes(gateway.url, request_body("default@tps=0"), "half")
    with connect(gateway) as client:
        client.sendall(body[:-1])
        client.shutdown(socket.SHUT_WR)
        assert answer(client)[0] == 400
    wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)
    assert '"half"' not in gateway.output()


def test_the_connection_survives_an_unread_body(gateway: Program) -> None:
    """The gateway discards a body that is sent to an unknown path."""
    with connect(gateway) as client:
        for _ in range(2):
            client.sendall(post_head("/nowhere", 3000) + b"x" * 3000)
            assert answer(client)[0] == 404
