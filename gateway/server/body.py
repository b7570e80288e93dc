"""Reads request bodies from clients that may be slow, endless or gone.

gunicorn 27.0 has no time limit for a body, and gevent's recv returns without a switch while the
socket has data: a client that never pauses would keep all other greenlets from running.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import gevent

from gateway.errors import BadRequest, BodyTooLarge, Full, GatewayError, RequestTimeout
from gateway.server.sockets import end_response

_MIB = 1024 * 1024
_READ_BYTES = 64 * 1024
_CHUNKED_READ_BYTES = 2048
"""For bodies of unknown length. In the worst case these are 2048 chunks of one byte, for which
gunicorn 27.0 needs about 5 ms."""
_DISCARD_S = 5.0
"""Limit for reading what the application has left of a body."""
MAX_HELD_BYTES = 100_000_000
"""Limit for all bodies together that a worker is reading."""
_FREE_BYTES = 64 * 1024
"""The first bytes of each body, which don't count: large bodies don't keep out ordinary ones."""
_PAUSE_S = 1e-4
"""gevent 26.9: after `sleep(0)`, greenlets that wait for a socket have not always had a turn."""


class BodyBudget:
    """Limits the memory of all bodies that are being read.

    Bytes count when they have arrived, so a client that announces a long body takes nothing from
    others.
    """

    def __init__(self, max_bytes: int = MAX_HELD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0

    @contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Yields a function to call with the size of the body so far, in bytes.

        It raises Full if all bodies together are too large.
        """
        counted = 0

        def grow(size: int) -> None:
            nonlocal counted
            more = max(0, size - _FREE_BYTES) - counted
            if more > 0 and self._held_bytes + more > self._max_bytes:
                raise Full("The gateway is reading too many large requests; try again in a moment.")
            counted += more
            self._held_bytes += more

        try:
            yield grow
        finally:
            self._held_bytes -= counted


class Source(Protocol):
    """`wsgi.input`: its `read` returns b"" at the end of the body."""

    def read(self, size: int, /) -> bytes: ...


def read_body(
    source: Source,
    length: int | None,
    max_bytes: int,
    timeout_s: float,
    on_size: Callable[[int], None] = lambda size: None,
) -> bytes:
    """Returns the whole body.

    source: `wsgi.input`. length: the Content-Length, if there is one. timeout_s: for each MiB.
    on_size: called with the size so far; see :meth:`BodyBudget.hold`.

    Raises BodyTooLarge as soon as the body is known to exceed `max_bytes`, RequestTimeout,
    BadRequest if the body breaks off or is malformed, or what `on_size` raises.
    """
    if length is not None and length > max_bytes:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    began = time.monotonic()
    while length is None or size < length:
        deadline = began + timeout_s * (1 + size // _MIB)
        wanted = _CHUNKED_READ_BYTES if length is None else min(_READ_BYTES, length - size)
        piece = _read(source, wanted, deadline - time.monotonic())
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise _too_large()
        on_size(size)
        if size != length:
            gevent.sleep(0)  # lets other greenlets run
    if length is not None and size < length:
        raise BadRequest("The body ended before its Content-Length.")
    return b"".join(pieces)


def has_unread_body(request: Any) -> bool:
    """Whether a part of the request's body may still be on its way. request: gunicorn 27.0's."""
    body = request.body
    return body.failed or getattr(body.reader, "length", None) != 0


def discard_body(request: Any, client: socket.socket) -> bool:
    """Reads the part of a body that the application has not read, for up to 5 s.

    Returns True if the whole body was read, so the connection can be used again.

    request: gunicorn 27.0's; its body's `failed` and `reader.length` are undocumented.
    """
    body = request.body
    if not has_unread_body(request):
        return True  # the usual case, which needs no timeout
    with gevent.Timeout(_DISCARD_S, False), suppress(Exception):
        while not body.failed and body.read(_CHUNKED_READ_BYTES):
            gevent.sleep(0)
        if not body.failed:
            return True
        end_response(client)
    return False


def let_others_run() -> None:
    """Lets all other greenlets run: between two steps of the work for a large body."""
    gevent.sleep(_PAUSE_S)


def _read(source: Source, size: int, timeout_s: float) -> bytes:
    late = RequestTimeout("The body of the request did not arrive in time (REQUEST_TIMEOUT_S).")
    try:
        with gevent.Timeout(max(timeout_s, 0.001), late):
            return source.read(size)
    except GatewayError:
        raise
    except Exception as error:  # each WSGI server has its own errors for broken bodies
        raise BadRequest("The body of the request could not be read to its end.") from error


def _too_large() -> BodyTooLarge:
    return BodyTooLarge("The body is larger than the gateway accepts (MAX_BODY_BYTES).")
