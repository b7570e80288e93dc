"""The events of a stored stream for one delivery."""

from collections.abc import Callable
from itertools import islice

import gevent.event

from gateway.core.events import Event, end_of
from gateway.store.base import UNSTORED
from gateway.store.layout import LOST, unread

_ENOUGH = 512
"""A source with this many unread events gets no more until its client has read some."""
_MAX_READ = 256
"""Limit for the events that one `read` returns."""


class StoredSource:
    """The events that :class:`.reader.Reader` has read and one client has not."""

    def __init__(self, id: str, place: str, on_room: Callable[["StoredSource"], None]) -> None:
        """place: of the stream's worker. on_room: called when the source can take events again."""
        self.id = id
        self.place = place
        self.had = 0
        """The number of the last event that has arrived."""
        self.has_ended = False
        """The last event of the stream has arrived, or the source is closed."""
        self.missed = 0
        """Checks in a row that have not found the stream in Redis."""
        self.on_close: Callable[[StoredSource], None] = lambda source: None
        self._on_room = on_room
        self._arrived = gevent.event.Event()
        self._events: list[Event] = []
        self._number = 1
        """The number of the first unread event."""
        self._gap = 0
        """Added to the number of the last event; see UNSTORED."""

    @property
    def has_room(self) -> bool:
        """Whether it takes more events."""
        return not self.has_ended and len(self._events) < _ENOUGH

    def take(self, last: int, events: list[Event]) -> None:
        """Takes the new events of an entry. last: the number of the entry's last event."""
        if self.has_ended:
            return
        new = unread(events, last, self.had)
        if new is None:
            self.lose()
        elif new:
            self._add(new)

    def lose(self) -> None:
        """Ends the stream with LOST: its last event will not come."""
        if not self.has_ended:
            self._gap = UNSTORED
            self._add([LOST])

    def _add(self, events: list[Event]) -> None:
        self._events += events
        self.had += len(events)
        self.has_ended = end_of(events) is not None
        self._arrived.set()

    def wake(self) -> None:
        """See EventSource."""
        self._arrived.set()

    def read(self) -> tuple[int, list[Event]]:
        """See EventSource."""
        if not self._events:
            self._arrived.wait()
        self._arrived.clear()
        had_room = self.has_room
        events = list(islice(self._events, _MAX_READ))
        del self._events[: len(events)]
        number = self._number
        self._number += len(events)
        if self._gap and events and not self._events:
            if len(events) > 1:  # the last event is read alone, with its own number
                self._events.append(events.pop())
                self._number -= 1
            else:
                number += self._gap
        if not had_room and self.has_room:
            self._on_room(self)
        return number, events

    def close(self) -> None:
        """See EventSource."""
        self.has_ended = True
        self.on_close(self)
