"""The direct driver: what arrives is read, fed and sent in one go, from gevent's hub itself.

The ordinary way, the relay's, costs a token two switches of greenlets, a second look at each socket
and a question about its buffer. Here the event loop's watcher of the upstream's socket calls back,
the turn is fed, and what comes of it is written to the client's socket, past the server, as a chunk
of the response that the server has begun. Nothing here waits. Whatever would have to (a client that
is behind, the first and the last bytes of an answer, a heartbeat) goes the ordinary way, and so
does everything where the sockets are not plain ones.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.hub import Waiter

from gateway.errors import UpstreamBroke
from gateway.transport import Wire


def read(wire: Wire, take: Callable[[bytes], bool]) -> None:
    """Reads until the body has ended or `take` wants no more for now; raises what either raises.

    take: gets what each read brings, in the hub, where nothing may wait; true: go on.
    """
    hub = gevent.get_hub()
    waiter = Waiter(hub)
    watcher = hub.loop.io(wire.fileno(), 1)

    def readable() -> None:
        try:
            data = wire.receive()
            goes_on = data is None or take(data)
            if wire.is_broken:
                raise UpstreamBroke("The connection to the upstream broke off.")
            if goes_on and not wire.ended:
                return
        except BaseException as error:
            watcher.stop()
            waiter.throw(error)
        else:
            watcher.stop()
            waiter.switch(None)

    watcher.start(readable)
    try:
        waiter.get()
    finally:
        watcher.stop()
        watcher.close()


class Outlet:
    """The client's socket under a chunked response, while the server waits for its next piece."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._plain: socket.socket = client._sock  # type: ignore[attr-defined]
        self._unsent = b""
        self.is_behind = False
        """The client has not taken all: the rest has to be flushed before anything else."""

    def send(self, data: bytes) -> None:
        """Sends data as a chunk, as much of it as goes without waiting."""
        chunk = b"%x\r\n%s\r\n" % (len(data), data)
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
