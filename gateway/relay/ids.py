"""The ids of streams.

An id names the worker that serves the stream, and that worker's life, so any worker can hand a
request about the stream on, or say that the worker has stopped. The rest of it is random: where
clients have no keys, it alone protects what was kept.
"""

import re
import secrets
from typing import NamedTuple

_PLACE_CHARS = 12
_RANDOM_BYTES = 20
_SHOWN_CHARS = 20
_STREAM_ID = re.compile(rf"[0-9a-f]{{{_PLACE_CHARS + 2 * _RANDOM_BYTES}}}\Z")


class Place(NamedTuple):
    """Where a stream is."""

    worker: int
    life: int
    """Drawn when the worker starts: a later worker of the same number, or one of another host, has
    another one."""

    def __str__(self) -> str:
        """The digits of an id that name the place."""
        return f"{self.worker:04x}{self.life:08x}"


def new_life() -> int:
    """Returns a number for a worker that starts."""
    return secrets.randbits(32)


def new_id(place: Place) -> str:
    """Returns the id of a new stream: 52 hexadecimal digits, 160 bits of it random."""
    return f"{place}{secrets.token_hex(_RANDOM_BYTES)}"


def place_of(id: str) -> Place | None:
    """Returns where the stream of an id is; None if it is no id of a stream."""
    if not _STREAM_ID.match(id):
        return None
    return Place(int(id[:4], 16), int(id[4:_PLACE_CHARS], 16))


def shown_id(id: str) -> str:
    """Returns the part of an id that the log shows: enough to find a stream, too little to read
    it."""
    return id[:_SHOWN_CHARS]
