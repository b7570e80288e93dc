"""The callback driver: reads, feeds and sends in one go, from gevent's hub itself.

For each token, the plain driver (:mod:`.pump`) needs two greenlet switches, a second look at each
socket and a question about its buffer. Here, the event loop calls back when the upstream's socket
has data. The callback feeds the turn, and writes the events directly to the client's socket.
Nothing in this module may wait. Events that have to wait (for a client that is behind, or because
they are the first or last of an answer) and heartbeats go through the queue.
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
    """The methods of the pump that this driver calls. They must not wait."""

    def on_events(self, run: Run, events: list[Event], now: float) -> bool:
        """See Pump.on_events."""


def read_body(
    run: Run, body: ChunkedSocket, relay: RelayCallbacks, clock: Callable[[], float]
) -> None:
    """Reads until the body has ended or the client is too far behind.

    Raises UpstreamBroke, or the errors of `relay.on_events`.
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
            run.calling_since, run.reading_since = None, now  # Run.on_read, inlined for speed
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
