"""Reads request bodies from clients that may be slow, endless or gone.

gunicorn 27.0 has no time limit for a body, and gevent's recv returns without a switch while the
socket has data: a client that never pauses would keep all other greenlets from running.
"""

import socket
import time
from contextlib import suppress
from typing import Any, Protocol

import gevent

from gateway.errors import BadRequest, BodyTooLarge, GatewayError, RequestTimeout

_MIB = 1024 * 1024
_READ_BYTES = 2048
"""Read at once if the length is unknown. gunicorn needs about 5 ms for 2048 chunks of one byte."""
_DISCARD_S = 5.0


class Source(Protocol):
    """`wsgi.input`: its `read` returns b"" at the end of the body."""

    def read(self, size: int, /) -> bytes: ...


def read_body(source: Source, length: int | None, max_bytes: int, timeout_s: float) -> bytes:
    """Returns the whole body.

    length: the Content-Length, if there is one. timeout_s: for each MiB.

    Raises BodyTooLarge as soon as the body is known to exceed `max_bytes`, RequestTimeout, or
    BadRequest if the body breaks off or is malformed.
    """
    if length is not None and length > max_bytes:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    began = time.monotonic()
    while length is None or size < length:
        deadline = began + timeout_s * (1 + size // _MIB)
        wanted = _READ_BYTES if length is None else min(_MIB, length - size)
        piece = _read(source, wanted, deadline - time.monotonic())
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise _too_large()
        if size != length:
            gevent.sleep(0)  # lets other greenlets run
    if length is not None and size < length:
        raise BadRequest("The body ended before its Content-Length.")
    return b"".join(pieces)


def discard_body(request: Any, client: socket.socket) -> bool:
    """Reads what the application has not read of a body, for up to 5 s.

    Returns True if that was all of it, so the connection can be used again. Closing a socket that
    has unread data resets the connection, and the client may lose the response.

    request: gunicorn 27.0's; its body's `failed` and `reader.length` are undocumented.
    """
    body = request.body
    if not body.failed and getattr(body.reader, "length", None) == 0:
        return True  # the usual case, without a timeout's cost
    with gevent.Timeout(_DISCARD_S, False), suppress(Exception):
        while not body.failed and body.read(_READ_BYTES):
            gevent.sleep(0)
        if not body.failed:
            return True
        client.shutdown(socket.SHUT_WR)
        while client.recv(_READ_BYTES):
            gevent.sleep(0)
    return False


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
