"""What the relay needs of a store of streams."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from gateway.apis.kept import StreamInfo
from gateway.core.events import Done, Event, Failed

UNSTORED = 1_000_000
"""Added to the number of the failure that ends a lost stream. A client may have read events from
the stream's worker that the worker could not store. So the failure gets a number that no client can
have seen."""

Handler = Callable[..., Iterable[Any]]
"""Takes the arguments of a call by name and yields JSON values. Raises GatewayError."""


class RunLog(Protocol):
    """The events of a run, as the store needs them. See EventLog."""

    events: list[Event]
    end: Done | Failed | None
    on_record: Callable[[], None] | None
    """Called after new events were added. It may not wait."""


class Source(Protocol):
    """The events of a stored stream, for one delivery. See EventSource."""

    def read(self) -> tuple[int, list[Event]]: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...


class StoredStream(NamedTuple):
    """The present state of a stream in the store."""

    info: StreamInfo
    end_number: int
    """The number of the last event. While the stream goes on: a number above all that a client can
    have seen."""
    has_ended: bool


class StoreStatus(NamedTuple):
    """Whether a worker reaches the store."""

    up: bool
    error: str = ""
    """Why the worker does not reach it."""


class StreamStore(Protocol):
    """The store of all hosts' streams, as one worker uses it.

    place: the digits in a stream's id that identify its worker; see gateway.relay.ids.
    """

    place: str
    """The place of this worker."""

    def start(self) -> None:
        """Connects, and begins to read and write. May wait some seconds for the connection."""

    def stop(self) -> None:
        """Stores the remaining events, and lets the others know that this worker has ended."""

    def status(self) -> StoreStatus:
        """Whether this worker reaches the store."""

    def add(self, info: StreamInfo, log: RunLog) -> None:
        """Starts to store a stream of this worker."""

    def forget(self, id: str) -> None:
        """Deletes a stream of this worker."""

    def find(self, id: str, place: str, *, exact: bool = False) -> StoredStream | None:
        """Returns the state of any worker's stream; None: there is no such stream.

        exact: waits until its worker has stored all present events.

        Raises StoreAway, or OwnerGone if the worker has died and nothing of the stream is stored.
        """

    def events(self, id: str) -> list[Event]:
        """Returns the events of a stream that :meth:`find` has found. Raises StoreAway."""

    def open(self, id: str, place: str) -> Source:
        """Begins to read a stream that :meth:`find` has found."""

    def delete(self, id: str) -> None:
        """Deletes a stream of any worker. Raises StoreAway."""

    def add_handler(self, name: str, handler: Handler) -> None:
        """Makes a handler answer the calls of this name."""

    def call(self, place: str, name: str, **arguments: Any) -> list[Any]:
        """Calls a worker; returns the values of its answer.

        Raises the handler's error, OwnerGone or StoreAway.
        """


class OwnerGone(Exception):
    """The worker has ended, or does not answer."""
