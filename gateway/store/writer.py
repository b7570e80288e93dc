"""Copies the logs of one worker to Redis: those of all streams together, every few milliseconds.

The logs in memory are complete. If Redis was away or has lost data, the writer looks up how much of
each log is there and sends the rest.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import gevent
import gevent.event

from gateway.apis.kept import StreamInfo
from gateway.core.events import Event
from gateway.errors import StoreAway
from gateway.store.base import RunLog, StoreStatus
from gateway.store.connection import Connection, Refused
from gateway.store.layout import (
    EVENTS,
    INFO,
    INFO_ID,
    Codec,
    Item,
    encode_info,
    entries_in,
    lease_key,
    lifetime_ms,
    stream_key,
)
from gateway.store.stream_copy import StreamCopy

LEASE_S = 8.0
"""A worker that has not renewed its lease for this long counts as dead."""
_RENEW_S = 2.0
_GATHER_S = 0.03
"""Events wait for this long, so that the events of all streams are sent together."""
_RETRY_S = 0.5
_REFRESH_S = 20.0
"""Time after which the lifetime of a running stream's key is set again."""
_SPARE_S = 60.0
"""A running stream's key lives longer by this than that of an ended stream."""
_MAX_ENTRY_EVENTS = 256
_MAX_BATCH_BYTES = 1024 * 1024
_LOOKUPS = 200
"""Limit for the keys of one lookup, refresh or deletion."""
_MAX_REMADE = 3
"""How often a stream is stored again after Redis has dropped it."""


