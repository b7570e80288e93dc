"""A delivery: the events of a stream on their way to one client.

A :class:`Delivery` reads the queue of a run, or the log of a kept one, and notes the times for the
client's time limits. :class:`StreamBody` encodes the events for a WSGI server. After the response
has begun, events are written directly to the client's socket while the queue is drained.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.apis import Dialect
from gateway.core.events import Done, Event, Failed, end_of
from gateway.errors import ClientLeft
from gateway.observe.metrics import WriteStats
from gateway.relay.event_queue import EventSource
from gateway.relay.run import Run, outcome_of
from gateway.server.response_socket import ResponseSocket
from gateway.server.sockets import close_connection, unsent_bytes


class Delivery:
    """The events of a stream, to iterate. It must be closed in any case."""

    def __init__(
        self,
        source: EventSource,
        client: socket.socket | None,
        started: float,
        stats: WriteStats,
        clock: Callable[[], float],
        on_end: Callable[["Delivery"], None],
        run: Run | None = None,
    ) -> None:
        """client: the client's connection. started: when its request arrived, in monotonic seconds.

        on_end: called by :meth:`close`. run: the run whose queue the source is; None if the source
        is a kept stream.
        """
        self.source = source
        self.client = client
        self.stats = stats
        self.run = run
        self._started = started
        self._clock = clock
        self._on_end = on_end

        # The start of the present wait or write, in monotonic seconds; None if there is none. The
        # sweeper compares them with the client's time limits.
        self.waiting_since: float | None = None
        self.sending_since: float | None = None
        self.left: ClientLeft | None = None
        """The reason why the client is gone: it left, or did not read. None while it is there."""
        self._last: Done | Failed | None = None
        self._unsent_bytes = 0
        self._socket: ResponseSocket | None = None
        self._dialect: Dialect

    def __iter__(self) -> Iterator[tuple[int, list[Event]]]:
        """Yields the number of the first event, and events; no events if a heartbeat is due."""
        while self.left is None:
            self.waiting_since = self._clock()
            number, events = self.source.read()
            self.waiting_since = None
            if self.left is not None:
                return
            self.sending_since = self._clock()
            yield number, events
            self.sending_since = None
            self._last = end_of(events)
            if self._last is not None:
                self.close()  # before the client can see the end, so that its slot is free again
                return

    def close(self) -> None:
        """Ends the delivery: the client has its answer, or has left. Idempotent."""
        self._on_end(self)

    def disconnect(self, why: ClientLeft) -> None:
        """The client has left or does not read: wakes up and ends everything that waits for it.

        The first reason counts: the kernel tells only once that a connection has timed out.
        """
        if self.left is not None:
            return
        self.left = why
        if self.client is not None:
            close_connection(self.client)
        if self.run is not None:
            self.run.accept()
        self.source.wake()

    def cut_off_failed(self) -> None:
        """If the answer has failed, closes the connection before the end of the body."""
        if isinstance(self._last, Failed) and self.client is not None:
            close_connection(self.client)

    def enable_direct_writes(self, socket: ResponseSocket, dialect: Dialect) -> None:
        """From now on, events are written directly to the client while the queue is drained."""
        assert self.run is not None, "direct writes need the queue of a run"
        self._socket, self._dialect = socket, dialect
        self.run.queue.direct = self

    def write_now(self, number: int, events: Sequence[Event], now: float) -> bool:
        """See DirectWriter."""
        socket = self._socket
        assert socket is not None, "direct writes were enabled with one"
        if socket.has_unsent:
            return False
        if frames := self._dialect.encode(number, events):
            self.waiting_since = now
            self.stats.write(len(frames), now)
            socket.write_chunk_now(frames)
            if socket.has_unsent:
                self.source.wake()  # the reader waits until the client has taken the rest
        return True

    def count_write(self, size: int) -> None:
        """Counts bytes that are about to be written."""
        self.stats.write(size, self.sending_since or self._clock())

    def elapsed_ms(self) -> int:
        """Returns the milliseconds since the request arrived."""
        return round((self._clock() - self._started) * 1000)

    def has_stalled(self, now: float, limit_s: float) -> bool:
        """Returns whether the client has taken no bytes for `limit_s` seconds.

        The size of the kernel's send buffer shows it: it shrinks when the client takes bytes.
        """
        if self.sending_since is None or self.client is None:
            return False
        if (unsent := unsent_bytes(self.client)) != self._unsent_bytes:
            self._unsent_bytes = unsent
            self.sending_since = now
        return now - self.sending_since > limit_s

    def outcome(self) -> dict[str, Any] | None:
        """Returns the end that the client was sent, for the log; None: it was sent none."""
        return outcome_of(self._last) if self._last is not None else None


class StreamBody:
    """The body of a response, for a WSGI server: a delivery, encoded by a dialect."""

    def __init__(self, delivery: Delivery, dialect: Dialect, socket: ResponseSocket | None) -> None:
        """socket: for direct writes after the response has begun; None: there are none."""
        self._delivery = delivery
        self._dialect = dialect
        self._socket = socket

    def __iter__(self) -> Iterator[bytes]:
        delivery, dialect, socket = self._delivery, self._dialect, self._socket
        has_begun = False
        if first := dialect.begin():
            delivery.count_write(len(first))
            yield first
            has_begun = True
        for number, events in delivery:
            if socket is not None and socket.has_unsent:
                socket.flush()
                if not events:
                    continue
            if events:
                frames = dialect.encode(number, events)
            else:
                frames = dialect.heartbeat(delivery.elapsed_ms())
                delivery.stats.heartbeat()
            if frames:
                delivery.count_write(len(frames))
                yield frames
                has_begun = True
                if socket is not None:
                    delivery.enable_direct_writes(socket, dialect)
        if dialect.cuts_after_error and has_begun:  # else the client would not even get a status
            delivery.cut_off_failed()

    def close(self) -> None:
        """Ends the delivery. The server calls it even if it has never iterated the body."""
        self._delivery.close()
