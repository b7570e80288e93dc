"""gunicorn's gevent worker with an end in good order: the class that `gunicorn.conf.py` names.

gunicorn's own goes on taking connections for up to a second after it was told to stop, resets those
that wait in the queue when it closes it, waits for connections that are merely kept alive, and is
killed in the middle of its streams. A proxy in front makes lost requests of each of these. It also
has no time limit for the head of a request, and takes an endless body to its end.
"""

import gc
import socket
import sys
import time
from contextlib import closing, suppress
from functools import partial
from typing import Any, NamedTuple

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import wait_read
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.util import write_error
from gunicorn.workers.ggevent import GeventWorker

from gateway.errors import RequestTimeout
from gateway.loaded import loaded_config
from gateway.server.body import PIECE_BYTES
from gateway.server.response_socket import Outlet, hang_up

_COLLECT_AFTER = 10_000
"""New objects between two collections, which find next to nothing: turns leave no cycles behind.
With Python's own 700 they took 3 % of the time of short answers."""
_TICK_S = 0.1
_QUIET_S = 0.5
"""While connections are kept, the end comes when nothing has been asked for this long: what a proxy
sends on one may be under way. Each answer says `Connection: close` now, so these run out."""
_MAKING_ROOM = 8
"""Such a part of the silent connections is let go in a tick in which no other could be taken."""
_LINGER_S = 5.0
"""So long a body that nobody wants is taken and thrown away."""
_AFTER_STREAMS_S = 1.0
"""Whoever takes nothing is let go by the kernel so long after STALL_TIMEOUT_S, at which streams are
let go by the sweeper, who knows them. It may be no stream that is not taken, but a page."""
_HAS_USER_TIMEOUT = hasattr(socket, "TCP_USER_TIMEOUT")  # Linux has it
_LAST_WORDS_S = 5.0
"""For streams that are ended before their time to say so."""
_HURRY_S = 1.0
"""The same, when all has to end at once; the master kills after two."""


