"""The client's socket: a response's head leaves with its first bytes, and nothing is lost that a
client does not take at once."""

import socket
import threading
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

import pytest

from gateway.server.response_socket import Outlet, outlet


class Client:
    """A socket as gevent wraps it, `_sock` inside, and what arrives at its other end."""

    def __init__(self) -> None:
        self._sock, self._theirs = socket.socketpair()
        self._patient = self._sock.dup()
        self._patient.settimeout(30)
        self._theirs.settimeout(30)
        self._sock.setblocking(False)
        self.sendall, self.sendfile = self._patient.sendall, self._patient.sendfile
        self.send = self._sock.send

    def arrived(self) -> bytes:
        """What has been sent since it was last asked."""
        self._theirs.setblocking(False)
        try:
            return self._theirs.recv(1 << 20)
        except BlockingIOError:
            return b""

    def read_to_the_end(self) -> bytes:
        self._theirs.settimeout(30)
        return b"".join(iter(lambda: self._theirs.recv(65536), b""))

    def end(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in (self._sock, self._theirs, self._patient):
            end.close()


@pytest.fixture
def client() -> Iterator[Any]:
    made = Client()
    yield made
    made.close()


def test_the_head_leaves_with_the_first_bytes_of_the_body(client: Any) -> None:
    way_out = Outlet(client)
    way_out.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert client.arrived() == b""
    way_out.sendall(b"5\r\nfirst\r\n")
    assert client.arrived() == b"HTTP/1.1 200 OK\r\n\r\n5\r\nfirst\r\n"
    way_out.sendall(b"6\r\nsecond\r\n")
    assert client.arrived() == b"6\r\nsecond\r\n"


def test_a_head_without_a_body_leaves_when_it_is_flushed(client: Any) -> None:
    way_out = Outlet(client)
    way_out.sendall(b"head")
    way_out.flush()
    assert client.arrived() == b"head"
    way_out.flush()
    assert client.arrived() == b""


def test_a_file_comes_behind_the_head(client: Any) -> None:
    way_out = Outlet(client)
    way_out.sendall(b"head")
    with TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        assert way_out.sendfile(file, offset=2, count=5) == 5
    assert client.arrived() == b"head23456"


@pytest.mark.parametrize("past_the_server", [True, False])
def test_what_does_not_fit_is_not_lost(client: Any, past_the_server: bool) -> None:
    way_out = Outlet(client)
    way_out.sendall(b"head,")
    way_out.sendall(b"first,")
    data = b"0123456789" * 500_000
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(client.read_to_the_end()))
    if past_the_server:
        way_out.send_chunk(data)
        assert way_out.is_behind
        reader.start()
        way_out.flush()
        assert not way_out.is_behind
    else:
        reader.start()
        way_out.sendall(data)
    client.end()
    reader.join(30)
    chunk = b"4c4b40\r\n" + data + b"\r\n" if past_the_server else data
    assert read == [b"head,first," + chunk]


def test_what_is_said_before_the_head_is_sent_whole(client: Any) -> None:
    """`100 Continue`, for which the server calls `send` once; an answer may stand before it."""
    way_out = Outlet(client)
    data = b"0123456789" * 500_000
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(client.read_to_the_end()))
    reader.start()
    assert way_out.send(data) == len(data)
    client.end()
    reader.join(30)
    assert read == [data]


def test_only_under_a_chunked_response_there_is_a_way_past_the_server(client: Any) -> None:
    ours = Outlet(client)
    environ = {"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST", "gunicorn.socket": ours}
    assert outlet(environ) is ours
    assert outlet({**environ, "SERVER_PROTOCOL": "HTTP/1.0"}) is None
    assert outlet({**environ, "REQUEST_METHOD": "HEAD"}) is None
    assert outlet({**environ, "gunicorn.socket": client}) is None
    del environ["gunicorn.socket"]
    assert outlet(environ) is None
