"""How much of a log is in Redis."""

import gevent.event

from gateway.apis.kept import StreamInfo
from gateway.store.base import Log
from gateway.store.layout import stream_key


class StreamCopy:
    """A stream of this worker that is copied to Redis."""

    __slots__ = (
        *("dirty", "due", "id", "info", "is_dirty", "is_dropped", "key", "log", "made", "remade"),
        *("sent", "waits_for_end"),
    )

    def __init__(
        self, info: StreamInfo, log: Log, dirty: "list[StreamCopy]", due: gevent.event.Event
    ) -> None:
        """dirty: the copies that have something to write. due: set when there are some."""
        self.id = info.id
        self.key = stream_key(info.id)
        self.info = info
        self.log = log
        self.dirty = dirty
        self.due = due
        self.waits_for_end = info.keep == "ended"
        """What goes with its client is stored once it has ended."""
        self.sent: int | None = 0
        """Events in Redis; None: unknown."""
        self.made = False
        """The key is there."""
        self.remade = 0
        self.is_dirty = False
        self.is_dropped = False

    def wake(self) -> None:
        """There are more events. This runs once for each token."""
        if not self.is_dirty and (not self.waits_for_end or self.log.end is not None):
            self.is_dirty = True
            if not self.dirty:
                self.due.set()
            self.dirty.append(self)

    @property
    def has_ended(self) -> bool:
        return self.log.end is not None and self.sent == len(self.log.events)
