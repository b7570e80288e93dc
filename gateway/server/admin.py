"""The listener for operators (ADMIN_BIND), which answers even if clients hold all connections.

It serves health and metrics. gateway.server.gunicorn_settings opens it, and all workers accept from
it. Its connections do not count against `worker_connections`. Each has one request and little time.
"""

import socket
from collections.abc import Mapping
from typing import Any

import gevent
import gevent.socket
from gevent.pool import Pool

from gateway.server.listener import Handle, start_listening
from gateway.server.response_socket import ResponseSocket
from gateway.server.sockets import close_connection

MAX_CONNECTIONS = 20
"""Limit for the connections to this listener, per worker."""
_TIME_S = 5.0
"""Limit for a connection, from its first byte to the end of the response."""


class AdminSocket(ResponseSocket):
    """The socket of a response to an operator. It marks the request: clients can't forge it."""


def is_admin(environ: Mapping[str, Any]) -> bool:
    """Whether a request came to the operators' listener."""
    return isinstance(environ.get("gunicorn.socket"), AdminSocket)


class AdminListener:
    """The operators' listener in one worker."""

    def __init__(self, opened: socket.socket, handle: Handle, *, shared: bool) -> None:
        """opened: the master's listening socket. handle: gunicorn's, for plain HTTP.

        shared: other workers accept from it as well.
        """
        self._handle = handle
        listener = gevent.socket.socket(opened.family, opened.type, fileno=opened.detach())
        self.address = listener.getsockname()
        self.server = start_listening(listener, self._serve, Pool(MAX_CONNECTIONS), shared=shared)

    def _serve(self, listener: Any, client: Any, addr: Any) -> None:
        limit = gevent.spawn_later(_TIME_S, close_connection, client)
        try:
            self._handle(listener, client, addr)
        finally:
            limit.kill(block=False)
