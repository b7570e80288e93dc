"""Accepts connections from a listening socket, and stops without losing one."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from gevent.pool import Pool
from gevent.server import StreamServer

Handle = Callable[[Any, Any, Any], None]
"""gunicorn's: takes the listener, a client's socket and its address."""


def start_listening(
    listener: Any, handle: Handle, connections: Pool, *, shared: bool
) -> StreamServer:
    """Calls `handle` in a greenlet for each connection, as long as the pool has room.

    shared: other workers accept from the same listener, so take one connection at a time.
    """
    listener.setblocking(1)
    server = StreamServer(
        listener,
        handle=partial(handle, _ListenerAddress(listener.getsockname())),
        spawn=connections,
    )
    if shared:
        server.max_accept = 1
    server.start()
    return server


def stop_listening(server: StreamServer) -> None:
    """Serves the connections in the accept queue, then closes the listener.

    To close it at once would reset these connections. `do_read` and `do_handle` are undocumented in
    gevent 26.9.
    """
    server.stop_accepting()
    while not server.full() and (accepted := server.do_read()):
        server.do_handle(*accepted)
    server.close()


class _ListenerAddress(NamedTuple):
    """Takes the listener's place, which may be closed when gunicorn asks for its address."""

    address: Any

    def getsockname(self) -> Any:
        return self.address
