"""The short way for a token or a few: from the bytes that come to the bytes that go. Pure.

When tokens come one at a time, each is one HTTP chunk with one frame, and only the text in it
changes; what is sent for it changes in its text alone as well:

    f3␍␊data: {"id":"a","choices":[{"delta":{"content":" so"},…}]}␊␊␍␊
         └────────────────── head ──────────────────┘   └─ tail ─┘
    data: {"id":"b","choices":[{"delta":{"content":" so"},…}],"phase":"final_output"}␊␊
    └────────────────── around ─────────────────┘   └─────────── around ──────────┘

Where the gateway is late, one read brings several such chunks, and their texts go together.

Head and tail are the splice's (:mod:`.frame_template`), what stands around is the dialect's, and
which texts may pass is the turn's: those of which it makes nothing but the event that it makes of
every one. All others, and whatever is not byte for byte of this shape, go the long way. Most texts
are spelled in one way only; only where a letter may be written in another is a text read and
spelled anew.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.core.events import Event, SentOn
from gateway.core.families import MarkerFree
from gateway.core.sse import quote
from gateway.upstreams.frame_template import Pattern, read_texts

_MAX_SIZE_BYTES = 8
"""A chunk whose size has more digits is no token."""
_NOTHING: Sequence[bytes] = ()


class Steady(NamedTuple):
    """What a turn makes of one more text, as long as nothing else comes."""

    pattern: Pattern
    """Where the text stands in the upstream's frame, which is one line."""
    marker_free: MarkerFree
    """The texts of which it holds."""
    event: SentOn | None
    """What it becomes; None: nothing that is always sent."""
    take: Callable[[str, float], list[Event]]
    """Tells the turn of a text that has come, and when; gives what it says beside that event."""


class Lane:
    """The short way through one stream."""

    __slots__ = ("_around", "_behind", "_head", "_is_ascii", "_steady", "event", "take")

    def __init__(self, steady: Steady, around: Sequence[bytes]) -> None:
        """around: what stands before, between and behind the text in what is sent."""
        self._steady = steady
        self._around = around
        self._head = steady.pattern.head
        self._behind = steady.pattern.tail + b"\n\n\r\n"
        self._is_ascii = steady.marker_free.json_ascii.fullmatch
        self.event = steady.event
        self.take = steady.take

    def carry(self, data: bytes) -> tuple[str, bytes] | None:
        """The text in what one read brought and what is sent for it; None: it may not pass."""
        begin = data.find(b"\r\n", 0, _MAX_SIZE_BYTES) + 2
        if data[: begin - 2] == b"%x" % (len(data) - begin - 2):  # one chunk, as nearly always
            if not data.startswith(self._head, begin) or not data.endswith(self._behind):
                return None
            spelled = data[begin + len(self._head) : -len(self._behind)]
            texts: Sequence[bytes] = (spelled,)
        else:
            texts = self._texts(data)
            spelled = b"".join(texts)
        if self._is_ascii(spelled):
            text = spelled.decode("ascii")
        else:
            read = read_texts(texts)
            if not read or not self._steady.marker_free.includes(read):
                return None
            text, spelled = read, quote(read).encode("ascii")[1:-1]
        self._steady.pattern.fits = True
        return text, spelled.join(self._around)

    def _texts(self, data: bytes) -> Sequence[bytes]:
        """The insides of the strings in chunks of one frame each; none: it is something else."""
        head, behind = self._head, self._behind
        texts = []
        at = 0
        while at < len(data):
            begin = data.find(b"\r\n", at, at + _MAX_SIZE_BYTES) + 2
            text = begin + len(head)
            end = data.find(behind, text)
            stop = end + len(behind)
            size = b"%x" % (stop - begin - 2)
            if end < 0 or data[at : begin - 2] != size or not data.startswith(head, begin):
                return _NOTHING
            texts.append(data[text:end])
            at = stop
        return texts

    def is_for(self, steady: Steady, around: Sequence[bytes]) -> bool:
        """Whether it was made for this."""
        return self._around is around and self._steady == steady


def find_lane(
    last: Lane | None, steady: Steady, around: Callable[[SentOn], Sequence[bytes]]
) -> Lane | None:
    """The short way of a turn in this state, if it has one: the last one, if it still holds.

    around: see Dialect.around.
    """
    texts = around(steady.event) if steady.event is not None else _NOTHING
    if not texts and steady.event is not None:
        return None
    return last if last is not None and last.is_for(steady, texts) else Lane(steady, texts)
