"""Every malformed head gets a status on the socket: a proxy ejects a server that is silent."""

import json
import random
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.programs import Program, start_gateway

HOST = "Host: a\r\n"
MANY = "".join(f"X-{n}: 1\r\n" for n in range(101))
LONG = f"X-A: {'a' * 8000}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"

HEADS = {
    "non-ASCII in the path": (400, f"GET /?q=é HTTP/1.1\r\n{HOST}\r\n"),
    "non-latin text in the path": (400, f"GET /日本 HTTP/1.1\r\n{HOST}\r\n"),
    "a short method": (400, f"AA / HTTP/1.1\r\n{HOST}\r\n"),
    "a method in lower case": (400, f"get / HTTP/1.1\r\n{HOST}\r\n"),
    "a method with a comma": (400, f"GE,T / HTTP/1.1\r\n{HOST}\r\n"),
    "no path": (400, f"GET HTTP/1.1\r\n{HOST}\r\n"),
    "an unclosed IPv6 address": (400, f"GET http://[::1/ HTTP/1.1\r\n{HOST}\r\n"),
    "a control character in the path": (400, f"GET /\1 HTTP/1.1\r\n{HOST}\r\n"),
    "HTTP/3.0": (400, f"GET / HTTP/3.0\r\n{HOST}\r\n"),
    "no HTTP version": (400, f"GET / SIP/1.1\r\n{HOST}\r\n"),
    "a control character in a header": (400, f"GET / HTTP/1.1\r\n{HOST}X-A: \1\r\n\r\n"),
    "a header without a colon": (400, f"GET / HTTP/1.1\r\n{HOST}X-A\r\n\r\n"),
    "a header name with a space": (400, f"GET / HTTP/1.1\r\n{HOST}X A: 1\r\n\r\n"),
    "a non-ASCII header name": (400, f"GET / HTTP/1.1\r\n{HOST}é: 1\r\n\r\n"),
    "a folded header": (400, f"GET / HTTP/1.1\r\n{HOST}X-A: 1\r\n 2\r\n\r\n"),
    "a long request line": (414, f"GET /{'a' * 9000} HTTP/1.1\r\n{HOST}\r\n"),
    "a request line of 1 MB": (414, f"GET /{'a' * 1_000_000} HTTP/1.1\r\n{HOST}\r\n"),
    "a long header": (431, f"GET / HTTP/1.1\r\n{HOST}X-A: {'a' * 9000}\r\n\r\n"),
    "headers of 1 MB": (431, f"GET / HTTP/1.1\r\n{HOST}{LONG * 125}\r\n"),
    "too many headers": (431, f"GET / HTTP/1.1\r\n{HOST}{MANY}\r\n"),
    "an unknown transfer coding": (501, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: br\r\n\r\n"),
    "two lengths": (400, f"PUT / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "a negative length": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n"),
    "a length that is no number": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: x\r\n\r\n"),
    "a length of other digits": (400, f"POST / HTTP/1.1\r\n{HOST}Content-Length: ²\r\n\r\n"),
    "a length of 5000 digits": (
        400,
        f"POST / HTTP/1.1\r\n{HOST}Content-Length: {'1' * 5000}\r\n\r\n",
    ),
    "a length and chunks": (
        400,
        f"POST / HTTP/1.1\r\n{HOST}{CHUNKED}Content-Length: 1\r\n\r\n",
    ),
    "chunked twice": (400, f"POST / HTTP/1.1\r\n{HOST}{CHUNKED}{CHUNKED}\r\n"),
    "chunks in HTTP/1.0": (400, f"POST / HTTP/1.0\r\n{HOST}{CHUNKED}\r\n"),
    "an unknown expectation": (417, f"GET / HTTP/1.1\r\n{HOST}Expect: tea\r\n\r\n"),
    "contradicting schemes": (
        400,
        f"GET / HTTP/1.1\r\n{HOST}X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n\r\n",
    ),
    "a TLS handshake": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "only a line end": (400, "\r\n\r\n"),
}


@pytest.fixture(scope="module")
def gateway(mock_url: str) -> Iterator[Program]:
    with start_gateway(mock_url) as gateway:
        yield gateway


def exchange(gateway: Program, sent: bytes) -> bytes:
    """Sends bytes, then reads until the gateway closes the connection."""
    with socket.create_connection(urlsplit(gateway.url).netloc.split(":"), timeout=60) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while piece := client.recv(65536):
            received += piece
    return received


@pytest.mark.parametrize("name", HEADS)
def test_a_malformed_head_gets_a_status(gateway: Program, name: str) -> None:
    status, head = HEADS[name]
    received = exchange(gateway, head.encode())
    assert received.startswith(b"HTTP/1.1 %d " % status), received[:200]
    fields, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in fields
    assert json.loads(body)["error"]["message"].endswith(".")


def test_random_damage_to_a_head_never_gets_silence(gateway: Program) -> None:
    """Each seed damages a valid head at one to four places."""
    valid = f"GET /health HTTP/1.1\r\n{HOST}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
    for seed in range(300):
        chance = random.Random(seed)
        head = bytearray(valid)
        for _ in range(chance.randint(1, 4)):
            head[chance.randrange(len(head) - 4)] = chance.randrange(256)
        assert exchange(gateway, bytes(head)).startswith(b"HTTP/1.1 "), (seed, bytes(head))
    assert "Traceback" not in gateway.output()
