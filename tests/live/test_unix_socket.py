"""gunicorn's own options: a Unix socket, an address and a number of workers that replace the
settings'."""

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.wire import get_json, request_body, wait_until
from tests.machine import PATIENCE_S
from tests.programs import boot_gateway, workers_of


def http_request(body: dict[str, Any]) -> bytes:
    data = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
    return head + data


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(str(path))
        yield client


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_stream_over_a_unix_socket(mock_url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    body = request_body("default@tps=0", gateway={"format": "plain"})
    with boot_gateway(mock_url, "-b", f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o777
        with connected(path) as client, client.makefile("rb") as answer:
            client.sendall(http_request(body))
            received = answer.read()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"data: [DONE]" in received
    assert not path.exists()


def test_a_client_that_leaves_a_unix_socket_is_noticed(mock_url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    body = request_body("silent@tps=0,silence=60", gateway={"format": "events"})
    with boot_gateway(mock_url, "-b", f"unix:{path}") as gateway:
        with connected(path) as client:
            client.sendall(http_request(body))
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        gateway.wait_for('"code": "client_left"')


def test_umask_restricts_the_socket(mock_url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with boot_gateway(mock_url, "-b", f"unix:{path}", "--umask", "007"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o770


def test_bind_and_workers_take_precedence_over_the_settings(mock_url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    url = f"http://127.0.0.1:{free_port()}"
    options = ("-b", url.removeprefix("http://"), "-b", f"unix:{path}", "-w", "2")
    settings_port = free_port()
    settings = {"port": settings_port, "web_concurrency": 1}
    with boot_gateway(mock_url, *options, **settings) as gateway:

        def check() -> None:
            wait_until(lambda: get_json(f"{url}/health")["status"] == "ok")
            with connected(path) as client, client.makefile("rb") as answer:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert answer.readline().startswith(b"HTTP/1.1 200 ")
            with socket.socket() as other:
                assert other.connect_ex(("127.0.0.1", settings_port)) != 0

        wait_until(lambda: len(workers_of(gateway)) == 2)
        check()
        old = set(workers_of(gateway))
        os.kill(gateway.process.pid, signal.SIGHUP)
        wait_until(
            lambda: len(set(workers_of(gateway)) - old) == 2 and not old & set(workers_of(gateway))
        )
        check()
