"""A client that leaves costs nothing: the upstream's stream ends within 2 s, nobody has failed."""

import json
import socket
import struct
import uuid
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.live.wire import FORMATS, get, request_body, turn_of, until
from tests.programs import DRIVERS, Program, start_gateway, start_mock

pytestmark = pytest.mark.alone

SEEN_WITHIN_S = 2.0
Body = dict[str, Any]


@pytest.fixture(scope="module")
def mock() -> Iterator[Program]:
    """A mock of its own: its books are checked."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(mock: Program, request: pytest.FixtureRequest) -> Iterator[Program]:
    with start_gateway(mock.url, relay_driver=request.param) as gateway:
        yield gateway


def request_bytes(url: str, body: Body, request_id: str) -> bytes:
    """This request as it stands on the wire."""
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        f"Content-Type: application/json\r\nX-Request-Id: {request_id}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def send(url: str, body: Body, request_id: str) -> socket.socket:
    """A raw connection on which this request was sent."""
    address = urlsplit(url)
    client = socket.create_connection((address.hostname, address.port), timeout=10)
    client.sendall(request_bytes(url, body, request_id))
    return client


def leave(client: socket.socket, how: str) -> None:
    """Closes politely, or with a reset as a killed browser does."""
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def check_left(
    mock: Program, gateway: Program, bodies: list[tuple[bytes, Body]], how: str = "close"
) -> None:
    """All ask, and leave once they have read their text, b"" at once; then come the books."""
    before = get(f"{mock.url}/stats")
    clients = {f"leaves-{uuid.uuid4().hex}": (text, body) for text, body in bodies}
    opened = [
        (send(gateway.url, body, request_id), text) for request_id, (text, body) in clients.items()
    ]
    try:
        until(lambda: get(f"{mock.url}/stats")["open_streams"] == len(bodies))
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
    until(lambda: get(f"{mock.url}/stats")["aborted"] == aborted, SEEN_WITHIN_S)
    assert get(f"{mock.url}/stats")["open_streams"] == 0
    until(lambda: get(f"{gateway.url}/health")["open_streams"] == 0)
    for request_id in clients:
        turn = turn_of(gateway, request_id)
        assert (turn["end"], turn["blame"], turn["level"]) == ("left", "client", "info")
    assert "Traceback" not in gateway.output()
    assert "[ERROR]" not in gateway.output()


def in_each_format(model: str, prompt: str = "hi", formats: Iterable[str] = FORMATS) -> list[Body]:
    """The same request in each format."""
    options = ({"format": format, "reasoning": "raw"} for format in formats)
    return [request_body(model, prompt, gateway=option) for option in options]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_while_tokens_flow(mock: Program, gateway: Program, how: str) -> None:
    bodies = in_each_format("no-reasoning@tps=50", "Explain streaming APIs")
    check_left(mock, gateway, [(b"streaming", body) for body in bodies], how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_before_the_upstream_has_answered(mock: Program, gateway: Program, how: str) -> None:
    """Also where the status of the answer waits for the upstream's."""
    *begun, plain, openai = in_each_format(
        "slow-start@delay=30", formats=("phased", "events", "plain", "openai")
    )
    asked = [(b"hi", body) for body in begun] + [(b"connected", plain), (b"", openai)]
    check_left(mock, gateway, asked, how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_while_the_model_is_silent(mock: Program, gateway: Program, how: str) -> None:
    *shown, plain = in_each_format("silent@tps=0")
    asked = [(b"greet", body) for body in shown] + [(b"\r\n\r\n", plain)]
    check_left(mock, gateway, asked, how)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_while_an_answer_in_one_piece_is_made(mock: Program, gateway: Program, how: str) -> None:
    models = ("slow-start@delay=30", "silent", "default@tps=1")
    check_left(mock, gateway, [(b"", request_body(m, stream=False)) for m in models], how)


def test_the_connection_of_one_who_stays_is_used_again(mock: Program, gateway: Program) -> None:
    """Looking for clients that left does no harm to those who keep their connection."""
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
            assert turn_of(gateway, name)["end"] == "done"
