"""The short way for a token by itself: from the bytes that come to the bytes that go. Pure.

When tokens come one at a time, each is one HTTP chunk with one frame, and only the text in it
changes; what is sent for it changes in its text alone as well:

    f3␍␊data: {"id":"a","choices":[{"delta":{"content":" so"},…}]}␊␊␍␊
         └────────────────── head ──────────────────┘   └─ tail ─┘
    data: {"id":"b","choices":[{"delta":{"content":" so"},…}],"phase":"final_output"}␊␊
    └────────────────── around ─────────────────┘   └─────────── around ──────────┘

Head and tail are the splice's (gateway.upstreams.splice), what stands around is the dialect's, and
which texts may pass is the turn's: those of which it makes nothing but the event that it makes of
every one. All others, and whatever is not byte for byte of this shape, go the long way.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.events import Event, SentOn

_MAX_SIZE_BYTES = 8
"""A chunk whose size has more digits is no token."""
_NOTHING: Sequence[bytes] = ()


class Steady(NamedTuple):
    """What a turn makes of one more text, as long as nothing else comes."""

    head: bytes
    tail: bytes
    """What stands before and behind the text in the upstream's frame, which is one line."""
    plain: re.Pattern[bytes]
    """The texts of which this holds: printable ASCII that JSON does not escape."""
    event: SentOn | None
    """What it becomes; None: nothing that is always sent."""
    take: Callable[[bytes, float], list[Event]]
    """Tells the turn of a text that has come, and when; gives what it says beside that event."""


class Lane:
    """The short way through one stream."""

    __slots__ = ("_around", "_behind", "_head", "_is_plain", "_steady", "event", "take")

    def __init__(self, steady: Steady, around: Sequence[bytes]) -> None:
        """around: what stands before, between and behind the text in what is sent."""
        self._steady = steady
        self._around = around
        self._head = steady.head
        self._behind = steady.tail + b"\n\n\r\n"
        self._is_plain = steady.plain.fullmatch
        self.event = steady.event
        self.take = steady.take

    def text(self, data: bytes) -> bytes | None:
        """The text in what one read brought, if it is one chunk with one plain frame."""
        end = data.find(b"\r\n", 0, _MAX_SIZE_BYTES)
        if data[:end] != b"%x" % (len(data) - end - 4):
            return None
        head, behind = self._head, self._behind
        if not data.startswith(head, end + 2) or not data.endswith(behind):
            return None
        text = data[end + 2 + len(head) : -len(behind)]
        return text if self._is_plain(text) else None

    def frames(self, text: bytes) -> bytes:
        """What is sent for it."""
        return text.join(self._around)

    def is_for(self, steady: Steady, around: Sequence[bytes]) -> bool:
        """Whether it was made for this."""
        return self._around is around and self._steady == steady


def find_lane(
    last: Lane | None, steady: Steady | None, around: Callable[[SentOn], Sequence[bytes]]
) -> Lane | None:
    """The short way of a turn in this state, if it has one: the last one, if it still holds.

    around: see Dialect.around.
    """
    if steady is None:
        return None
    texts = around(steady.event) if steady.event is not None else _NOTHING
    if not texts and steady.event is not None:
        return None
    return last if last is not None and last.is_for(steady, texts) else Lane(steady, texts)
