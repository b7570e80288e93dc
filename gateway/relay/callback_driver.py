"""The callback driver: reads, feeds and sends in one go, from gevent's hub itself.

The plain driver (:mod:`.pump`) costs a token two greenlet switches, a second look at each socket
and a question about its buffer. Here the event loop's watcher of the upstream's socket calls back,
the turn is fed, and its events are written to the client's socket past the server. Nothing here
may wait. Whatever has to wait (a client that is behind, the first and last bytes of an answer, a
heartbeat) goes through the queue, and sockets that are not plain ones use the plain driver.
"""

from collections.abc import Callable
from typing import Protocol

import gevent
from gevent.hub import Waiter

from gateway.core.events import Event
from gateway.core.steady import Feeder
from gateway.errors import UpstreamBroke
from gateway.relay.run import Run
from gateway.transport.lines import BROKE_OFF, READ_BYTES, ChunkedSocket


class RelayCallbacks(Protocol):
    """The pump, as this driver needs it. Nothing in it may wait."""

    def on_events(self, run: Run, events: list[Event], now: float) -> bool:
        """Hands on what the turn made of a read; False: the client is too far behind for more.

        Raises what broke in the stream.
        """


def read_body(
    run: Run, body: ChunkedSocket, relay: RelayCallbacks, clock: Callable[[], float]
) -> None:
    """Reads until the body has ended or the client is too far behind.

    Raises UpstreamBroke, or what the relay raises.
    """
    hub = gevent.get_hub()
    waiter = Waiter(hub)
    watcher = hub.loop.io(body.socket.fileno(), 1)
    receive = body.socket.recv
    feeder = Feeder(run.turn, body.lines, lambda: body.at_boundary)

    def on_readable() -> None:
        try:
            try:
                data = receive(READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                raise UpstreamBroke(BROKE_OFF) from error
            now = clock()
            run.calling_since, run.reading_since = None, now  # Run.on_read, without a call
            goes_on = relay.on_events(run, feeder.feed(data, now), now)
            if body.is_broken:
                raise UpstreamBroke(BROKE_OFF)
            if goes_on and not body.ended:
                return
        except BaseException as error:
            watcher.stop()
            waiter.throw(error)
        else:
            watcher.stop()
            waiter.switch(None)

    watcher.start(on_readable)
    try:
        waiter.get()
    finally:
        watcher.stop()
        watcher.close()
