"""Reads a stream again from an event in its middle, in any format."""

from collections.abc import Sequence

from gateway.apis.base import Dialect
from gateway.core.events import Event


class ResumedDialect(Dialect):
    """Spells a stream from its first event, and leaves out what the client has had.

    A dialect knows from the events before what the next ones look like. So the bytes that follow
    are those that an uninterrupted reading would have had.
    """

    def __init__(self, inner: Dialect, after: int) -> None:
        """after: the number of the last event that the client has had; 0 for none."""
        super().__init__(inner.answer)
        self._inner = inner
        self._after = after
        self.content_type = inner.content_type  # type: ignore[misc]
        self.cuts_after_error = inner.cuts_after_error  # type: ignore[misc]
        self.heartbeat = inner.heartbeat  # type: ignore[method-assign]

    def begin(self) -> bytes:
        begun = self._inner.begin()
        return b"" if self._after else begun

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        had = max(0, self._after - number + 1)
        if not had:
            return self._inner.encode(number, events)
        self._inner.encode(number, events[:had])
        return self._inner.encode(number + had, events[had:]) if had < len(events) else b""
