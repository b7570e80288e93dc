"""gunicorn's gevent worker with an end in good order: the class that `gunicorn.conf.py` names.

gunicorn's own goes on taking connections for up to a second after it was told to stop, resets those
that wait in the queue when it closes it, waits for connections that are merely kept alive, and is
killed in the middle of its streams. A proxy in front makes lost requests of each of these.
"""

import gc
import time
from functools import partial
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

_TICK_S = 0.1
_QUIET_S = 0.5
"""The end comes when nothing has been asked for this long: what a proxy sends on a connection that
it had kept may be under way. Each answer says `Connection: close` now, so these run out."""
_LAST_WORDS_S = 5.0
"""For streams that are ended before their time to say so."""


class Worker(GeventWorker):
    """Serves until it is told to stop, then lets what is open end."""

    busy = 0
    """Requests under way."""

    def run(self) -> None:
        """What gunicorn calls; the worker ends when it returns."""
        gc.collect()
        gc.freeze()  # what is loaded by now stays: no collection has to look at it again
        self.wsgi.extensions["gateway.checkup"].start()
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self._tick()
        for server in servers:
            _close(server)
        relay = self.wsgi.extensions["gateway"]
        relay.draining = True
        self._wait_for_quiet(relay.drain_timeout_s)
        relay.stop()
        self._wait_for_quiet(_LAST_WORDS_S)

    def _wait_for_quiet(self, timeout_s: float) -> None:
        """Returns when nothing was asked for some time, or after the timeout."""
        deadline = time.monotonic() + timeout_s
        quiet_since = time.monotonic()
        while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
            self._tick()
            if self.busy:
                quiet_since = time.monotonic()

    def _tick(self) -> None:
        self.notify()
        gevent.sleep(_TICK_S)

    def handle_request(self, *args: Any) -> None:
        """Counts the requests under way."""
        self.busy += 1
        try:
            super().handle_request(*args)
        finally:
            self.busy -= 1

    def _serve(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        pool = Pool(self.worker_connections)
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=pool, **tls)
        if self.cfg.workers > 1:
            server.max_accept = 1  # the others want some too
        server.start()
        return server


def _close(server: StreamServer) -> None:
    """Takes who waits in the queue, who would be reset otherwise, then closes it."""
    server.stop_accepting()
    while not server.full() and (accepted := server.do_read()):
        server.do_handle(*accepted)
        gevent.sleep(0)  # its greenlet asks the listener for its name, while that is open
    server.close()
