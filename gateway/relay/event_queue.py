"""The events of a run on their way to its delivery.

A queue has one writer, the pump, and one reader, the delivery. It is bounded: the pump waits while
the reader is too far behind, and so the upstream waits too (back-pressure). What was read is gone.

While the reader has drained the queue, the writer's events need not wait for it: they go to the
`direct` writer, if there is one, which sends them to the client at once.

A run that is kept also records every event in a log. One that goes on without its client closes its
queue when the client has left.
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
"""The writer waits while the frames of the unread events would take more than this."""
_FRAME_BYTES = 320
"""What an event takes in most formats, beside its text."""
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
        """Sends events, of which the first has this number.

        False, and nothing is sent, while the client has not taken all that was sent before.
        """


class EventSource(Protocol):
    """Where a delivery reads events: the queue of a run, or the log of a kept one."""

    def read(self) -> tuple[int, list[Event]]: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class EventQueue:
    """A bounded queue between one writer and one reader."""

    def __init__(
        self,
        signal: Callable[[], Signal],
        log: "EventLog | None" = None,
        *,
        is_bounded: bool = True,
    ) -> None:
        """log: of a kept run. is_bounded: the writer waits for a reader that is too far behind."""
        self._arrived = signal()
        self._room = signal()
        self._room.set()
        self.has_room = True
        """The reader is near enough for the writer to go on."""
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
        """Hands events over, to the client at once or to the queue. Never waits."""
        if not events:
            return
        if self._log is not None:
            self._log.record(events)
        if self._is_closed:
            return
        # The last event goes through the queue: its reader has to see the end.
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
        """Returns when the reader is near enough for the writer to go on."""
        self._room.wait()

    def wake(self) -> None:
        """Wakes the reader without an event."""
        self._arrived.set()

    def close(self) -> None:
        """There is no reader any more: what is published goes to the log alone. Idempotent."""
        self._is_closed = True
        self.direct = None
        self._events.clear()
        self.has_room = True
        self._room.set()

    def read(self) -> tuple[int, list[Event]]:
        """Waits for events or a wake-up; returns the first one's number, from 1, and all."""
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
    """An estimate of the bytes that an event takes in a stream, whatever its format."""
    match event:
        case OutputDelta(text):
            return _FRAME_BYTES + _encoded_bytes(text)
        case ReasoningDelta(text):
            return _FRAME_BYTES + 2 * _encoded_bytes(text)  # `openai` says it in two members
        case ToolCallDelta(call):
            return _FRAME_BYTES + len(dumps(call))
        case Extra(delta, choice, chunk):
            return _FRAME_BYTES + sum(len(dumps(members)) for members in (delta, choice, chunk))
        case ChoiceEvent(_, inner):
            return bytes_to_send(inner)
    return _FRAME_BYTES + 2 * _encoded_bytes(getattr(event, "text", ""))


def _encoded_bytes(text: str) -> int:
    return len(text) if text.isascii() else _ESCAPE_BYTES * len(text)
