"""Reads from Redis for a whole worker, with one connection and one command at a time.

The command waits for new entries of all streams that are read here, and of the worker's own inbox,
which brings calls and wakes it up when a stream is added.
"""

from collections.abc import Callable, Iterable
from typing import Any

import gevent

from gateway.errors import StoreAway
from gateway.store.connection import BLOCK_MS, Connection
from gateway.store.layout import (
    EVENTS,
    Codec,
    entries_in,
    id_of,
    inbox_key,
    lease_key,
    lost_item,
    stream_key,
)
from gateway.store.source import StoredSource
from gateway.store.writer import LEASE_S

_COUNT = 64
"""Limit for the entries of each stream that one read returns."""
_GATHER_S = 0.01
"""Pause after a read, so that the next one returns more entries."""
_CHECK_S = 1.0
"""Time between two checks of the workers whose streams are read."""
_RETRY_S = 0.5
_MAX_MISSED = 10
"""Checks after which a missing stream counts as deleted. If Redis has lost it, its worker stores it
again before that."""


class Reader:
    """Reads for one worker."""

    def __init__(
        self,
        connection: Connection,
        codec: Codec,
        place: str,
        keep_s: float,
        clock: Callable[[], float],
        log: Any,
        wake: Callable[[], None],
        on_message: Callable[[bytes], None],
        on_read: Callable[[str, list[str]], None],
    ) -> None:
        """keep_s: how long a stream is kept after its end. wake: puts a message into the inbox.

        on_message: called with each message in the inbox. on_read: called every second with a place
        and the ids of its streams that are read here. Neither may wait.
        """
        self._connection = connection
        self._codec = codec
        self._inbox = inbox_key(place)
        self._inbox_at = b"0-0"
        self._keep_s = keep_s
        self._clock = clock
        self._log = log
        self._wake = wake
        self._on_message = on_message
        self._on_read = on_read
        self._sources: dict[str, set[StoredSource]] = {}
        """By the id of the stream."""
        self._waits = False
        """A read waits for new entries."""
        self._check_at = 0.0
        self._reached_at: float | None = None
        """When Redis began to answer, in monotonic seconds; None while it does not answer."""

    def start(self) -> None:
        """Starts the greenlet that reads."""
        gevent.spawn(self._run)

    def open(self, id: str, place: str) -> StoredSource:
        """Begins to read a stream."""
        source = StoredSource(id, place, self._look_again)
        source.on_close = self._close
        self._sources.setdefault(id, set()).add(source)
        self._check_at = 0.0  # the stream's worker soon learns that it has a reader
        self._look_again(source)
        return source

    def trusts_leases(self) -> bool:
        """Whether Redis has answered for long enough for every worker to renew its lease."""
        since = self._reached_at
        return since is not None and self._clock() - since > LEASE_S

    def _close(self, source: StoredSource) -> None:
        sources = self._sources.get(source.id, set())
        sources.discard(source)
        if not sources:
            self._sources.pop(source.id, None)

    def _look_again(self, _source: StoredSource) -> None:
        if self._waits:
            self._waits = False  # one message is enough
            self._wake()

    def _run(self) -> None:
        while True:
            try:
                self._read()
                if self._reached_at is None:
                    self._reached_at = self._clock()
                if self._clock() >= self._check_at:
                    self._check_at = self._clock() + _CHECK_S
                    self._check_workers()
            except StoreAway:
                self._reached_at = None
                gevent.sleep(_RETRY_S)
            except Exception:
                self._log.exception("stream store can't be read")
                gevent.sleep(_RETRY_S)

    def _read(self) -> None:
        """Reads once, and passes messages and events on."""
        places = {self._inbox: self._inbox_at}
        asking: dict[str, list[StoredSource]] = {}
        """By the id of the stream. A source that is opened during the read gets nothing of the
        answer, which may begin after the events that the source needs."""
        for id, group in self._sources.items():
            if sources := [source for source in group if source.has_room]:
                asking[id] = sources
                places[stream_key(id)] = b"1-%d" % min(source.had for source in sources)
        self._waits = True
        try:
            answer = self._connection.run(
                *("XREAD", "COUNT", _COUNT, "BLOCK", BLOCK_MS, "STREAMS"), *places, *places.values()
            )
        finally:
            self._waits = False
        for key, entries in answer or ():
            if key == self._inbox.encode():
                self._take_messages(entries)
            else:
                id = id_of(key)
                self._take_events(id, entries, asking[id])
        if answer:
            gevent.sleep(_GATHER_S)

    def _take_messages(self, entries: Iterable[Any]) -> None:
        for at, (_, message) in entries:
            self._inbox_at = at
            if message:
                self._on_message(message)

    def _take_events(self, id: str, entries: list[Any], asking: list[StoredSource]) -> None:
        for entry in entries_in(entries):
            if entry.field != EVENTS.encode():
                continue
            sources = [source for source in asking if not source.has_ended]
            if not sources:
                return
            events = self._codec.decode(id, entry.data)
            for source in sources:
                if entry.is_lost:
                    source.lose()
                else:
                    source.take(entry.last, events)

    def _check_workers(self) -> None:
        """Ends the streams whose workers have died; tells the other workers what is read."""
        read = [source for group in self._sources.values() for source in group]
        unended = [source for source in read if not source.has_ended]
        by_place: dict[str, list[str]] = {}
        for source in unended:
            by_place.setdefault(source.place, []).append(source.id)
        if not by_place:
            return
        places, ids = list(by_place), sorted({source.id for source in unended})
        commands = [("EXISTS", lease_key(place)) for place in places]
        commands += [("EXISTS", stream_key(id)) for id in ids]
        found = self._connection.run_all(commands)
        gone = {place for place, lives in zip(places, found, strict=False) if not lives}
        missing = {id for id, exists in zip(ids, found[len(places) :], strict=True) if not exists}
        for place in places:
            if place not in gone:
                self._on_read(place, by_place[place])
            elif self.trusts_leases():
                self._end_streams([id for id in by_place[place] if id not in missing])
        for source in unended:
            source.missed = source.missed + 1 if source.id in missing else 0
            if self.trusts_leases() and (
                source.missed > _MAX_MISSED or (source.missed and source.place in gone)
            ):
                source.lose()

    def _end_streams(self, ids: list[str]) -> None:
        """Writes that streams are lost. Their readers get this event like all others."""
        self._connection.append([lost_item(id, self._codec, self._keep_s) for id in ids])
