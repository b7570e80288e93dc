"""The way out past the server: to the client's socket, while the server has nothing to send."""

import socket
from collections.abc import Mapping
from typing import Any


class Outlet:
    """The client's socket under a chunked response that the server has begun."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._plain: socket.socket = client._sock  # type: ignore[attr-defined]
        self._unsent = b""
        self.is_behind = False
        """The client has not taken all: the rest has to be flushed before anything else."""

    def send(self, data: bytes) -> None:
        """Sends data as a chunk, as much of it as goes without waiting."""
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        try:
            sent = self._plain.send(chunk)
        except OSError:  # it is full, or whoever flushes is told what it has
            sent = 0
        if sent < len(chunk):
            self._unsent, self.is_behind = chunk[sent:], True

    def flush(self) -> None:
        """Waits until the rest is sent. Raises OSError when the client is gone."""
        unsent, self._unsent, self.is_behind = self._unsent, b"", False
        self._client.sendall(unsent)


def outlet(environ: Mapping[str, Any]) -> Outlet | None:
    """The outlet for the response to a request; None: where the server alone knows how to write."""
    client = environ.get("gunicorn.socket")
    if type(client) is not socket.socket or not hasattr(client, "_sock"):
        return None
    chunked = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and environ["REQUEST_METHOD"] != "HEAD"
    return Outlet(client) if chunked else None
