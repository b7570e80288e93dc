"""gunicorn's gevent worker with a graceful stop and limits for slow clients.

gateway.server.gunicorn_settings names :class:`Worker`. It corrects five faults of gunicorn 27.0's
GeventWorker:

- After SIGTERM it accepts connections for up to a second, then resets those in the accept queue.
- It waits for idle keep-alive connections, and at the end cuts open streams without a word.
- One timeout (`keepalive`) covers the idle time and the head of a request, and no 408 is sent.
- It reads what the application leaves of a body to its end, however long that is.
- Idle connections count against `worker_connections` and can block all others.

Behind a proxy, each of the first two loses a request. Each override says what it replaces.
"""

import gc
import sys
import time
from contextlib import closing, suppress
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import wait_read
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from gateway.config import worker_number
from gateway.errors import MalformedRequest, RequestTimeout, TooManyWaiting
from gateway.loaded import loaded_config
from gateway.server.admin import AdminListener, AdminSocket
from gateway.server.body import discard_body, has_unread_body
from gateway.server.listener import start_listening, stop_listening
from gateway.server.malformed import refusal_of, refuse
from gateway.server.response_socket import ResponseSocket
from gateway.server.sockets import close_connection, set_user_timeout

_GC_THRESHOLD = 10_000
"""New objects between two garbage collections. Turns leave no cycles, and with 700, the default of
Python 3.11, the collections took 3 % of the time of short answers."""
_TICK_S = 0.1
"""Time between two rounds of the worker's main loop."""
_QUIET_S = 0.5
"""A draining worker exits after this long without a request, even if idle connections are left: a
proxy may have a request on the way. Responses say `Connection: close` meanwhile."""
_CLOSED_PER_TICK = 1 / 8
"""When every slot is taken, close this share of the idle connections per tick, oldest first."""
_STALL_MARGIN_S = 1.0
"""The kernel closes stalled connections this long after STALL_TIMEOUT_S, so that the sweeper, which
knows the streams, is first. The kernel's limit is for all other responses."""
_FAILURES_S = 5.0
"""After the drain: time for the streams that it has ended to send their failure."""
_QUIT_S = 1.0
"""The same after SIGQUIT or SIGINT. gunicorn 27.0's master kills the worker after two seconds."""


class HeadTimeout:
    """A context manager that limits the time in which a head must arrive.

    Raises RequestTimeout when the time is over. If TCP_USER_TIMEOUT has ended the connection since
    its last request, it raises StopIteration, on which gunicorn closes the connection; for the
    TimeoutError itself, gunicorn 27.0 would log a traceback.
    """

    def __init__(self, seconds: float) -> None:
        late = RequestTimeout("The head of the request did not arrive in time (REQUEST_TIMEOUT_S).")
        self._timeout = gevent.Timeout(seconds, late)

    def __enter__(self) -> None:
        self._timeout.start()

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        self._timeout.close()
        if isinstance(error, TimeoutError):
            raise StopIteration from error


