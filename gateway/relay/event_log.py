"""All events of a kept run, for readers that come later or come back.

A log has one writer, the run's queue, and any number of readers, each at its own position. No
reader slows the run down. The number of an event in the log, from 1, is the one that clients see.
"""

from collections.abc import Callable, Sequence

from gateway.core.events import Done, Event, Failed, OutputDelta, ReasoningDelta, end_of
from gateway.relay.event_queue import Signal, bytes_to_send

_EVENT_BYTES = 120
"""The memory that an event takes beside its text."""
_MAX_READ = 256
"""The most events that a reader gets at once."""
_REPORTED_BYTES = 4096
"""Growth is reported in steps of about this size: a token has a few hundred bytes."""
_TEXTS = frozenset[type[Event]]([OutputDelta, ReasoningDelta])


class EventLog:
    """The events of one run, from the first."""

    def __init__(self, signal: Callable[[], Signal], on_growth: Callable[[int], None]) -> None:
        """on_growth: called with the estimated bytes by which the log has grown."""
        self._signal = signal
        self._on_growth = on_growth
        self._readers: set[LogReader] = set()
        self.events: list[Event] = []
        self.size_bytes = 0
        """The bytes that were reported to `on_growth`."""
        self._unreported_bytes = 0

        self.end: Done | Failed | None = None
        """The last event, once the run has one."""
        self.on_record: Callable[[], None] | None = None
        """Called when there are more events, for a store that copies them. May not wait."""

    @property
    def is_read(self) -> bool:
        """The log has a reader."""
        return bool(self._readers)

    def record(self, events: Sequence[Event]) -> None:
        """Adds events of the run. Never waits."""
        if self.end is not None:
            return
        self.events.extend(events)
        for event in events:
            if type(event) in _TEXTS:
                text = event.text  # type: ignore[union-attr]
                self._unreported_bytes += len(text) if text.isascii() else 4 * len(text)
            else:
                self._unreported_bytes += bytes_to_send(event)
        self._unreported_bytes += _EVENT_BYTES * len(events)
        self.end = end_of(events)
        for reader in self._readers:
            reader.wake()
        if self.on_record is not None:
            self.on_record()
        if self._unreported_bytes > _REPORTED_BYTES or self.end is not None:
            grown, self._unreported_bytes = self._unreported_bytes, 0
            self.size_bytes += grown
            self._on_growth(grown)

    def open(self) -> "LogReader":
        """Returns a reader that begins with the first event. It must be closed."""
        reader = LogReader(self, self._signal())
        self._readers.add(reader)
        return reader

    def close(self, reader: "LogReader") -> None:
        """The reader reads no more. Idempotent."""
        self._readers.discard(reader)


class LogReader:
    """One reader's position in a log."""

    def __init__(self, log: EventLog, arrived: Signal) -> None:
        self._log = log
        self._arrived = arrived
        self._at = 0

    def wake(self) -> None:
        """Ends the reader's wait, even without an event."""
        self._arrived.set()

    def read(self, timeout_s: float | None = None) -> tuple[int, list[Event]]:
        """Waits for events or a wake-up.

        Returns the number of the first event, from 1, and the next events; none after a wake-up or
        after `timeout_s` seconds.
        """
        log = self._log
        if self._at >= len(log.events):
            self._arrived.wait(timeout_s)
        self._arrived.clear()
        number = self._at + 1
        events = log.events[self._at : self._at + _MAX_READ]
        self._at += len(events)
        return number, events

    def close(self) -> None:
        """See EventLog.close."""
        self._log.close(self)
