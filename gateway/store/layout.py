"""How a stream is stored in Redis: one key of the type stream, so data and state have one lifetime.

    0-1    i = what the stream is (StreamInfo)
    1-3    e = its events 1 to 3
    1-4    e = its event 4
    2-1    e = the failure of a stream whose worker has died; another worker has written it

The second number in an entry's id is that of its last event. Redis accepts only rising ids. So

- an entry that is sent twice is refused, or its readers notice that they have its events already;
- nothing can follow `2-1`: a worker that counts as dead but lives is refused;
- a reader notices a gap: the first event of an entry must follow the last event that was read.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from gateway.apis.kept import StreamInfo
from gateway.core.events import (
    ChoiceEvent,
    Event,
    Failed,
    Thoughts,
    Timings,
    decode_events,
    encode_events,
)
from gateway.core.sse import dumps
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import StreamLost

INFO_ID = "0-1"
LOST_ID = "2-1"
INFO, EVENTS = "i", "e"
LOST = Failed(StreamLost().info, Timings())
"""The event that ends a stream whose worker has died."""
_PREFIX = "rg:"
_KEEPS_THOUGHTS = frozenset({Thoughts, ChoiceEvent})


def stream_key(id: str) -> str:
    """The key of a stream."""
    return f"{_PREFIX}s:{id}"


def lease_key(place: str) -> str:
    """The key that exists while a worker lives."""
    return f"{_PREFIX}w:{place}"


def inbox_key(place: str) -> str:
    """The key of a worker's inbox."""
    return f"{_PREFIX}c:{place}"


def id_of(key: bytes) -> str:
    """The id of a stream, from its key."""
    return key.decode().rpartition(":")[2]


class Item(NamedTuple):
    """One entry for a stream, as the script in :mod:`.connection` takes it."""

    key: str
    id: str
    """The entry's; "": no entry, the item only sets the lifetime."""
    field: str
    data: str
    lifetime_ms: int
    """0: the key keeps the lifetime that it has."""


class Entry(NamedTuple):
    """One entry that was read."""

    epoch: int
    """The first number in the entry's id."""
    last: int
    """The number of its last event."""
    field: bytes
    data: bytes

    @property
    def is_lost(self) -> bool:
        """It is the failure of a stream whose worker has died."""
        return self.epoch == 2


def entries_in(raw: Sequence[Any]) -> list[Entry]:
    """The entries in an answer of Redis."""
    found = []
    for id, fields in raw:
        epoch, last = id.split(b"-")
        found.append(Entry(int(epoch), int(last), fields[0], fields[1]))
    return found


def unread(events: list[Event], last: int, had: int) -> list[Event] | None:
    """The events of an entry that a reader does not have; None: events before them are missing.

    last: the number of the entry's last event. had: the number of the last event that was read.
    """
    missing = last - had
    if missing > len(events):
        return None
    return events[-missing:] if missing > 0 else []


class Codec:
    """Encodes events for the store, and seals the model's thoughts in them."""

    def __init__(
        self,
        seal: Callable[[str, ThoughtRecord], str],
        open_seal: Callable[[str, str], ThoughtRecord | None],
    ) -> None:
        """Both functions take the id of the stream first; see Sealer."""
        self._seal = seal
        self._open_seal = open_seal

    def encode(self, id: str, events: Sequence[Event]) -> str:
        """Events of a stream as JSON."""
        for event in events:
            if type(event) in _KEEPS_THOUGHTS:
                events = [self._sealed(id, event) for event in events]
                break
        return encode_events(events).decode("ascii")

    def decode(self, id: str, data: bytes) -> list[Event]:
        """The events that :meth:`encode` encoded. Thoughts are empty if no key opens them."""
        events = decode_events(data)
        if any(type(event) in _KEEPS_THOUGHTS for event in events):
            events = [self._opened(id, event) for event in events]
        return events

    def _sealed(self, id: str, event: Event) -> Event:
        match event:
            case Thoughts(record):
                return replace(event, record=ThoughtRecord(text=self._seal(id, record)))
            case ChoiceEvent(_, inner):
                return replace(event, event=self._sealed(id, inner))
        return event

    def _opened(self, id: str, event: Event) -> Event:
        match event:
            case Thoughts(record):
                opened = self._open_seal(id, record.text)
                return replace(event, record=opened or ThoughtRecord())
            case ChoiceEvent(_, inner):
                return replace(event, event=self._opened(id, inner))
        return event


def encode_info(info: StreamInfo) -> str:
    """A StreamInfo as JSON. It keeps lone surrogates, which clients may send."""
    return dumps(msgspec.to_builtins(info))


def decode_info(data: bytes) -> StreamInfo:
    """The StreamInfo that :func:`encode_info` encoded."""
    return msgspec.convert(json.loads(data), StreamInfo)


def lost_item(id: str, codec: Codec, keep_s: float) -> Item:
    """The entry that ends a stream whose worker has died."""
    data = codec.encode(id, [LOST])
    return Item(stream_key(id), LOST_ID, EVENTS, data, lifetime_ms(keep_s))


def lifetime_ms(seconds: float) -> int:
    """The lifetime of a key in ms, at least 1: in an Item, 0 stands for no change."""
    return max(1, round(seconds * 1000))
