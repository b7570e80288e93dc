"""The store of streams in Redis or Valkey, as the relay uses it. See StreamStore."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gateway.core.events import Event, end_of
from gateway.errors import StoreAway
from gateway.store.base import UNSTORED, OwnerGone, StoredStream, StoreStatus
from gateway.store.calls import Calls
from gateway.store.connection import Connections
from gateway.store.layout import (
    INFO,
    LOST,
    Codec,
    decode_info,
    entries_in,
    lease_key,
    lost_item,
    stream_key,
    unread,
)
from gateway.store.reader import Reader
from gateway.store.source import StoredSource
from gateway.store.writer import Writer

_COUNT = 200
"""Limit for the entries that one command reads."""
_SETTLE_S = 2.0
"""Limit for the wait until a worker has written its events."""


class RedisStore:
    """One worker's access to the streams of all hosts."""

    def __init__(
        self,
        connections: Connections,
        codec: Codec,
        place: str,
        keep_s: float,
        clock: Callable[[], float],
        log: Any,
        on_lost: Callable[[str], None],
        on_read: Callable[[list[str]], None],
    ) -> None:
        """place: see StreamStore. keep_s: how long a stream is kept after its end.

        on_lost: called with the id of a running stream of this worker that another worker has
        declared lost. on_read: called with ids of streams of this worker that others are reading.
        """
        self.place = place
        self._codec = codec
        self._keep_s = keep_s
        self._shared = connections.shared()
        self._calls = Calls(self._shared, place, log)
        self._writer = Writer(connections.alone(), codec, place, keep_s, clock, log, on_lost)
        self._reader = Reader(
            connections.alone(),
            codec,
            place,
            keep_s,
            clock,
            log,
            wake=self._calls.wake,
            on_message=self._calls.take,
            on_read=lambda place, ids: self._calls.notify(place, "read", ids=ids),
        )
        self._has_started = False
        self.add = self._writer.add
        self.forget = self._writer.forget
        self.add_handler = self._calls.add

        def note_read(ids: list[str]) -> tuple[()]:
            on_read(ids)
            return ()

        def settle(id: str) -> tuple[bool]:
            self._writer.settle(_SETTLE_S)
            return (self._writer.stores(id),)

        self._calls.add("read", note_read)
        self._calls.add("settle", settle)

    def start(self) -> None:
        """See StreamStore."""
        if not self._has_started:
            self._has_started = True
            self._writer.start()
            self._reader.start()

    def stop(self) -> None:
        """See StreamStore."""
        self._writer.settle(_SETTLE_S)
        with suppress(StoreAway):
            self._shared.run("DEL", lease_key(self.place))

    def status(self) -> StoreStatus:
        """See StreamStore."""
        return self._writer.status

    def find(self, id: str, place: str, *, exact: bool = False) -> StoredStream | None:
        """See StreamStore."""
        self._check_up()
        found = self._look_up(id)
        if found is not None and (found.has_ended or not exact):
            return found
        # The worker may have events to store, even of an answer whose end its client has read.
        is_gone = False
        try:
            will_come = any(self._calls.call(place, "settle", id=id))
        except OwnerGone:
            is_gone = self._reader.trusts_leases()
            will_come = not is_gone
            if found is not None and is_gone:
                self._shared.append([lost_item(id, self._codec, self._keep_s)])
        found = self._look_up(id)
        if found is None and is_gone:
            raise OwnerGone
        if found is None and will_come:
            # Redis has lost its data, and the worker has not stored its streams again yet.
            raise StoreAway("a worker has not stored its streams again yet")
        return found

    def events(self, id: str) -> list[Event]:
        """See StreamStore."""
        events: list[Event] = []
        after = "1-0"
        while True:
            raw = self._shared.run("XRANGE", stream_key(id), f"({after}", "+", "COUNT", _COUNT)
            for entry in entries_in(raw):
                if entry.is_lost:
                    return [*events, LOST]
                new = unread(self._codec.decode(id, entry.data), entry.last, len(events))
                if new is None:
                    return [*events, LOST]
                events += new
            if len(raw) < _COUNT:
                return events
            after = raw[-1][0].decode()

    def open(self, id: str, place: str) -> StoredSource:
        """See StreamStore."""
        return self._reader.open(id, place)

    def delete(self, id: str) -> None:
        """See StreamStore."""
        self._shared.run("UNLINK", stream_key(id))

    def call(self, place: str, name: str, **arguments: Any) -> list[Any]:
        """See StreamStore."""
        self._check_up()
        return self._calls.call(place, name, **arguments)

    def _check_up(self) -> None:
        """Raises StoreAway if Redis is known to be away, so that requests don't wait for it."""
        up, error = self._writer.status
        if not up:
            raise StoreAway(error)

    def _look_up(self, id: str) -> StoredStream | None:
        key = stream_key(id)
        first, last = map(
            entries_in,
            self._shared.run_all(
                [("XRANGE", key, "-", "+", "COUNT", 1), ("XREVRANGE", key, "+", "-", "COUNT", 2)]
            ),
        )
        if not first or first[0].field != INFO.encode():
            return None
        info = decode_info(first[0].data)
        stored = next((entry.last for entry in last if entry.epoch == 1), 0)
        if last[0].is_lost:
            return StoredStream(info, stored + 1 + UNSTORED, True)
        if stored and end_of(self._codec.decode(id, last[0].data)) is not None:
            return StoredStream(info, stored, True)
        return StoredStream(info, stored + UNSTORED, False)
