"""How a stream lies in Redis: one key of the type stream, so data and state have one lifetime.

    0-1    i = what the stream is (StreamInfo)
    1-3    e = its events 1 to 3
    1-4    e = its event 4
    2-1    e = the failure of a stream whose worker has died; another worker has written it

The second number of an entry is that of its last event. Redis accepts only rising ids. So

- an entry that is sent again is refused, or a reader finds that it has had those events;
- once `2-1` is there, nothing can follow: a worker that counts as dead, and lives, is refused;
- a gap shows: the first event of an entry has to follow the last one that was read.
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
_PREFIX = "rg:"
_KEEPS_THOUGHTS = frozenset({Thoughts, ChoiceEvent})


def stream_key(id: str) -> str:
    """The key of a stream."""
    return f"{_PREFIX}s:{id}"


def lease_key(place: str) -> str:
    """The key that is there while a worker lives."""
    return f"{_PREFIX}w:{place}"


def inbox_key(place: str) -> str:
    """The key of the calls to a worker."""
    return f"{_PREFIX}c:{place}"


def id_of(key: bytes) -> str:
    """The id of the stream of a key."""
    return key.decode().rpartition(":")[2]


class Item(NamedTuple):
    """One entry for a stream, as the script in :mod:`.connection` takes it."""

    key: str
    id: str
    """"" for no entry, only the lifetime."""
    field: str
    data: str
    lifetime_ms: int
    """0: the key keeps the lifetime that it has."""


class Entry(NamedTuple):
    """One entry that was read."""

    epoch: int
    last: int
    """The number of its last event."""
    field: bytes
    data: bytes

    @property
    def is_lost(self) -> bool:
        """It is the failure of a stream whose worker has died."""
        return self.epoch == 2


def entries_in(raw: Sequence[Any]) -> list[Entry]:
    """The entries of a stream, as Redis answers with them."""
    found = []
    for id, fields in raw:
        epoch, last = id.split(b"-")
        found.append(Entry(int(epoch), int(last), fields[0], fields[1]))
    return found


def unread(events: list[Event], last: int, had: int) -> list[Event] | None:
    """The events of an entry that a reader has not had; None: the store has lost some before them.

    last: the number of the entry's last event. had: that of the last event that was read.
    """
    missing = last - had
    if missing > len(events):
        return None
    return events[-missing:] if missing > 0 else []


class Codec:
    """Events as they are stored: with what the model thought sealed."""

    def __init__(
        self,
        seal: Callable[[str, ThoughtRecord], str],
        open_seal: Callable[[str, str], ThoughtRecord | None],
    ) -> None:
        """See Sealer: both take the name of the stream first."""
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
        """What :meth:`encode` got. Thoughts that this gateway has no key for are empty."""
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
    """What a stream is, as JSON. Lone surrogates, which clients send, are kept."""
    return dumps(msgspec.to_builtins(info))


def decode_info(data: bytes) -> StreamInfo:
    """What :func:`encode_info` got."""
    return msgspec.convert(json.loads(data), StreamInfo)


def lost_item(id: str, codec: Codec, keep_s: float) -> Item:
    """The entry that ends a stream whose worker has died."""
    data = codec.encode(id, [LOST])
    return Item(stream_key(id), LOST_ID, EVENTS, data, lifetime_ms(keep_s))


def lifetime_ms(seconds: float) -> int:
    """The lifetime of a key; 0 would be none."""
    return max(1, round(seconds * 1000))


LOST = Failed(StreamLost().info, Timings())
"""The event that ends a stream whose worker has died."""
