"""Takes a request's body from its client, who may be slow, endless, or gone.

The server has no time limit of its own for it, and would let nobody else run while a client sends
without a pause.
"""

import time
from typing import Protocol

import gevent

from gateway.errors import BadRequest, BodyTooLarge, GatewayError, RequestTimeout

_MIB = 1024 * 1024
PIECE_BYTES = 2048
"""What is read in one go where the length is not known: it may come in chunks of a byte each, and
the server needs some 5 ms for so many of those."""


class Source(Protocol):
    """What the server calls `wsgi.input`: it ends with the body."""

    def read(self, size: int, /) -> bytes: ...


def read_body(source: Source, length: int | None, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body. Raises BodyTooLarge, RequestTimeout, or BadRequest when it breaks off.

    length: as the client states it, if it does; max_bytes: checked before and while it is read;
    timeout_s: for each MiB.
    """
    if length is not None and length > max_bytes:
        raise _too_large()
    pieces: list[bytes] = []
    size = 0
    began = time.monotonic()
    while length is None or size < length:
        deadline = began + timeout_s * (1 + size // _MIB)
        step = PIECE_BYTES if length is None else min(_MIB, length - size)
        piece = _read(source, step, deadline - time.monotonic())
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise _too_large()
        if size != length:
            gevent.sleep(0)  # a socket that always has something never lets others run
    if length is not None and size < length:
        raise BadRequest("The body ended before its Content-Length.")
    return b"".join(pieces)


def _read(source: Source, size: int, timeout_s: float) -> bytes:
    late = RequestTimeout("The body of the request did not come in time (REQUEST_TIMEOUT_S).")
    try:
        with gevent.Timeout(max(timeout_s, 0.001), late):
            return source.read(size)
    except GatewayError:
        raise
    except Exception as error:  # each server has its own for a body that breaks off or is garbled
        raise BadRequest("The body of the request could not be read to its end.") from error


def _too_large() -> BodyTooLarge:
    return BodyTooLarge("The body is larger than the gateway takes (MAX_BODY_BYTES).")
