"""The client's socket: as the server writes to it, and the way past the server.

A server sends the head of a response by itself, with a call to the kernel of its own, which may be
a packet of its own and wake the client. Here it waits for the first bytes of the body.

While the server has nothing to send, an answer may go past it (gateway.relay.callback_driver).
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class Outlet:
    """Stands in for the socket of one response. What is not named here is the socket's own."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._plain: socket.socket = client._sock  # type: ignore[attr-defined]
        self._unsent = b""
        self._begun = False
        """The server has sent something: the head."""
        self.is_behind = False
        """The client has not taken all: the rest has to be flushed before anything else."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """What the server calls. Raises OSError when the client is gone."""
        if not self._begun:
            self._begun, self._unsent = True, data
            return
        data, self._unsent = self._unsent + data, b""
        sent = 0
        with suppress(BlockingIOError):
            sent = self._plain.send(data)  # spares gevent's question for the size of the buffer
        if sent < len(data):
            self._client.sendall(data[sent:])

    def send(self, data: bytes) -> int:
        """The server calls this for `100 Continue`, once, though a part of it might have gone."""
        self._client.sendall(data)
        return len(data)

    def sendfile(self, *file: Any, **part: Any) -> int:
        """The server calls this too."""
        self.flush()
        return self._client.sendfile(*file, **part)

    def send_chunk(self, data: bytes) -> None:
        """Sends data past the server, as a chunk of the response that it has begun, as much of it
        as goes without waiting."""
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        try:
            sent = self._plain.send(chunk)
        except OSError:  # it is full, or whoever flushes is told what it has
            sent = 0
        if sent < len(chunk):
            self._unsent, self.is_behind = chunk[sent:], True

    def flush(self) -> None:
        """Waits until all is sent. Raises OSError when the client is gone."""
        unsent, self._unsent, self.is_behind = self._unsent, b"", False
        if unsent:
            self._client.sendall(unsent)


def outlet(environ: Mapping[str, Any]) -> Outlet | None:
    """The way past the server for the response to a request; None: only the server knows how to
    write it."""
    client = environ.get("gunicorn.socket")
    chunked = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and environ["REQUEST_METHOD"] != "HEAD"
    return client if isinstance(client, Outlet) and chunked else None


def hang_up(client: socket.socket) -> None:
    """Ends a client's connection; what waits for it is woken.

    gevent's own shutdown would wake a waiting send with an error that gunicorn logs; the plain
    socket's lets it end like any connection that was closed.
    """
    with suppress(OSError):  # it may be gone already
        getattr(client, "_sock", client).shutdown(socket.SHUT_RDWR)
