"""How much of a stream's log has been copied to Redis."""

import gevent.event

from gateway.apis.kept import StreamInfo
from gateway.store.base import RunLog
from gateway.store.layout import stream_key


class StreamCopy:
    """A stream of this worker, and its copy in Redis."""

    __slots__ = (
        *("dirty", "due", "has_key", "id", "info", "is_dirty", "is_dropped", "key", "log"),
        *("remade", "sent", "waits_for_end"),
    )

    def __init__(
        self, info: StreamInfo, log: RunLog, dirty: "list[StreamCopy]", due: gevent.event.Event
    ) -> None:
        """dirty: the writer's list of copies with events to write. due: set when it has any."""
        self.id = info.id
        self.key = stream_key(info.id)
        self.info = info
        self.log = log
        self.dirty = dirty
        self.due = due
        self.waits_for_end = info.keep == "ended"
        """The stream is stored only after its end: until then, its turn ends with its client."""
        self.sent: int | None = 0
        """Number of events in Redis; None: unknown."""
        self.has_key = False
        """The key exists in Redis."""
        self.remade = 0
        """Number of times that Redis has lost the key and it was created again."""
        self.is_dirty = False
        """The copy is in `dirty`."""
        self.is_dropped = False
        """The writer writes no more of it."""

    def wake(self) -> None:
        """Notes that there are more events. Runs once for each token."""
        if not self.is_dirty and (not self.waits_for_end or self.log.end is not None):
            self.is_dirty = True
            if not self.dirty:
                self.due.set()
            self.dirty.append(self)

    @property
    def has_ended(self) -> bool:
        """The whole stream is in Redis."""
        return self.log.end is not None and self.sent == len(self.log.events)
