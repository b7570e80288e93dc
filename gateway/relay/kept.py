"""The kept streams of one worker: in its memory, and in the store if there is one."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import gevent.event

from gateway.apis.kept import StreamInfo
from gateway.errors import Abandoned, Full, KeptTooLong, StoreAway, StreamLost
from gateway.relay.event_log import EventLog
from gateway.relay.run import Run
from gateway.store.base import StreamStore

_STREAM_BYTES = 2000
"""The memory that a stream takes without its events and its request."""
_READ_ELSEWHERE_S = 5.0
"""Seconds that a reader at another worker counts. The store reports them about once a second."""
_VALUE_BYTES = 64
"""The memory that a value in a request takes beside its text."""


class KeptStream:
    """One stream: its description, its events so far, and its run while that is in progress."""

    def __init__(self, info: StreamInfo, on_growth: Callable[[str, int], None]) -> None:
        """on_growth: called with the id, and the bytes by which the stream has grown."""
        self.info = info
        # With the id and not with self: only the garbage collector would find that cycle.
        self.log = EventLog(gevent.event.Event, partial(on_growth, info.id))
        self.run: Run | None = None
        """None after the end of the run."""
        self.unread_since: float | None = None
        """When the last reader left, in monotonic seconds; None while there is one."""
        self.read_elsewhere_until = 0.0
        """Until this time, in monotonic seconds, another worker counts as a reader."""
        self._request_bytes = _STREAM_BYTES + _size_of([info.echo, info.input])

    @property
    def size_bytes(self) -> int:
        """The memory that the stream takes; an estimate."""
        return self._request_bytes + self.log.size_bytes

    @property
    def can_be_read(self) -> bool:
        """A stream that ends when its client leaves can only be read after its end."""
        return self.info.keep != "ended" or self.log.end is not None

    def is_read(self, now: float) -> bool:
        """Whether any client reads the stream. now: monotonic seconds."""
        has_client = self.run is not None and self.run.delivery is not None
        return has_client or self.log.is_read or now < self.read_elsewhere_until


class KeptStreams:
    """The kept streams of one worker, within a limit of memory."""

    def __init__(
        self,
        max_bytes: int,
        keep_s: float,
        detached_timeout_s: float,
        clock: Callable[[], float],
        store: StreamStore | None = None,
    ) -> None:
        """max_bytes: the memory for all streams. keep_s: how long to keep a stream after its end.

        detached_timeout_s: how long a run may go on without a reader. clock: monotonic seconds.
        store: gets a copy of each stream; None: there is no store.
        """
        self._store = store
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._detached_timeout_s = detached_timeout_s
        self._clock = clock
        self._running: dict[str, KeptStream] = {}
        self._ended: dict[str, tuple[KeptStream, float]] = {}
        """Id → the stream and the time of its end, in monotonic seconds; the oldest end first."""
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._running) + len(self._ended)

    def add(self, info: StreamInfo) -> KeptStream | None:
        """Begins to keep a stream.

        If the running streams take all the memory, a stream that ends when its client leaves is not
        kept, and the result is None. For another stream, raises Full.
        """
        kept = KeptStream(info, self._on_growth)
        self._make_room(kept.size_bytes)
        if self.size_bytes + kept.size_bytes > self._max_bytes:
            if info.keep == "ended":
                return None
            raise Full("The gateway keeps as many streams as it can; try again in a moment.")
        self._running[info.id] = kept
        self.size_bytes += kept.size_bytes
        if self._store is not None:
            self._store.add(info, kept.log)
        return kept

    def check_store(self) -> None:
        """Raises StoreAway while other workers could not read a stream of this one."""
        if self._store is not None and not (status := self._store.status()).up:
            raise StoreAway(status.error)

    def find(self, id: str, principal: str) -> KeptStream | None:
        """Returns a stream if it was opened with the key of this name."""
        kept = self._get(id)
        return kept if kept is not None and kept.info.principal == principal else None

    def has(self, id: str) -> bool:
        """Whether the stream is kept here."""
        return self._get(id) is not None

    def forget(self, id: str) -> None:
        """Keeps the stream no longer. Its open readers can read on. Idempotent."""
        if self._store is not None:
            self._store.forget(id)
        self._drop(id)

    def lost(self, id: str) -> None:
        """Another worker has declared a stream lost, and its readers have got that end: ends it."""
        kept = self._get(id)
        self._drop(id)
        if kept is not None and kept.run is not None:
            kept.run.fail(StreamLost())

    def note_read(self, ids: Iterable[str]) -> None:
        """Notes that other workers read these streams."""
        until = self._clock() + _READ_ELSEWHERE_S
        for kept in filter(None, map(self._running.get, ids)):
            kept.read_elsewhere_until = until

    def runs_that_go_on(self) -> int:
        """Returns the number of runs whose streams can be read after this worker's end."""
        if self._store is None:
            return 0
        return sum(kept.info.keep != "ended" for kept in self._running.values())

    def _drop(self, id: str) -> None:
        kept = self._get(id)
        if kept is not None:
            self.size_bytes -= kept.size_bytes
            self._running.pop(id, None)
            self._ended.pop(id, None)

    def run_ended(self, run: Run) -> None:
        """A run is over. If its stream has no last event, it is forgotten: it can't be read."""
        kept = self._get(run.id)
        if kept is None:
            return
        kept.run = None
        if kept.log.end is None:
            self.forget(run.id)

    def sweep(self, now: float) -> None:
        """Forgets streams that ended too long ago, and ends runs without a reader for too long."""
        while self._ended and now - self._oldest_end() > self._keep_s:
            self.forget(next(iter(self._ended)))
        for kept in self._running.values():
            kept.unread_since = None if kept.is_read(now) else kept.unread_since or now
            if kept.unread_since is None or kept.info.keep != "detached" or kept.run is None:
                continue
            if now - kept.unread_since > self._detached_timeout_s:
                kept.run.fail(Abandoned())

    def _get(self, id: str) -> KeptStream | None:
        if id in self._ended:
            return self._ended[id][0]
        return self._running.get(id)

    def _oldest_end(self) -> float:
        return next(iter(self._ended.values()))[1]

    def _on_growth(self, id: str, size: int) -> None:
        kept = self._running.get(id)
        if kept is None:
            return
        self.size_bytes += size
        if kept.log.end is not None:
            self._ended[id] = (self._running.pop(id), self._clock())
        if self.size_bytes > self._max_bytes:
            self._make_room(0)
        if self.size_bytes > self._max_bytes:
            self._cut_largest()

    def _make_room(self, size: int) -> None:
        """Forgets ended streams, the oldest first, until there is room for `size` bytes."""
        while self._ended and self.size_bytes + size > self._max_bytes:
            self.forget(next(iter(self._ended)))

    def _cut_largest(self) -> None:
        """Forgets the largest running stream; ends its run if that does not need its client."""
        largest = max(self._running.values(), key=lambda kept: kept.size_bytes)
        self.forget(largest.info.id)
        if largest.run is not None and largest.info.keep != "ended":
            largest.run.fail(KeptTooLong())


def _size_of(value: Any) -> int:
    """Returns the estimated memory that decoded JSON takes."""
    size = 0
    left = [value]
    while left:
        value = left.pop()
        size += _VALUE_BYTES
        if isinstance(value, str):
            size += len(value) if value.isascii() else 4 * len(value)
        elif isinstance(value, Mapping):
            size += _VALUE_BYTES * len(value)
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
    return size