class Writer:
    """Writes for one worker, and renews its lease."""

    def __init__(
        self,
        connection: Connection,
        codec: Codec,
        place: str,
        keep_s: float,
        clock: Callable[[], float],
        log: Any,
        on_lost: Callable[[str], None],
    ) -> None:
        """place: of this worker. keep_s: how long a stream is kept after its end.

        on_lost: called with the id of a running stream that another worker has declared lost.
        """
        self._connection = connection
        self._codec = codec
        self._lease = lease_key(place)
        self._ended_ms = lifetime_ms(keep_s)
        self._running_ms = lifetime_ms(keep_s + _SPARE_S)
        self._clock = clock
        self._log = log
        self._on_lost = on_lost
        self._copies: dict[str, StreamCopy] = {}
        self._dirty: list[StreamCopy] = []
        self._forgotten: list[str] = []
        self._due = gevent.event.Event()
        self._round_ended = gevent.event.Event()
        self._begun = self._ended = 0
        """Numbers of the rounds of writing that began and ended last."""
        self._renew_at = 0.0
        self._refresh_at = 0.0
        self.status = StoreStatus(False, "it has not been reached yet")

    def start(self) -> None:
        """Connects, and starts the greenlet that writes."""
        self._round()
        gevent.spawn(self._run)

    def add(self, info: StreamInfo, log: RunLog) -> None:
        """Starts to store a stream."""
        copy = self._copies[info.id] = StreamCopy(info, log, self._dirty, self._due)
        log.on_record = copy.wake
        copy.wake()

    def drop(self, id: str) -> None:
        """Stops storing a stream. The part that is in Redis stays there."""
        if (copy := self._copies.pop(id, None)) is not None:
            copy.log.on_record = None
            copy.is_dropped = True

    def forget(self, id: str) -> None:
        """Deletes a stream."""
        if id in self._copies:
            self.drop(id)
            self._forgotten.append(stream_key(id))
            self._due.set()

    def stores(self, id: str) -> bool:
        """Whether the stream is in Redis, or will be as soon as Redis answers."""
        copy = self._copies.get(id)
        return copy is not None and (not copy.waits_for_end or copy.log.end is not None)

    def settle(self, timeout_s: float) -> None:
        """Returns when all present events are written, after `timeout_s`, or if Redis is away."""
        if self._begun == self._ended and not self._dirty and not self._forgotten:
            return
        next_round = self._begun + 1  # the present round may have passed a stream already
        self._due.set()
        with gevent.Timeout(timeout_s, False):
            while self.status.up and self._ended < next_round:
                self._round_ended.clear()
                self._round_ended.wait()

    def _run(self) -> None:
        while True:
            self._due.wait(max(0.0, self._renew_at - self._clock()))
            gevent.sleep(_GATHER_S if self.status.up else _RETRY_S)
            self._due.clear()
            self._round()

    def _round(self) -> None:
        """Writes all events that exist when it begins. Never raises."""
        self._begun += 1
        try:
            self._renew()
            if not self.status.up:
                self._look_up(list(self._copies.values()))
                self._change(StoreStatus(True))
            self._refresh()
            self._delete()
            # Not until nothing is left: while a batch is written, new tokens arrive.
            left = len(self._dirty)
            while left > 0:
                left -= self._write()
        except StoreAway as error:
            self._change(StoreStatus(False, error.why))
        except Exception:
            self._log.exception("stream store failed")
            self._change(StoreStatus(False, "its writer failed; the log says why"))
        if not self.status.up:
            for copy in self._copies.values():
                copy.sent = None
        if self._dirty:
            self._due.set()
        self._ended = self._begun
        self._round_ended.set()

    def _change(self, status: StoreStatus) -> None:
        if status.up and not self.status.up:
            self._log.info("stream store reached", streams=len(self._copies))
        elif self.status != status and not status.up:
            self._log.warning("stream store away", error=status.error)
        self.status = status

    def _renew(self) -> None:
        now = self._clock()
        if now >= self._renew_at or not self.status.up:
            self._connection.run("SET", self._lease, "1", "PX", round(LEASE_S * 1000))
            self._renew_at = now + _RENEW_S

    def _refresh(self) -> None:
        """Keeps the keys of running streams from expiring."""
        now = self._clock()
        if now < self._refresh_at:
            return
        self._refresh_at = now + _REFRESH_S
        running = (copy for copy in self._copies.values() if copy.has_key and not copy.has_ended)
        for copies in _parts(running):
            items = [Item(copy.key, "", EVENTS, "", self._running_ms) for copy in copies]
            self._handle(self._connection.append(items), copies)

    def _delete(self) -> None:
        while self._forgotten:
            keys = self._forgotten[:_LOOKUPS]
            self._connection.run("UNLINK", *keys)
            del self._forgotten[: len(keys)]

    def _write(self) -> int:
        """Writes one batch. Returns the number of copies that it took from `_dirty`."""
        items: list[Item] = []
        copies: list[StreamCopy] = []
        sent: list[int] = []
        """For each item: how many events of its stream are in Redis after it."""
        size = taken = 0
        for copy in self._dirty:
            if size > _MAX_BATCH_BYTES:
                break
            taken += 1
            copy.is_dirty = False  # an event that comes from here on makes it dirty again
            log, number = copy.log, copy.sent
            if number is None or copy.is_dropped:
                continue  # it will be looked up, or is forgotten
            if not copy.has_key:
                data = encode_info(copy.info)
                items.append(Item(copy.key, INFO_ID, INFO, data, self._running_ms))
                copies.append(copy)
                sent.append(0)
            length = len(log.events)
            while number < length and size <= _MAX_BATCH_BYTES:
                events: list[Event] = log.events[number : number + _MAX_ENTRY_EVENTS]
                number += len(events)
                lifetime_ms = self._ended_ms if number == length and log.end is not None else 0
                data = self._codec.encode(copy.id, events)
                size += len(data)
                items.append(Item(copy.key, f"1-{number}", EVENTS, data, lifetime_ms))
                copies.append(copy)
                sent.append(number)
        del self._dirty[:taken]
        if not items:
            return taken
        if sent[-1] < len(copies[-1].log.events):
            copies[-1].wake()  # the batch is full: the rest of this log goes into the next one
        refused = self._connection.append(items)
        for copy, number in zip(copies, sent, strict=True):
            copy.has_key = True
            copy.sent = number
        self._handle(refused, copies)
        return taken

    def _handle(self, refused: list[Refused], copies: list[StreamCopy]) -> None:
        """Looks up the streams of refused items; drops those that Redis has lost too often."""
        unclear = {copies[one.at].id: copies[one.at] for one in refused}
        for id in {copies[one.at].id for one in refused if one.is_gone}:
            unclear[id].remade += 1
        self._look_up([copy for copy in unclear.values() if copy.remade <= _MAX_REMADE])
        for copy in unclear.values():
            if copy.remade > _MAX_REMADE:
                self._log.error("stream store drops streams", hint="its memory is too small")
                self.drop(copy.id)

    def _look_up(self, copies: list[StreamCopy]) -> None:
        """Finds out how much of some streams is in Redis, and marks the rest to be written."""
        for part in _parts(copies):
            commands = [("XREVRANGE", copy.key, "+", "-", "COUNT", 1) for copy in part]
            for copy, answer in zip(part, self._connection.run_all(commands), strict=True):
                last = entries_in(answer)[0] if answer else None
                if copy.is_dropped:
                    continue
                if last is not None and last.is_lost and not copy.has_ended:
                    self.drop(copy.id)
                    self._on_lost(copy.id)
                    continue
                copy.has_key = last is not None
                copy.sent = last.last if last is not None and last.epoch == 1 else 0
                copy.wake()


def _parts(copies: Iterable[StreamCopy]) -> Iterator[list[StreamCopy]]:
    """Yields the copies in lists of at most _LOOKUPS."""
    left = iter(copies)
    while part := list(islice(left, _LOOKUPS)):
        yield part