class Worker(GeventWorker):
    """Serves until the worker has to stop, then lets open streams finish."""

    open_requests = 0
    admin_socket: Any = None
    """The listener of ADMIN_BIND, if there is one; gunicorn_settings sets it."""
    _admin: AdminListener | None = None

    def run(self) -> None:
        """Replaces GeventWorker.run. The worker exits when this returns."""
        gc.collect()
        gc.freeze()  # later collections skip what is loaded by now
        gc.set_threshold(_GC_THRESHOLD, 10, 10)
        _cache_settings(self.cfg)
        self._start_services()
        self._waiting = self.wsgi.extensions["gateway.waiting"]
        self._waiting.exempt(self.cfg.forwarded_allow_ips)
        self._connections = Pool(self.worker_connections)
        self._idle: dict[Any, None] = {}
        """Connections that wait for a request, in the order in which they became idle."""
        self._tls = ssl_context(self.cfg) if self.cfg.is_ssl else None
        servers = self._start_listening()
        while self.alive:  # gunicorn's SIGTERM handler sets it to False
            self._tick()
        for server in servers:
            stop_listening(server)
        self._drain()

    def _start_services(self) -> None:
        """Starts the application's background work in this worker."""
        services = self.wsgi.extensions
        services["gateway.health_checks"].start()
        if worker_number() == 0:  # one check for all workers
            services["gateway.startup_check"].start()
        services["gateway.relay"].reporter.start()
        services["gateway.channel"].start()
        if (store := services["gateway.store"]) is not None:
            store.start()

    def _start_listening(self) -> list[StreamServer]:
        """Accepts connections from clients, and from operators if ADMIN_BIND is set."""
        shared = self.cfg.workers > 1
        servers = [
            start_listening(listener, self.handle, self._connections, shared=shared)
            for listener in self.sockets
        ]
        if self.admin_socket is not None:
            self._admin = AdminListener(self.admin_socket, super().handle, shared=shared)
            servers.append(self._admin.server)
        return servers

    def _drain(self) -> None:
        """Lets the open streams finish; ends those that DRAIN_TIMEOUT_S leaves."""
        relay = self.wsgi.extensions["gateway.relay"]
        relay.draining = True
        self._wait_until_quiet(relay.drain_timeout_s)
        if self.open_requests or relay.kept.runs_that_go_on():
            relay.stop()
            self._wait_until_quiet(_FAILURES_S)
        if (store := self.wsgi.extensions["gateway.store"]) is not None:
            store.stop()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Replaces the handler of SIGQUIT and SIGINT, which cuts the streams after 0.1 s."""
        self.alive = False
        if self.booted:
            self.wsgi.extensions["gateway.relay"].stop()
        gevent.spawn_later(_QUIT_S, sys.exit, 0)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Called for each connection. Waits for a request, then lets gunicorn handle it."""
        set_user_timeout(client, loaded_config().stall_timeout_s + _STALL_MARGIN_S)
        if not self._wait_for_request(client):
            client.close()
            return
        try:
            self._waiting.begin(_address(addr))
            if self._tls is None:
                super().handle(listener, client, addr)
            else:
                # The client speaks no TLS, is too slow, or is gone.
                with suppress(OSError, RequestTimeout, StopIteration):
                    self._handle_tls(listener, client, addr)
        except TooManyWaiting as error:
            if self._tls is None:
                self.handle_error(None, client, addr, error)
            client.close()
        finally:
            self._waiting.end()

    def _handle_tls(self, listener: Any, client: Any, addr: Any) -> None:
        """Does the handshake itself: in gevent 26.9's StreamServer it has no time limit."""
        assert self._tls is not None
        encrypted = self._tls.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        with closing(encrypted):
            with self.timeout_ctx():
                encrypted.do_handshake()
            if self._wait_for_request(encrypted):
                super().handle(listener, encrypted, addr)

    def timeout_ctx(self) -> HeadTimeout:
        """Replaces the `keepalive` timeout in which gunicorn waits for a head and reads it."""
        return HeadTimeout(loaded_config().request_timeout_s)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Called for a head that is too slow or malformed."""
        refusal = refusal_of(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        if isinstance(refusal, MalformedRequest):
            peer = addr[0] if addr else "a Unix socket"
            self.log.warning("Invalid request from ip=%s: %s", peer, refusal.message)
        self.wsgi.extensions["gateway.metrics"].count_error_response(refusal)
        refuse(client, refusal)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Called for each request. Returns when the next request begins to arrive.

        Raises StopIteration, on which gunicorn closes the connection, if there will be none.
        """
        self.open_requests += 1
        if not has_unread_body(req):
            self._waiting.end()
        is_admin = self._admin is not None and listener_name == self._admin.address
        client = sock
        if type(sock) is gevent.socket.socket:  # not for TLS
            client = AdminSocket(sock) if is_admin else ResponseSocket(sock)
        if is_admin:
            req.force_close()
        try:
            super().handle_request(listener_name, req, client, addr)
        except TimeoutError as error:  # TCP_USER_TIMEOUT; gunicorn would log a traceback
            raise StopIteration from error
        finally:
            self.open_requests -= 1
            if client is not sock:
                with suppress(OSError):  # if the client is gone, discard_body finds out
                    client.flush()
            was_read = discard_body(req, sock)
            self._waiting.end()
        if is_admin:
            raise StopIteration
        if was_read and req.unreader.buf.tell():
            gevent.sleep(0)  # the next request is here already: let others run first
        elif not was_read or not self._wait_for_request(sock):
            raise StopIteration
        self._waiting.begin(_address(addr))

    def _wait_for_request(self, client: Any) -> bool:
        """Waits for the first byte of a request. Returns False if the client is idle too long."""
        if hasattr(client, "pending") and client.pending():  # TLS: decrypted, not in the kernel
            return True
        self._idle[client] = None
        try:
            wait_read(client.fileno(), timeout=self.cfg.keepalive)
        except TimeoutError:
            return False
        finally:
            del self._idle[client]
        return True

    def _wait_until_quiet(self, timeout_s: float) -> None:
        """Returns when the worker has nothing left to do, or after `timeout_s`.

        It has something to do while a request is open, or a run whose stream clients can read at
        other workers. Idle connections keep it only for _QUIET_S.
        """
        kept = self.wsgi.extensions["gateway.relay"].kept
        deadline = time.monotonic() + timeout_s
        quiet_since = time.monotonic()
        while (self._connections or kept.runs_that_go_on()) and time.monotonic() < min(
            deadline, quiet_since + _QUIET_S
        ):
            self._tick()
            if self.open_requests or kept.runs_that_go_on():
                quiet_since = time.monotonic()

    def _tick(self) -> None:
        self.notify()  # or gunicorn's master kills the worker
        if self._connections.full():
            for client in list(self._idle)[: 1 + int(len(self._idle) * _CLOSED_PER_TICK)]:
                close_connection(client)
        gevent.sleep(_TICK_S)


def _address(addr: Any) -> str:
    """The client's IP address; "" on a Unix socket."""
    return addr[0] if isinstance(addr, tuple) else ""


def _cache_settings(settings: Any) -> None:
    """Makes gunicorn's settings plain attributes.

    gunicorn 27.0 reads 27 settings per request, each through `__getattr__` and `Setting.get`.
    """
    vars(settings).update({name: made.get() for name, made in settings.settings.items()})
