"""The events of a stored stream on their way to one delivery."""

from collections.abc import Callable
from itertools import islice

import gevent.event

from gateway.core.events import Event, end_of
from gateway.store.base import UNSTORED
from gateway.store.layout import LOST, unread

_ENOUGH = 512
"""With so many unread events, a source gets no more until its client has read them."""
_MAX_READ = 256


class StoredSource:
    """What :class:`.reader.Reader` has read of a stream, and one client has not."""

    def __init__(self, id: str, place: str, on_room: Callable[["StoredSource"], None]) -> None:
        """on_room: called when the source can take events again. place: of the stream's worker."""
        self.id = id
        self.place = place
        self.had = 0
        """The number of the last event that has arrived."""
        self.has_ended = False
        """The last event of the stream has arrived, or nothing more will."""
        self.missed = 0
        """Checks in a row that have not found the stream, although its worker lives."""
        self.on_close: Callable[[StoredSource], None] = lambda source: None
        self._on_room = on_room
        self._arrived = gevent.event.Event()
        self._events: list[Event] = []
        self._number = 1
        """Of the first event that is not read yet."""
        self._gap = 0
        """What the number of the last event is higher by."""

    @property
    def has_room(self) -> bool:
        """Whether it takes more events."""
        return not self.has_ended and len(self._events) < _ENOUGH

    def take(self, last: int, events: list[Event]) -> None:
        """Takes what it has not had of an entry, whose last event has this number."""
        if self.has_ended:
            return
        new = unread(events, last, self.had)
        if new is None:
            self.lose()
        elif new:
            self._add(new)

    def lose(self) -> None:
        """The stream has ended without its last event."""
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
            if len(events) > 1:  # the last one comes by itself, with its own number
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
