"""Finds the streams of all workers by their ids: on this host and, with a store, on all hosts.

The id of a stream names the worker that serves it. So any worker can pass a request about a stream
on to that worker: over its socket on this host, or through the store. The events of a kept stream
are read from the store, if there is one.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from gateway.apis.kept import StreamInfo
from gateway.config import Principal
from gateway.core.events import Event, decode_events
from gateway.errors import (
    Cancelled,
    GatewayError,
    RemoteError,
    StoreAway,
    StreamGone,
    StreamNotFound,
)
from gateway.relay.event_queue import EventSource
from gateway.relay.ids import Place, new_id, place_of
from gateway.relay.kept import KeptStream
from gateway.relay.relay import Relay
from gateway.relay.remote_source import RemoteSource, head_in, lines_of
from gateway.server.channel import Channel, WorkerGone
from gateway.store.base import Handler, OwnerGone, StoredStream, StreamStore

_STOP_S = 5.0
"""Seconds in which a stopped run has to end."""
_T = TypeVar("_T")


class OpenedStream(NamedTuple):
    """A kept stream, open for reading from its first event. The source must be closed."""

    info: StreamInfo
    source: EventSource
    length: int
    """The number of the last event so far. While the stream is in progress, no client has seen a
    later one."""
    has_ended: bool

    def is_over(self, after: int) -> bool:
        """Whether no event comes after the one with this number."""
        return self.has_ended and after >= self.length


class Streams:
    """Reaches the streams of this worker and of the others."""

    def __init__(
        self, relay: Relay, channel: Channel, place: Place, store: StreamStore | None = None
    ) -> None:
        """place: this worker's own."""
        self._relay = relay
        self._channel = channel
        self._place = place
        self._store = store
        for name, handler in (
            ("answer_now", self._answer_now),
            ("stop", self._stop),
            ("forget", self._forget),
        ):
            channel.add(name, self._in_this_life(handler))
            if store is not None:
                store.add_handler(name, self._in_this_life(handler))
        channel.add("read", self._in_this_life(self._read))

    def new_id(self) -> str:
        """Returns the id of a new stream of this worker."""
        return new_id(self._place)

    def answer_now(self, id: str, principal: Principal) -> None:
        """Makes a stream end its thinking. Raises StreamNotFound, or Conflict with the reason."""
        self._call("answer_now", id, principal)

    def stop(self, id: str, principal: Principal) -> bool:
        """Stops a stream in progress, kept or not, and waits for its end.

        Returns False if it had ended before. Raises StreamNotFound, StreamGone or StoreAway.
        """
        store = self._store_of(id)
        if store is None:
            return any(self._call("stop", id, principal))
        with suppress(StoreAway, StreamNotFound, StreamGone):
            # Its worker may be alive although it counts as dead, so the store decides.
            if self._find_stored(store, id, principal).has_ended:
                return False
        try:
            return any(self._call("stop", id, principal))
        except (StreamNotFound, StreamGone):
            if not self._find_stored(store, id, principal, exact=True).has_ended:
                raise StoreAway("the worker does not answer, and may live") from None
            return False

    def forget(self, id: str, principal: Principal) -> None:
        """Deletes a kept stream. Raises StreamNotFound, StreamGone or StoreAway."""
        store = self._store_of(id)
        if store is None:
            self._call("forget", id, principal)
            return
        self._find_stored(store, id, principal)
        with suppress(StreamNotFound, StreamGone):
            self._call("forget", id, principal)
        store.delete(id)

    def open(self, id: str, principal: Principal) -> OpenedStream:
        """Opens a kept stream for reading. Raises StreamNotFound, StreamGone or StoreAway."""
        store = self._store_of(id)
        if store is None:
            return self._open_at_worker(id, principal)

        def open_stored() -> OpenedStream:
            stream = self._find_stored(store, id, principal)
            source = store.open(id, str(place_of(id)))
            return OpenedStream(stream.info, source, stream.end_number, stream.has_ended)

        return self._or_at_worker(open_stored, lambda: self._open_at_worker(id, principal))

    def snapshot(self, id: str, principal: Principal) -> tuple[StreamInfo, list[Event]]:
        """Returns a kept stream and its events so far.

        Raises StreamNotFound, StreamGone or StoreAway.
        """
        store = self._store_of(id)
        if store is None:
            return self._snapshot_at_worker(id, principal)

        def read_stored() -> tuple[StreamInfo, list[Event]]:
            stream = self._find_stored(store, id, principal, exact=True)
            return stream.info, store.events(id)

        return self._or_at_worker(read_stored, lambda: self._snapshot_at_worker(id, principal))

    def _store_of(self, id: str) -> StreamStore | None:
        """Returns the store to ask for a stream; None: a worker of this host has to be asked."""
        return None if self._relay.kept.has(id) else self._store

    def _or_at_worker(self, from_store: Callable[[], _T], at_worker: Callable[[], _T]) -> _T:
        """Returns the store's result or, if the store can't be reached, that of a worker here."""
        try:
            return from_store()
        except StoreAway as away:
            try:
                return at_worker()
            except GatewayError:
                raise away from None

    def _find_stored(
        self, store: StreamStore, id: str, principal: Principal, *, exact: bool = False
    ) -> StoredStream:
        try:
            found = store.find(id, str(self._find_place(id)), exact=exact)
        except OwnerGone:
            raise StreamGone(id) from None
        # A stream that ends when its client leaves is stored after its end, in several steps.
        if (
            found is None
            or found.info.principal != principal.name
            or (found.info.keep == "ended" and not found.has_ended)
        ):
            raise StreamNotFound(id)
        return found

    def _open_at_worker(self, id: str, principal: Principal) -> OpenedStream:
        place = self._find_place(id)
        if place == self._place:
            kept = self._find_kept(id, principal.name)
            log = kept.log
            return OpenedStream(kept.info, log.open(), len(log.events), log.end is not None)
        lines = self._ask(place, "read", id, principal)
        head = head_in(lines)
        return OpenedStream(head.info, RemoteSource(lines), head.length, head.has_ended)

    def _snapshot_at_worker(self, id: str, principal: Principal) -> tuple[StreamInfo, list[Event]]:
        place = self._find_place(id)
        if place == self._place:
            kept = self._find_kept(id, principal.name)
            return kept.info, list(kept.log.events)
        lines = self._ask(place, "read", id, principal, follow=False)
        return head_in(lines).info, [event for line in lines for event in decode_events(line)]

    def _call(self, name: str, id: str, principal: Principal) -> list[Any]:
        """Returns the answers of a stream's worker. Raises its errors, or StreamGone."""
        place = self._find_place(id)
        store = self._store
        if store is None or place == self._place:
            return list(self._ask(place, name, id, principal))

        def call() -> list[Any]:
            arguments = {"life": place.life, "id": id, "principal": principal.name}
            try:
                return store.call(str(place), name, **arguments)
            except OwnerGone:
                raise StreamGone(id) from None
            except RemoteError as error:
                raise _as_here(error, id) from None

        return self._or_at_worker(call, lambda: list(self._ask(place, name, id, principal)))

    def _ask(
        self, place: Place, name: str, id: str, principal: Principal, **more: Any
    ) -> Iterator[Any]:
        """Yields the answers of a worker of this host. Raises its errors, or StreamGone."""
        arguments = {"life": place.life, "id": id, "principal": principal.name, **more}
        try:
            yield from self._channel.call(place.worker, name, **arguments)
        except WorkerGone:
            raise StreamGone(id) from None
        except RemoteError as error:
            raise _as_here(error, id) from None

    def _find_place(self, id: str) -> Place:
        place = place_of(id)
        if place is None:
            raise StreamNotFound(id)
        return place

    def _find_kept(self, id: str, principal: str) -> KeptStream:
        kept = self._relay.kept.find(id, principal)
        if kept is None or not kept.can_be_read:
            raise StreamNotFound(id)
        return kept

    def _in_this_life(self, handler: Handler) -> Handler:
        """Returns the handler with a check: it refuses the streams of earlier workers with the same
        number."""

        def handle(life: int, id: str, **arguments: Any) -> Iterator[Any]:
            if life != self._place.life:
                raise StreamGone(id)
            yield from handler(id, **arguments)

        return handle

    # Handlers for the calls of other workers

    def _answer_now(self, id: str, principal: str) -> Iterator[Any]:
        run = self._relay.find(id, principal)
        if run is None:
            raise StreamNotFound(id)
        self._relay.answer_now(run)
        yield True

    def _stop(self, id: str, principal: str) -> Iterator[Any]:
        run = self._relay.find(id, principal)
        if run is None:
            self._find_kept(id, principal)  # it has ended already
        elif run.pump is not None:
            run.fail(Cancelled())
            run.pump.join(_STOP_S)
        yield run is not None

    def _forget(self, id: str, principal: str) -> Iterator[Any]:
        self._find_kept(id, principal)
        self._relay.kept.forget(id)
        yield True

    def _read(self, id: str, principal: str, follow: bool = True) -> Iterator[str]:
        kept = self._find_kept(id, principal)
        yield from lines_of(kept.info, kept.log, follow=follow)


def _as_here(error: RemoteError, id: str) -> GatewayError:
    """Returns another worker's error as an error of the class that this worker would raise."""
    for kind in (StreamNotFound, StreamGone):
        if error.code == kind.code:
            return kind(id)
    return error
