"""The ids of streams.

An id names the worker that serves the stream, and the life of that worker. So any worker can pass a
request about the stream on, or knows that the stream's worker has stopped. The rest of the id is
random: if clients have no keys, only this protects a kept stream.
"""

import re
import secrets
from typing import NamedTuple

_PLACE_CHARS = 12
_RANDOM_BYTES = 20
_SHOWN_CHARS = 20
"""Characters of an id in the log."""
_STREAM_ID = re.compile(rf"[0-9a-f]{{{_PLACE_CHARS + 2 * _RANDOM_BYTES}}}\Z")


class Place(NamedTuple):
    """The worker that serves a stream."""

    worker: int
    """The number of the worker on its host."""
    life: int
    """A random number from the start of the worker. A later worker with the same number, or one on
    another host, has a different one."""

    def __str__(self) -> str:
        """Returns the digits of an id that name the place."""
        return f"{self.worker:04x}{self.life:08x}"


def new_life() -> int:
    """Returns the life of a worker that starts."""
    return secrets.randbits(32)


def new_id(place: Place) -> str:
    """Returns the id of a new stream: 52 hexadecimal digits, 160 bits of it random."""
    return f"{place}{secrets.token_hex(_RANDOM_BYTES)}"


def place_of(id: str) -> Place | None:
    """Returns the place in an id; None if it is not the id of a stream."""
    if not _STREAM_ID.match(id):
        return None
    return Place(int(id[:4], 16), int(id[4:_PLACE_CHARS], 16))


def shown_id(id: str) -> str:
    """Returns the part of an id for the log: enough to identify a stream, too little to read it."""
    return id[:_SHOWN_CHARS]
