"""A client that leaves: its upstream request ends within 2 s, and the turn is not a failure."""

import json
import socket
import struct
import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.wire import FORMATS, get_json, logged_turn, request_body, wait_until
from tests.machine import allowed
from tests.programs import DRIVERS, Program, start_gateway, start_mock

NOTICED_WITHIN_S = 2.0
Body = dict[str, Any]


@pytest.fixture(scope="module")
def mock() -> Iterator[Program]:
    """A mock for these tests alone, because they check its counts."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(mock: Program, request: pytest.FixtureRequest) -> Iterator[Program]:
    with start_gateway(mock.url, relay_driver=request.param) as gateway:
        yield gateway


def request_bytes(url: str, body: Body, request_id: str) -> bytes:
    """The request as bytes."""
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: application/json\r\nX-Request-Id: {request_id}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def send(url: str, body: Body, request_id: str) -> socket.socket:
    """Opens a connection, sends the request and returns the socket."""
    address = urlsplit(url)
    client = socket.create_connection((address.hostname, address.port), timeout=60)
    client.sendall(request_bytes(url, body, request_id))
    return client


def leave(client: socket.socket, how: str) -> None:
    """Closes the connection, or resets it as a killed browser does."""
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def check_left(
    mock: Program, gateway: Program, bodies: list[tuple[bytes, Body]], how: str = "close"
) -> None:
    """Clients ask and leave once they have read their text. Checks log and mock's counts."""
    before = get_json(f"{mock.url}/stats")
    clients = {f"leaves-{uuid.uuid4().hex}": (text, body) for text, body in bodies}
    opened = [
        (send(gateway.url, body, request_id), text) for request_id, (text, body) in clients.items()
    ]
    try:
        wait_until(lambda: get_json(f"{mock.url}/stats")["open_streams"] == len(bodies))
        for client, text in opened:
            received = b""
            while text not in received:
                data = client.recv(65536)
                assert data
                received += data
    finally:
        for client, _ in opened:
            leave(client, how)
    aborted = before["aborted"] + len(bodies)
    wait_until(
        lambda: get_json(f"{mock.url}/stats")["aborted"] == aborted, allowed(NOTICED_WITHIN_S)
    )
    assert get_json(f"{mock.url}/stats")["open_streams"] == 0
    wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)
    for request_id in clients:
        turn = logged_turn(gateway, request_id)
        assert (turn["end"], turn["blame"], turn["level"]) == ("left", "client", "info")
    assert "Traceback" not in gateway.output()
    assert '"level": "error"' not in gateway.output()


def bodies_in_each_format(
    model: str, prompt: str = "hi", formats: Iterable[str] = FORMATS
) -> list[Body]:
    """The same request in each format."""
    options = ({"format": format, "reasoning": "raw"} for format in formats)
    return [request_body(model, prompt, gateway=option) for option in options]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_while_tokens_arrive(mock: Program, gateway: Program, how: str) -> None:
    bodies = bodies_in_each_format("no-reasoning@tps=50", "Explain streaming APIs")
    check_left(mock, gateway, [(b"streaming", body) for body in bodies], how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_before_the_upstream_answers(mock: Program, gateway: Program, how: str) -> None:
    """Also in `openai`, whose status waits for the upstream's."""
    *begun, plain, openai = bodies_in_each_format(
        "slow-start@delay=30", formats=("phased", "events", "plain", "openai")
    )
    asked = [(b"hi", body) for body in begun] + [(b"connected", plain), (b"", openai)]
    check_left(mock, gateway, asked, how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_while_the_model_is_silent(mock: Program, gateway: Program, how: str) -> None:
    *shown, plain = bodies_in_each_format("silent@tps=0")
    asked = [(b"greet", body) for body in shown] + [(b"\r\n\r\n", plain)]
    check_left(mock, gateway, asked, how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_before_an_answer_that_is_not_streamed(
    mock: Program, gateway: Program, how: str
) -> None:
    models = ("slow-start@delay=30", "silent", "default@tps=1")
    check_left(mock, gateway, [(b"", request_body(m, stream=False)) for m in models], how)


def test_clients_that_stay_keep_their_connection(mock: Program, gateway: Program) -> None:
    """The check for disconnected clients does not close idle connections."""
    body = request_body("default@tps=0")
    client = send(gateway.url, body, "first")
    with client:
        for name in ("first", "second", "third"):
            if name != "first":
                client.sendall(request_bytes(gateway.url, body, name))
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += client.recv(65536)
            assert b"[DONE]" in received
            assert logged_turn(gateway, name)["end"] == "done"
