"""A delivery: the events of a stream on their way to one client.

A :class:`Delivery` reads the queue of a run, or what was kept of one, and keeps the client's side
of the time limits. :class:`StreamBody` spells the events for a WSGI server. Once the response has
begun, events that find the queue drained are written to the client's socket at once, past the
server.
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
    """Iterate it for the events of a stream, and close it whatever happens."""

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
        """client: its connection. started: when its request arrived, in monotonic seconds.

        on_end: called once the client has the last event, or has left. run: the one whose queue the
        source is; None where the source is something that was kept.
        """
        self.source = source
        self.client = client
        self.stats = stats
        self.run = run
        self._started = started
        self._clock = clock
        self._on_end = on_end

        # Since when the delivery has been at it, in monotonic seconds; None while it is not. The
        # sweeper compares them with the client's time limits.
        self.waiting_since: float | None = None
        self.sending_since: float | None = None
        self.left: ClientLeft | None = None
        """Why there is no client any more: it left, or did not read."""
        self._last: Done | Failed | None = None
        self._unsent_bytes = 0
        self._socket: ResponseSocket | None = None
        self._dialect: Dialect

    def __iter__(self) -> Iterator[tuple[int, list[Event]]]:
        """The number of the first event, and the events; none when a heartbeat is due."""
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
        """The client needs nothing more. Idempotent."""
        self._on_end(self)

    def disconnect(self, why: ClientLeft) -> None:
        """The client has left or does not read: whatever waits for it wakes up and ends."""
        self.left = why
        if self.client is not None:
            close_connection(self.client)
        if self.run is not None:
            self.run.accept()
        self.source.wake()

    def cut_off_failed(self) -> None:
        """Closes the client's connection, if the answer has failed, before the body has its end."""
        if isinstance(self._last, Failed) and self.client is not None:
            close_connection(self.client)

    def enable_direct_writes(self, socket: ResponseSocket, dialect: Dialect) -> None:
        """From now on, events that find the queue drained are written to the client at once."""
        assert self.run is not None, "only a run's own client is written to at once"
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
                self.source.wake()  # the reader has to wait for the client
        return True

    def count_write(self, size: int) -> None:
        """Counts bytes that are about to be written."""
        self.stats.write(size, self.sending_since or self._clock())

    def elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return round((self._clock() - self._started) * 1000)

    def has_stalled(self, now: float, limit_s: float) -> bool:
        """True when the client has taken nothing for `limit_s` seconds.

        What a client takes leaves the kernel's send buffer.
        """
        if self.sending_since is None or self.client is None:
            return False
        if (unsent := unsent_bytes(self.client)) != self._unsent_bytes:
            self._unsent_bytes = unsent
            self.sending_since = now
        return now - self.sending_since > limit_s

    def outcome(self) -> dict[str, Any] | None:
        """The end that the client was sent, for the log; None when it was sent none."""
        return outcome_of(self._last) if self._last is not None else None


class StreamBody:
    """A delivery spelled in a dialect: what a WSGI server iterates and closes."""

    def __init__(self, delivery: Delivery, dialect: Dialect, socket: ResponseSocket | None) -> None:
        """socket: where direct writes may go once the response has begun; None: nowhere."""
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
        if dialect.cuts_after_error and has_begun:  # an answer without a head is none
            delivery.cut_off_failed()

    def close(self) -> None:
        """What a WSGI server calls, also when it never iterated."""
        self._delivery.close()