class Worker(GeventWorker):
    """Serves until it is told to stop, then lets what is open end."""

    busy = 0
    """Requests under way."""

    def run(self) -> None:
        """What gunicorn calls; the worker ends when it returns."""
        gc.collect()
        gc.freeze()  # what is loaded by now stays: no collection has to look at it again
        gc.set_threshold(_COLLECT_AFTER, 10, 10)
        _settle(self.cfg)
        self.wsgi.extensions["gateway.health_checks"].start()
        self._connections = Pool(self.worker_connections)
        self._silent: dict[Any, None] = {}
        """Connections on which nothing comes, the one that has been silent for longest first."""
        self._tls = ssl_context(self.cfg) if self.cfg.is_ssl else None
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self._tick()
        for server in servers:
            _close(server)
        relay = self.wsgi.extensions["gateway"]
        relay.draining = True
        self._wait_for_quiet(relay.drain_timeout_s)
        if self.busy:
            relay.stop()
            self._wait_for_quiet(_LAST_WORDS_S)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """What gunicorn calls when it is to end at once; open streams still say so."""
        self.alive = False
        if self.booted:
            self.wsgi.extensions["gateway"].stop()
        gevent.spawn_later(_HURRY_S, sys.exit, 0)

    def _wait_for_quiet(self, timeout_s: float) -> None:
        """Returns when nobody is there or nothing was asked for some time, or after the timeout."""
        deadline = time.monotonic() + timeout_s
        quiet_since = time.monotonic()
        while self._connections and time.monotonic() < min(deadline, quiet_since + _QUIET_S):
            self._tick()
            if self.busy:
                quiet_since = time.monotonic()

    def _tick(self) -> None:
        self.notify()
        if self._connections.full():
            for client in list(self._silent)[: 1 + len(self._silent) // _MAKING_ROOM]:
                hang_up(client)  # others may want to ask something
        gevent.sleep(_TICK_S)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serves a connection, once something comes on it."""
        if _HAS_USER_TIMEOUT and client.family in (socket.AF_INET, socket.AF_INET6):
            patience_s = loaded_config().stall_timeout_s + _AFTER_STREAMS_S
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * patience_s))
        if not self._hears(client):
            client.close()
        elif self._tls is None:
            super().handle(listener, client, addr)
        else:
            with suppress(OSError, RequestTimeout):  # it speaks no TLS, or does not go on
                encrypted = self._tls.wrap_socket(
                    client, server_side=True, do_handshake_on_connect=False
                )
                with closing(encrypted):
                    with self.timeout_ctx():
                        encrypted.do_handshake()
                    if self._hears(encrypted):
                        super().handle(listener, encrypted, addr)

    def timeout_ctx(self) -> gevent.Timeout:
        """What gunicorn reads a head in, whose first bytes are there."""
        late = RequestTimeout("The head of the request did not come in time (REQUEST_TIMEOUT_S).")
        return gevent.Timeout(loaded_config().request_timeout_s, late)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """What gunicorn calls when a head could not be read."""
        if not isinstance(exc, RequestTimeout):
            if isinstance(exc, ParseException):
                _hide_quotes(exc)
            super().handle_error(req, client, addr, exc)
            return
        self.wsgi.extensions["gateway.metrics"].refused(exc)
        with suppress(OSError):  # it may be gone as well
            write_error(client, exc.status, "Request Timeout", exc.message)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Counts the requests under way; returns when there may be another on the connection."""
        self.busy += 1
        client = Outlet(sock) if type(sock) is gevent.socket.socket else sock
        try:
            super().handle_request(listener_name, req, client, addr)
        except TimeoutError as gone:  # it took nothing, or its machine does not answer
            raise StopIteration from gone
        finally:
            self.busy -= 1
            if client is not sock:
                with suppress(OSError):  # who is gone is found to be so below
                    client.flush()
            was_taken = _take_rest(req, sock)
        if was_taken and req.unreader.buf.tell():
            gevent.sleep(0)  # who asks without a pause never lets others run
        elif not was_taken or not self._hears(sock):
            raise StopIteration

    def _hears(self, client: Any) -> bool:
        """Waits for the first byte of a request, as long as a silent connection is kept."""
        if hasattr(client, "pending") and client.pending():
            return True
        self._silent[client] = None
        try:
            wait_read(client.fileno(), timeout=self.cfg.keepalive)
        except TimeoutError:
            return False
        finally:
            del self._silent[client]
        return True

    def _serve(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        handle = partial(self.handle, _Listener(listener.getsockname()))
        server = StreamServer(listener, handle=handle, spawn=self._connections)
        if self.cfg.workers > 1:
            server.max_accept = 1  # the others want some too
        server.start()
        return server


def _settle(settings: Any) -> None:
    """gunicorn's settings become plain attributes: it reads 27 a request, in two calls each."""
    vars(settings).update({name: made.get() for name, made in settings.settings.items()})


def _close(server: StreamServer) -> None:
    """Takes who waits in the queue, who would be reset otherwise, then closes it."""
    server.stop_accepting()
    while not server.full() and (accepted := server.do_read()):
        server.do_handle(*accepted)
    server.close()


class _Listener(NamedTuple):
    """All that a connection asks of the one that it came by, which may be closed by then."""

    name: Any

    def getsockname(self) -> Any:
        return self.name


def _hide_quotes(fault: ParseException) -> None:
    """What could not be read would be logged, and may be a key, or the end of a prompt whose
    client counted characters for bytes."""
    for name, value in vars(fault).items():
        if isinstance(value, str | bytes) and name != "msg":  # gunicorn's own words
            setattr(fault, name, "…")


def _take_rest(req: Any, client: Any) -> bool:
    """Takes what nobody has read of a body, for some time; true: that was all of it.

    Closed while its client still sends, a connection would be reset, and with it the answer lost.
    """
    if not req.body.failed and getattr(req.body.reader, "length", None) == 0:
        return True  # as nearly always
    with gevent.Timeout(_LINGER_S, False), suppress(Exception):
        while not req.body.failed and req.body.read(PIECE_BYTES):
            gevent.sleep(0)
        if not req.body.failed:
            return True
        client.shutdown(socket.SHUT_WR)
        while client.recv(PIECE_BYTES):
            gevent.sleep(0)
    return False
