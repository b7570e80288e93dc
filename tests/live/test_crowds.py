"""Greedy and idle clients: neither pipelined requests nor idle connections block other clients."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests
import trustme

from tests.live.test_slow_clients import answer, connect
from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.programs import Program, boot_gateway, start_gateway

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
CONNECTIONS = 201
"""All that a worker with MAX_STREAMS=1 accepts at once."""


def test_pipelined_requests_let_other_clients_run(mock_url: str) -> None:
    """The client sends without waiting for answers, and reads all of them."""
    with start_gateway(mock_url) as gateway, connect(gateway) as greedy:
        answered = threading.Event()

        def send() -> None:
            with suppress(OSError):
                while True:
                    greedy.sendall(HEALTH * 500)

        def take() -> None:
            with suppress(OSError):
                while greedy.recv(1 << 20):
                    answered.set()

        for work in (send, take):
            threading.Thread(target=work, daemon=True).start()
        assert answered.wait(10)
        with ask(gateway.url, request_body("default@tps=50", gateway={"format": "events"})) as s:
            assert parse_stream("events", s.read_all()).error is None
        greedy.shutdown(socket.SHUT_RDWR)


def is_open(client: socket.socket) -> bool:
    client.settimeout(0)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def fill(gateway: Program, held: ExitStack) -> list[socket.socket]:
    """Opens all connections that a worker accepts. Every second one has sent a request before."""
    clients = []
    for number in range(CONNECTIONS):
        clients.append(held.enter_context(connect(gateway)))
        if number % 2:
            clients[-1].sendall(HEALTH)
            assert answer(clients[-1])[0] == 200
    return clients


def test_idle_connections_are_closed_when_all_slots_are_taken(mock_url: str) -> None:
    """Those that have been idle longest go first."""
    with start_gateway(mock_url, max_streams=1) as gateway, ExitStack() as held:
        first, *_, last = fill(gateway, held)
        for _ in range(3):
            assert get_json(f"{gateway.url}/health")["status"] == "ok"  # within 5 s
        with ask(gateway.url, request_body("default@tps=0", gateway={"format": "events"})) as s:
            assert parse_stream("events", s.read_all()).error is None
        assert not is_open(first)
        assert is_open(last)
        assert "Traceback" not in gateway.output()
        assert '"level": "error"' not in gateway.output()


def test_a_stream_does_not_count_as_idle(mock_url: str) -> None:
    with start_gateway(mock_url, max_streams=1) as gateway, ExitStack() as held:
        body = request_body("slow-start@delay=3,tps=0", gateway={"format": "events"})
        stream = held.enter_context(ask(gateway.url, body))
        fill(gateway, held)
        assert get_json(f"{gateway.url}/health")["open_streams"] == 1
        assert parse_stream("events", stream.read_all()).error is None


def test_clients_that_do_not_read_are_disconnected_from_any_response(mock_url: str) -> None:
    """Also from responses that are not streams, which the sweeper does not check."""
    with start_gateway(mock_url, stall_timeout_s=1) as gateway, connect(gateway) as client:
        client.settimeout(60)
        pipelined = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100
        with pytest.raises(ConnectionError):  # and no TimeoutError
            client.sendall(pipelined * 1000)
        assert "Traceback" not in gateway.output()
        assert '"level": "error"' not in gateway.output()


@pytest.fixture
def encrypted(mock_url: str, tmp_path: Path) -> Iterator[tuple[Program, str]]:
    """A gateway with TLS and MAX_STREAMS=1, and the file with its certificate authority."""
    authority = trustme.CA()
    identity = authority.issue_cert("127.0.0.1")
    pem, trusted = str(tmp_path / "server.pem"), str(tmp_path / "trusted.pem")
    identity.private_key_and_cert_chain_pem.write_to_path(pem)
    authority.cert_pem.write_to_path(trusted)
    settings = {"max_streams": 1, "request_timeout_s": 1}
    with boot_gateway(mock_url, "--certfile", pem, "--keyfile", pem, **settings) as gateway:
        yield gateway, trusted


def test_slow_and_invalid_tls_clients_do_not_block_others(encrypted: tuple[Program, str]) -> None:
    """Unfinished handshakes time out, and the gateway logs no error."""
    gateway, trusted = encrypted
    with ExitStack() as held:
        clients = [held.enter_context(connect(gateway)) for _ in range(CONNECTIONS)]
        for number, client in enumerate(clients):
            client.sendall((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01")[number % 2][: number // 2])
        for _ in range(2):
            requests.get(f"{gateway.url}/health", verify=trusted, timeout=60).raise_for_status()
        wait_until(lambda: not any(is_open(client) for client in clients[2:]))
    url = f"{gateway.url}/events/v1/chat/completions"
    body = request_body("default@tps=0")
    assert "event: done" in requests.post(url, json=body, verify=trusted, timeout=60).text
    assert "Traceback" not in gateway.output()
