"""Resumes a stream in its middle, in any format."""

from collections.abc import Sequence

from gateway.apis.base import Dialect
from gateway.core.events import Event


class ResumedDialect(Dialect):
    """Encodes a stream from its first event, and drops the bytes that the client already has.

    The encoding of an event depends on the events before it. So the resumed stream continues with
    the same bytes as an uninterrupted one.
    """

    def __init__(self, inner: Dialect, after: int) -> None:
        """after: the number of the last event that the client has; 0 for none."""
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
