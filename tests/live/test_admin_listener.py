"""ADMIN_BIND: operators reach health and metrics whatever clients do, and clients do not."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from gateway.server.admin import MAX_CONNECTIONS
from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.machine import within
from tests.programs import ROOT, Program, boot_gateway, start_gateway, workers_of

CONNECTIONS = 201
"""All that a worker with MAX_STREAMS=1 accepts at once."""


def admin_url(gateway: Program) -> str:
    return gateway.wait_for(r'Health and metrics at: (http://[^\s"]+)')


def status_of(url: str, path: str, **options: Any) -> int:
    return requests.get(f"{url}{path}", timeout=60, **options).status_code


@pytest.fixture(scope="module")
def gateway(mock_url: str) -> Iterator[Program]:
    with start_gateway(mock_url, admin_bind="127.0.0.1:0", max_streams=1) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


def test_metrics_and_details_are_only_at_the_operators_listener(gateway: Program) -> None:
    admin = admin_url(gateway)
    assert get_json(f"{gateway.url}/health") == {"status": "ok"}
    health = get_json(f"{admin}/health")
    assert health["workers"][0]["upstreams"][0]["name"] == "default"
    for path in ("/metrics", "//metrics", "/%6detrics"):
        assert status_of(gateway.url, path) == 404
    forged = {"SCRIPT_NAME": "/x", "gunicorn.socket": "admin", "X-Forwarded-Port": admin[-5:]}
    assert status_of(gateway.url, "/metrics", headers=forged) == 404
    assert "gateway_open_streams" in requests.get(f"{admin}/metrics", timeout=60).text
    assert status_of(admin, "/ready") == status_of(gateway.url, "/ready") == 200
    for path in ("/", "/v1/models", "/openapi.json"):
        assert status_of(admin, path) == 404
        assert status_of(gateway.url, path) == 200
    rebound = {"Host": "evil.example"}
    assert status_of(admin, "/metrics", headers=rebound) == 403


def test_each_connection_of_an_operator_has_one_request(gateway: Program) -> None:
    answer = requests.get(f"{admin_url(gateway)}/health", timeout=60)
    assert answer.headers["Connection"] == "close"


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), 5)


def is_answered(client: socket.socket) -> bool:
    client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.settimeout(1)
    try:
        return bool(client.recv(1))
    except TimeoutError:
        return False


def test_clients_that_hold_all_connections_leave_the_operators_theirs(gateway: Program) -> None:
    admin = admin_url(gateway)
    with ExitStack() as held:
        for _ in range(5):  # a connection whose first bytes are still to be read may be closed
            for _ in range(CONNECTIONS):
                held.enter_context(connect(gateway.url)).sendall(b"GET /health HT")
            if not is_answered(held.enter_context(connect(gateway.url))):
                break
        else:
            pytest.fail("there is a connection for one more client")
        for path in ("/health", "/ready", "/metrics"):
            with within(1):
                assert status_of(admin, path) == 200


def test_connections_of_operators_are_held_for_a_short_time(gateway: Program) -> None:
    admin = admin_url(gateway)
    with ExitStack() as held:
        for part in [b"", b"GET /health HT"] * (MAX_CONNECTIONS // 2):
            held.enter_context(connect(admin)).sendall(part)
        assert requests.get(f"{admin}/health", timeout=60).status_code == 200
        assert get_json(f"{gateway.url}/health") == {"status": "ok"}


def test_workers_share_the_listener_and_a_reload_keeps_it(mock_url: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("")
    settings = {"admin_bind": "127.0.0.1:0", "web_concurrency": 2, "gateway_config": file}
    # gunicorn's -b does not replace it.
    with boot_gateway(mock_url, "-b", "127.0.0.1:0", **settings) as gateway:
        admin = admin_url(gateway)
        wait_until(lambda: len(get_json(f"{admin}/health")["workers"]) == 2)
        before = workers_of(gateway)
        file.write_text("heartbeat_s = 3")
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not set(before) & set(workers_of(gateway)))
        wait_until(lambda: len(get_json(f"{admin}/health")["workers"]) == 2)
        os.kill(workers_of(gateway)[0], signal.SIGKILL)
        for _ in range(20):
            assert status_of(admin, "/metrics") == 200
        with ask(gateway.url, request_body("default@tps=0", gateway={"format": "events"})) as s:
            assert parse_stream("events", s.read_all()).error is None
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.output()


def test_an_address_that_is_taken_stops_the_start_with_a_sentence(mock_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        gunicorn = str(Path(sys.executable).parent / "gunicorn")
        done = subprocess.run(
            [gunicorn, "-c", "gunicorn.conf.py", "wsgi:app"],
            cwd=ROOT,
            env={**os.environ, "UPSTREAM_URL": mock_url, "PORT": "0", "ADMIN_BIND": address},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode != 0
    assert re.search(rf"ADMIN_BIND: can't listen at {address}: Address already in use", done.stderr)
    assert "Traceback" not in done.stderr
