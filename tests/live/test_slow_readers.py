"""Clients that read slowly get every byte in order, with both drivers."""

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import request_body
from tests.machine import PATIENCE_S
from tests.programs import DRIVERS, Program, start_gateway

FIRST = "The first word. "
WORDS = [f"<{number}>" + "é" * (number % 997) for number in range(1200)]
"""More than a million bytes: more than the kernel buffers for a slow client."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Program]:
    with start_gateway(upstream.url, relay_driver=request.param) as gateway:
        yield gateway


@pytest.mark.parametrize("format", ["openai", "events"])
def test_slow_readers_get_every_byte(upstream: Upstream, gateway: Program, format: str) -> None:
    first_word_was_read = threading.Event()
    rest = chunked([*say(*WORDS), FINISH, DONE])
    script = [CHUNKED, *chunked(say(FIRST), end=False), first_word_was_read, *rest]
    upstream.set_script("long", *script)
    with _send_request(gateway.url, request_body("long", gateway={"format": format})) as client:
        response = HTTPResponse(client)
        response.begin()
        read = b""
        while b"first word" not in read:
            read += response.read1(8192)
        first_word_was_read.set()
        while piece := response.read1(8192):
            read += piece
    assert _text(read.decode(), format) == FIRST + "".join(WORDS)


def _send_request(url: str, body: dict[str, object]) -> socket.socket:
    """Sends the request on a connection with a small receive buffer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    address = urlsplit(url)
    client.connect((address.hostname, address.port))
    data = json.dumps(body)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    client.sendall((head + data).encode())
    return client


def _text(stream: str, format: str) -> str:
    """Returns the answer's text. Asserts that the stream is complete."""
    *events, end = [event for event in stream.split("\n\n") if event]
    assert "[DONE]" in end or "event: done" in end
    found = [json.loads(event.partition("data: ")[2]) for event in events]
    if format == "events":
        numbers = [int(event.split("\n")[0].removeprefix("id: ")) for event in events]
        assert numbers == list(range(1, len(numbers) + 1))
        return "".join(f["text"] for f, e in zip(found, events, strict=True) if "output" in e)
    deltas = [choice["delta"] for chunk in found for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)
