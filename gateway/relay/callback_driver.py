"""The direct driver: what arrives is read, fed and sent in one go, from gevent's hub itself.

The ordinary way, the relay's, costs a token two switches of greenlets, a second look at each socket
and a question about its buffer. Here the event loop's watcher of the upstream's socket calls back,
the turn is fed, and what comes of it is written to the client's socket, past the server, as a chunk
of the response that the server has begun. Nothing here waits. Whatever would have to (a client that
is behind, the first and the last bytes of an answer, a heartbeat) goes the ordinary way, and so
does everything where the sockets are not plain ones.

Where a stream has a lane (:mod:`.lane`), a token goes by it: then all that happens to the token
happens in the one function `readable`, because a call costs as much here as the work it does.
"""

from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.hub import Waiter

from gateway.core.events import Event
from gateway.errors import UpstreamBroke
from gateway.relay.stream import Stream
from gateway.transport.lines import BROKE_OFF, READ_BYTES, ChunkedSocket


class Driven(Protocol):
    """The relay, as this driver sees it. Nothing in it may wait."""

    def take(self, stream: Stream, lines: list[bytes]) -> bool:
        """Feeds the turn; false: its reader is too far behind for more."""

    def tell(self, stream: Stream, events: list[Event], now: float) -> None:
        """Hands on what the turn made of a text."""

    def ask(self, stream: Stream, now: float) -> None:
        """Asks the summary model what the turn wants to know, if anything."""


def read(stream: Stream, wire: ChunkedSocket, relay: Driven, clock: Callable[[], float]) -> None:
    """Reads until the body has ended or the stream's reader is too far behind.

    Raises UpstreamBroke, or what the relay raises.
    """
    hub = gevent.get_hub()
    waiter = Waiter(hub)
    watcher = hub.loop.io(wire.socket.fileno(), 1)
    receive = wire.socket.recv

    def readable() -> None:
        try:
            try:
                data = receive(READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                raise UpstreamBroke(BROKE_OFF) from error
            lane = stream.lane
            if lane is not None and stream.is_clear and (carried := lane.carry(data)) is not None:
                text, frames = carried
                stream.reading_since = now = clock()
                if frames:
                    stream.pass_on(frames, 1, now)
                if events := lane.take(text, now):
                    relay.tell(stream, events, now)
                if not frames:
                    relay.ask(stream, now)
                return
            lines = wire.lines(data)
            goes_on = relay.take(stream, lines) if lines else True
            stream.find_lane(wire.at_boundary)
            if wire.is_broken:
                raise UpstreamBroke(BROKE_OFF)
            if goes_on and not wire.ended:
                return
        except BaseException as error:
            watcher.stop()
            waiter.throw(error)
        else:
            watcher.stop()
            waiter.switch(None)

    watcher.start(readable)
    try:
        waiter.get()
    finally:
        watcher.stop()
        watcher.close()
