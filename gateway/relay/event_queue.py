"""The events of a run on their way to its delivery.

A queue has one writer, the pump, and one reader, the delivery. It is bounded: the pump waits while
the reader is too far behind, and so the upstream waits too (back-pressure). An event that was read
leaves the queue.

If the reader has drained the queue, events do not have to wait for it: they go to the `direct`
writer, if there is one, which sends them to the client at once.

A kept run also records every event in a log. If it goes on after its client has left, its queue is
closed and only the log gets the events.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from gateway.core.events import (
    ChoiceEvent,
    Event,
    Extra,
    OutputDelta,
    ReasoningDelta,
    ToolCallDelta,
    end_of,
)
from gateway.core.sse import dumps

if TYPE_CHECKING:
    from gateway.relay.event_log import EventLog

MAX_BEHIND_BYTES = 256 * 1024
"""The writer waits while the unread events would take more bytes than this in the stream."""
_FRAME_BYTES = 320
"""The bytes of an event in most formats, beside its text."""
_ESCAPE_BYTES = 6
"""A character beyond ASCII is sent as `\\u4f60`."""


class Signal(Protocol):
    """threading.Event, gevent.event.Event and the like."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> object: ...


class DirectWriter(Protocol):
    """Sends events to the client without waiting; see Delivery."""

    def write_now(self, number: int, events: Sequence[Event], now: float) -> bool:
        """Sends events. number: that of the first event.

        Returns False, and sends nothing, if the client has not taken all earlier bytes yet.
        """


class EventSource(Protocol):
    """The source of a delivery's events: the queue of a run, or the log of a kept one."""

    def read(self) -> tuple[int, list[Event]]:
        """Waits for events or a wake-up; returns the number of the first event, and all of them."""

    def wake(self) -> None:
        """Ends the reader's wait without an event."""

    def close(self) -> None:
        """The reader reads no more. Idempotent."""


class EventQueue:
    """A bounded queue between one writer and one reader."""

    def __init__(
        self,
        signal: Callable[[], Signal],
        log: "EventLog | None" = None,
        *,
        is_bounded: bool = True,
    ) -> None:
        """log: records the events too. is_bounded: the writer waits if the reader is behind."""
        self._arrived = signal()
        self._room = signal()
        self._room.set()
        self.has_room = True
        """The reader is not too far behind, so the writer may go on."""
        self.is_drained = False
        """The reader has read everything and waits for more."""
        self.direct: DirectWriter | None = None
        self._next_number = 1
        self._events: list[Event] = []
        self._behind_bytes = 0
        self._log = log
        self._is_bounded = is_bounded
        self._is_closed = False

    def publish(self, events: Sequence[Event], now: float) -> None:
        """Sends events directly to the client, or puts them into the queue. Never waits."""
        if not events:
            return
        if self._log is not None:
            self._log.record(events)
        if self._is_closed:
            return
        # The last event goes through the queue, because the reader has to see the end.
        if (
            self.is_drained
            and self.direct is not None
            and end_of(events) is None
            and self.direct.write_now(self._next_number, events, now)
        ):
            self._next_number += len(events)
            return
        self.is_drained = False
        self._events.extend(events)
        if self._is_bounded:
            self._behind_bytes += sum(map(bytes_to_send, events))
            if self._behind_bytes > MAX_BEHIND_BYTES:
                self.has_room = False
                self._room.clear()
        self._arrived.set()

    def wait_for_room(self) -> None:
        """Waits until the reader is not too far behind any more."""
        self._room.wait()

    def wake(self) -> None:
        """Ends the reader's wait without an event."""
        self._arrived.set()

    def close(self) -> None:
        """The reader reads no more: later events only go to the log. Idempotent."""
        self._is_closed = True
        self.direct = None
        self._events.clear()
        self.has_room = True
        self._room.set()

    def read(self) -> tuple[int, list[Event]]:
        """Waits for events or a wake-up.

        Returns the number of the first event, from 1, and all events; none after a wake-up.
        """
        self.is_drained = not self._events
        self._arrived.wait()
        self._arrived.clear()
        self.is_drained = False
        events, self._events = self._events, []
        self._behind_bytes = 0
        if not self.has_room:
            self.has_room = True
            self._room.set()
        number = self._next_number
        self._next_number += len(events)
        return number, events


def bytes_to_send(event: Event) -> int:
    """Returns the estimated bytes of an event in a stream, in any format."""
    match event:
        case OutputDelta(text):
            return _FRAME_BYTES + _encoded_bytes(text)
        case ReasoningDelta(text):
            return _FRAME_BYTES + 2 * _encoded_bytes(text)  # `openai` sends it in two members
        case ToolCallDelta(call):
            return _FRAME_BYTES + len(dumps(call))
        case Extra(delta, choice, chunk):
            return _FRAME_BYTES + sum(len(dumps(members)) for members in (delta, choice, chunk))
        case ChoiceEvent(_, inner):
            return bytes_to_send(inner)
    return _FRAME_BYTES + 2 * _encoded_bytes(getattr(event, "text", ""))


def _encoded_bytes(text: str) -> int:
    return len(text) if text.isascii() else _ESCAPE_BYTES * len(text)
