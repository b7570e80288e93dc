"""API keys at a running gateway: keep-alive after a 401, logs without keys, changing keys."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.live.test_reload import reload
from tests.live.test_upstreams import gateway_with, table
from tests.live.wire import request_body, wait_until
from tests.programs import Program, start_gateway

PATH = "/events/v1/chat/completions"
OLD, NEW = "sk-old", "sk-new"


@pytest.fixture(scope="module")
def gateway(mock_url: str) -> Iterator[Program]:
    with start_gateway(mock_url, api_keys=OLD) as gateway:
        yield gateway


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def connect(url: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(url).netloc, timeout=60)


def test_the_connection_can_be_used_after_401(mock_url: str) -> None:
    body = json.dumps(request_body("default@tps=0", pad="x" * 1_000_000))
    with start_gateway(mock_url, api_keys=OLD) as gateway:
        connection = connect(gateway.url)
        for key, status in ((NEW, 401), (OLD, 200), ("", 401), (OLD, 200)):
            connection.request("POST", PATH, body, bearer(key))
            sock = connection.sock
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status == status
            assert ("event: done" in text) == (status == 200)
            assert connection.sock is sock
        connection.close()


def test_401_does_not_wait_for_the_body(mock_url: str) -> None:
    with start_gateway(mock_url, api_keys=OLD) as gateway:
        connection = connect(gateway.url)
        connection.putrequest("POST", PATH)
        connection.putheader("Content-Length", "1000000")
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        connection.close()


MALFORMED = {
    "a line of its own": f"GET /health HTTP/1.1\r\nBearer {OLD}\r\n\r\n",
    "in the address": f"GET /v1/models?key={OLD}\1 HTTP/1.1\r\n\r\n",
    "after its Content-Length": f"GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n{{{OLD}\r\n\r\n",
}


@pytest.mark.parametrize("place", MALFORMED)
def test_malformed_requests_are_not_quoted_in_the_log(gateway: Program, place: str) -> None:
    """They may contain keys or prompts, for example if Content-Length counts characters."""
    refused = gateway.output().count("Invalid request")
    with socket.create_connection(urlsplit(gateway.url).netloc.split(":"), timeout=60) as client:
        client.sendall(MALFORMED[place].encode())
        while client.recv(65536):
            pass
    wait_until(lambda: gateway.output().count("Invalid request") > refused)
    assert OLD not in gateway.output()


def test_a_reload_changes_the_keys(tmp_path: Path, mock_url: str) -> None:
    def status(key: str) -> int:
        return requests.get(f"{gateway.url}/v1/models", headers=bearer(key), timeout=60).status_code

    def settings(api_keys: str) -> str:
        return f"api_keys = {api_keys}\n{table('a', mock_url)}"

    with gateway_with(tmp_path, settings(f'"{OLD}"')) as gateway:
        assert (status(OLD), status(NEW)) == (200, 401)
        reload(gateway, tmp_path, settings(f'["{OLD}", "{NEW}"]'))
        wait_until(lambda: status(NEW) == 200)
        assert status(OLD) == 200
        reload(gateway, tmp_path, settings(f'["{NEW}"]'))
        wait_until(lambda: status(OLD) == 401)
        assert status(NEW) == 200
        reload(gateway, tmp_path, settings('" "'))
        gateway.wait_for("api_keys: there is no key in it. The settings stay as they were.")
        assert (status(OLD), status(NEW)) == (401, 200)
        assert OLD not in gateway.output()
        assert NEW not in gateway.output()
