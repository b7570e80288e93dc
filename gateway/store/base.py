"""What the relay needs of a store of streams."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from gateway.apis.kept import StreamInfo
from gateway.core.events import Done, Event, Failed

UNSTORED = 1_000_000
"""A client may have read events from the worker that ran a stream, before that one could store
them. The failure that ends a lost stream has a number that is higher by this, so that it is never
one that the client has seen."""

Handler = Callable[..., Iterable[Any]]
"""Takes the arguments of a call by name and yields JSON values. Raises GatewayError."""


class Log(Protocol):
    """The events of a run, as the store sees them. See EventLog."""

    events: list[Event]
    end: Done | Failed | None
    on_record: Callable[[], None] | None
    """Called when there are more events. May not wait."""


class Source(Protocol):
    """The events of a stored stream, for one delivery. See EventSource."""

    def read(self) -> tuple[int, list[Event]]: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class StoredStream(NamedTuple):
    """A stream as the store has it now."""

    info: StreamInfo
    end_number: int
    """The number of the last event; of a stream under way, one that no client can have seen."""
    has_ended: bool


class StoreStatus(NamedTuple):
    """Whether a worker reaches the store."""

    up: bool
    error: str = ""
    """Why it does not."""


class StreamStore(Protocol):
    """Where the streams of all hosts are."""

    place: str
    """The digits of an id that name this worker."""

    def start(self) -> None:
        """Connects. May wait for a moment."""

    def stop(self) -> None:
        """Stores what is not stored yet, and says that this worker has ended."""

    def status(self) -> StoreStatus:
        """Whether the store is reached."""

    def add(self, info: StreamInfo, log: Log) -> None:
        """Stores a stream of this worker from now on."""

    def forget(self, id: str) -> None:
        """Keeps a stream of this worker no longer."""

    def find(self, id: str, place: str, *, exact: bool = False) -> StoredStream | None:
        """Returns a stream of any worker. Raises StoreAway, or OwnerGone: nothing is left of it.

        exact: with all that its worker has of it by now.
        """

    def events(self, id: str) -> list[Event]:
        """Returns the events of a stream that was found. Raises StoreAway."""

    def open(self, id: str, place: str) -> Source:
        """Begins to read a stream that was found."""

    def delete(self, id: str) -> None:
        """Keeps a stream of any worker no longer. Raises StoreAway."""

    def add_handler(self, name: str, handler: Handler) -> None:
        """Answers calls of this name."""

    def call(self, place: str, name: str, **arguments: Any) -> list[Any]:
        """Returns what a worker answers. Raises what it raises, OwnerGone or StoreAway."""


class OwnerGone(Exception):
    """The worker has ended, or does not answer."""
