"""A response's head leaves with the first bytes of its body, and slow clients lose nothing."""

import socket
import threading
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Any

import pytest

from gateway.server.response_socket import ResponseSocket, socket_for_direct_writes
from tests.machine import PATIENCE_S


class Client:
    """A socket with gevent's attributes, `_sock` among them, and the client's end of it."""

    def __init__(self) -> None:
        self._sock, self._theirs = socket.socketpair()
        self._blocking = self._sock.dup()
        self._blocking.settimeout(PATIENCE_S)
        self._theirs.settimeout(PATIENCE_S)
        self._sock.setblocking(False)
        self.sendall, self.sendfile = self._blocking.sendall, self._blocking.sendfile
        self.send = self._sock.send

    def arrived(self) -> bytes:
        """Returns what was sent since the last call."""
        self._theirs.setblocking(False)
        try:
            return self._theirs.recv(1 << 20)
        except BlockingIOError:
            return b""

    def read_to_the_end(self) -> bytes:
        self._theirs.settimeout(PATIENCE_S)
        return b"".join(iter(lambda: self._theirs.recv(65536), b""))

    def end(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in (self._sock, self._theirs, self._blocking):
            end.close()


@pytest.fixture
def client() -> Iterator[Any]:
    made = Client()
    yield made
    made.close()


def test_the_head_leaves_with_the_first_bytes_of_the_body(client: Any) -> None:
    response_socket = ResponseSocket(client)
    response_socket.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert client.arrived() == b""
    response_socket.sendall(b"5\r\nfirst\r\n")
    assert client.arrived() == b"HTTP/1.1 200 OK\r\n\r\n5\r\nfirst\r\n"
    response_socket.sendall(b"6\r\nsecond\r\n")
    assert client.arrived() == b"6\r\nsecond\r\n"


def test_flush_sends_a_head_without_a_body(client: Any) -> None:
    response_socket = ResponseSocket(client)
    response_socket.sendall(b"head")
    response_socket.flush()
    assert client.arrived() == b"head"
    response_socket.flush()
    assert client.arrived() == b""


def test_a_file_follows_the_head(client: Any) -> None:
    response_socket = ResponseSocket(client)
    response_socket.sendall(b"head")
    with TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        assert response_socket.sendfile(file, offset=2, count=5) == 5
    assert client.arrived() == b"head23456"


@pytest.mark.parametrize("direct", [True, False])
def test_data_that_does_not_fit_into_the_buffer_is_sent_later(client: Any, direct: bool) -> None:
    response_socket = ResponseSocket(client)
    response_socket.sendall(b"head,")
    response_socket.sendall(b"first,")
    data = b"0123456789" * 500_000
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(client.read_to_the_end()))
    if direct:
        response_socket.write_chunk_now(data)
        assert response_socket.has_unsent
        reader.start()
        response_socket.flush()
        assert not response_socket.has_unsent
    else:
        reader.start()
        response_socket.sendall(data)
    client.end()
    reader.join(30)
    chunk = b"4c4b40\r\n" + data + b"\r\n" if direct else data
    assert read == [b"head,first," + chunk]


def test_100_continue_is_sent_whole(client: Any) -> None:
    """gunicorn calls `send` once for it, though an earlier response may fill the buffer."""
    response_socket = ResponseSocket(client)
    data = b"0123456789" * 500_000
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(client.read_to_the_end()))
    reader.start()
    assert response_socket.send(data) == len(data)
    client.end()
    reader.join(30)
    assert read == [data]


def test_direct_writes_need_a_chunked_response(client: Any) -> None:
    ours = ResponseSocket(client)
    environ = {"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST", "gunicorn.socket": ours}
    assert socket_for_direct_writes(environ) is ours
    assert socket_for_direct_writes({**environ, "SERVER_PROTOCOL": "HTTP/1.0"}) is None
    assert socket_for_direct_writes({**environ, "REQUEST_METHOD": "HEAD"}) is None
    assert socket_for_direct_writes({**environ, "gunicorn.socket": client}) is None
    del environ["gunicorn.socket"]
    assert socket_for_direct_writes(environ) is None
