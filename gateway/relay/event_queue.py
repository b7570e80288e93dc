"""The log of each stream: what has happened and is not yet taken by its reader.

A stream has one writer, the pump, and one reader, the response. The log is bounded: the writer
waits while the reader is too far behind, and so the upstream waits too. What has been taken is
gone; streams that can be resumed will keep it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.core.events import Event

MAX_BEHIND_CHARS = 256 * 1024
"""The writer waits while more text than this is not yet taken."""
_EVENT_CHARS = 64
"""What an event counts for beside its text."""


class Signal(Protocol):
    """threading.Event or its like."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self) -> object: ...


class Log:
    """The events of one stream on their way from its writer to its reader."""

    def __init__(self, signal: Callable[[], Signal]) -> None:
        self._arrived = signal()
        self._room = signal()
        self._room.set()
        self.has_room = True
        """The reader is near enough for more to be read."""
        self.is_taken = False
        """The reader has taken all there is, and waits for more."""
        self.next = 1
        """The number of the next event. Who sends events past the log counts them here."""
        self._events: list[Event] = []
        self._behind = 0

    def append(self, events: Sequence[Event]) -> None:
        """Adds what has happened; never waits."""
        if events:
            self.is_taken = False
            self._events.extend(events)
            self._behind += sum(_EVENT_CHARS + len(getattr(event, "text", "")) for event in events)
            if self._behind > MAX_BEHIND_CHARS:
                self.has_room = False
                self._room.clear()
            self._arrived.set()

    def wait_for_room(self) -> None:
        """Returns when the reader is near enough for more to be read."""
        self._room.wait()

    def nudge(self) -> None:
        """Wakes the reader though nothing has happened."""
        self._arrived.set()

    def read(self) -> tuple[int, list[Event]]:
        """Waits for events or a nudge; gives the first one's number, from 1, and all of them."""
        self.is_taken = not self._events
        self._arrived.wait()
        self._arrived.clear()
        self.is_taken = False
        events, self._events = self._events, []
        self._behind = 0
        if not self.has_room:
            self.has_room = True
            self._room.set()
        number = self.next
        self.next += len(events)
        return number, events
