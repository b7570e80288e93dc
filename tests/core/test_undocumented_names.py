"""Every private or undocumented name of a library that the gateway uses, and the file that uses it.

An upgrade may remove these names without notice. Then this test names the file to change. It also
fails when the file no longer uses the name, and when a file uses a private name that is not listed.
Versions: gevent 26.9, urllib3 2.8, requests 2.34, gunicorn 27.0, prometheus_client 0.26.
"""

import ast
import functools
import http.client
import inspect
import io
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import gevent.hub
import gevent.server
import gevent.socket
import gunicorn.arbiter
import gunicorn.http
import gunicorn.http.errors
import gunicorn.http.wsgi
import gunicorn.sock
import gunicorn.util
import prometheus_client.mmap_dict
import prometheus_client.values
import pytest
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.util.connection
from gunicorn.config import Config
from gunicorn.workers.ggevent import GeventWorker
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.mmap_dict import MmapedDict

from gateway.server.worker import Worker
from tests.programs import ROOT

# --- Objects that have the names ------------------------------------------------------------------


@functools.cache
def gevent_socket() -> Any:
    return gevent.socket.socket()


@functools.cache
def urllib3_response() -> Any:
    return urllib3.HTTPResponse(io.BytesIO(), preload_content=False)


@functools.cache
def stdlib_response() -> Any:
    """http.client's response, as urllib3 has it in `_fp`."""
    ours, theirs = socket.socketpair()
    response: Any = http.client.HTTPResponse(ours)
    response.sockets = ours, theirs  # kept open
    return response


@functools.cache
def gunicorn_request() -> Any:
    data = [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"]
    return next(gunicorn.http.RequestParser(Config(), iter(data), ("127.0.0.1", 1)))


@functools.cache
def gunicorn_worker() -> Any:
    app = SimpleNamespace(wsgi=lambda: None)
    worker = GeventWorker(1, 1, [], app, 1, Config(), None)
    worker.load_wsgi()
    return worker


@functools.cache
def histogram() -> Any:
    return Histogram("seconds", "help", buckets=[1], registry=CollectorRegistry())


class Use(NamedTuple):
    """A file uses a name that an object of a library has."""

    file: str
    name: str
    library: str
    owner: Callable[[], Any]
    """Returns the object that has the name: as an attribute, or as a key if it is a dict."""


LINES = "gateway/transport/lines.py"
CLIENT = "gateway/transport/client.py"
SESSION = "gateway/transport/session.py"
RESPONSE_SOCKET = "gateway/server/response_socket.py"
WORKER = "gateway/server/worker.py"
LISTENER = "gateway/server/listener.py"
BODY = "gateway/server/body.py"
SOCKETS = "gateway/server/sockets.py"
DRIVER = "gateway/relay/callback_driver.py"
METRICS = "gateway/observe/metrics.py"
RESERVED = "gateway/observe/reserved_file.py"
CONF = "gateway/server/gunicorn_settings.py"

USES = [
    # The plain socket under gevent's, which is read and written without a greenlet.
    Use(LINES, "_sock", "gevent", gevent_socket),
    Use(RESPONSE_SOCKET, "_sock", "gevent", gevent_socket),
    Use(SOCKETS, "_sock", "gevent", gevent_socket),
    # The callback driver waits for the hub, and for its own watcher.
    Use(DRIVER, "Waiter", "gevent", lambda: gevent.hub),
    Use(DRIVER, "throw", "gevent", lambda: gevent.hub.Waiter),
    Use(DRIVER, "switch", "gevent", lambda: gevent.hub.Waiter),
    Use(DRIVER, "io", "gevent", lambda: gevent.get_hub().loop),
    # A stop serves the connections that wait in the listener's queue.
    Use(LISTENER, "stop_accepting", "gevent", lambda: gevent.server.StreamServer),
    Use(LISTENER, "do_read", "gevent", lambda: gevent.server.StreamServer),
    Use(LISTENER, "do_handle", "gevent", lambda: gevent.server.StreamServer),
    Use(LISTENER, "full", "gevent", lambda: gevent.server.StreamServer),
    # The way from a response to its socket, and back to the pool.
    Use(LINES, "_fp", "urllib3", urllib3_response),
    Use(LINES, "_original_response", "urllib3", urllib3_response),
    Use(LINES, "chunked", "urllib3", urllib3_response),
    Use(LINES, "fp", "http.client", stdlib_response),
    Use(LINES, "raw", "http.client", lambda: stdlib_response().fp),
    Use(LINES, "_sock", "http.client", lambda: stdlib_response().fp.raw),
    # Whether a call went over a new connection, or over one that the upstream had closed.
    Use(CLIENT, "num_connections", "urllib3", lambda: urllib3.HTTPConnectionPool("127.0.0.1")),
    # Connections of our own classes.
    Use(SESSION, "is_connected", "urllib3", lambda: urllib3.connection.HTTPConnection),
    Use(SESSION, "_new_conn", "urllib3", lambda: urllib3.connection.HTTPSConnection),
    Use(SESSION, "_dns_host", "urllib3", lambda: urllib3.connection.HTTPConnection("a")),
    Use(SESSION, "_read_status", "python", lambda: http.client.HTTPResponse),
    Use(SESSION, "response_class", "python", lambda: urllib3.connection.HTTPConnection),
    Use(SESSION, "ConnectionCls", "urllib3", lambda: urllib3.HTTPConnectionPool),
    Use(SESSION, "pool_classes_by_scheme", "urllib3", urllib3.PoolManager),
    Use(SESSION, "poolmanager", "requests", requests.adapters.HTTPAdapter),
    Use(SESSION, "request_url", "requests", lambda: requests.adapters.HTTPAdapter),
    Use(SESSION, "build_response", "requests", lambda: requests.adapters.HTTPAdapter),
    # gunicorn documents how to name a worker class, not what one may override and use.
    *(
        Use(WORKER, name, "gunicorn", gunicorn_worker)
        for name in ("handle", "handle_request", "handle_error", "handle_quit", "timeout_ctx")
    ),
    *(
        Use(WORKER, name, "gunicorn", gunicorn_worker)
        for name in ("alive", "booted", "cfg", "notify", "sockets", "worker_connections", "wsgi")
    ),
    Use(WORKER, "settings", "gunicorn", Config),
    Use(WORKER, "forwarded_allow_ips", "gunicorn", Config),
    Use(WORKER, "is_ssl", "gunicorn", Config),
    Use(WORKER, "get", "gunicorn", lambda: Config().settings["bind"]),
    Use(WORKER, "ssl_context", "gunicorn", lambda: gunicorn.sock),
    *(
        Use("gateway/server/malformed.py", name, "gunicorn", lambda: gunicorn.http.errors)
        for name in ("ParseException", "InvalidRequestLine", "InvalidResponseHeader")
    ),
    Use(WORKER, "unreader", "gunicorn", gunicorn_request),
    Use(WORKER, "force_close", "gunicorn", gunicorn_request),
    Use(WORKER, "buf", "gunicorn", lambda: gunicorn_request().unreader),
    Use(BODY, "body", "gunicorn", gunicorn_request),
    Use(BODY, "failed", "gunicorn", lambda: gunicorn_request().body),
    Use(BODY, "reader", "gunicorn", lambda: gunicorn_request().body),
    Use(BODY, "length", "gunicorn", lambda: gunicorn_request().body.reader),
    *(
        Use(
            file,
            "gunicorn.socket",
            "gunicorn",
            lambda: gunicorn.http.wsgi.default_environ(gunicorn_request(), None, Config()),
        )
        for file in (RESPONSE_SOCKET, "gateway/web/inference.py")
    ),
    # A reload that does not wait, and a second SIGTERM.
    *(
        Use(CONF, name, "gunicorn", lambda: gunicorn.arbiter.Arbiter)
        for name in ("WORKERS", "kill_worker", "num_workers", "signal")
    ),
    Use(CONF, "age", "gunicorn", gunicorn_worker),
    # Values in files that are numbered by worker; a histogram that takes many values at once.
    Use(METRICS, "ValueClass", "prometheus_client", lambda: prometheus_client.values),
    Use(METRICS, "MultiProcessValue", "prometheus_client", lambda: prometheus_client.values),
    Use(METRICS, "MutexValue", "prometheus_client", lambda: prometheus_client.values),
    Use(RESERVED, "MmapedDict", "prometheus_client", lambda: prometheus_client.values),
    Use(RESERVED, "MmapedDict", "prometheus_client", lambda: prometheus_client.mmap_dict),
    Use(RESERVED, "_init_value", "prometheus_client", lambda: MmapedDict),
    Use(METRICS, "_buckets", "prometheus_client", histogram),
    Use(METRICS, "_sum", "prometheus_client", histogram),
]


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.library}-{use.name}-{use.file}")
def test_the_library_still_has_the_name(use: Use) -> None:
    owner = use.owner()
    exists = use.name in owner if isinstance(owner, dict) else hasattr(owner, use.name)
    kind = owner.__name__ if hasattr(owner, "__name__") else type(owner).__name__
    assert exists, (
        f"{use.library} has no {kind}.{use.name} any more: change {use.file}, which uses it, "
        "and this list, or pin the version before."
    )


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.library}-{use.name}-{use.file}")
def test_the_file_still_uses_the_name(use: Use) -> None:
    assert use.name in names_in(ROOT / use.file), (
        f"{use.file} does not use {use.name} of {use.library} any more: remove it from this list."
    )


@pytest.mark.parametrize("file", [*sorted((ROOT / "gateway").rglob("*.py")), ROOT / CONF], ids=str)
def test_no_file_uses_a_private_name_that_is_not_listed(file: Path) -> None:
    path = file.relative_to(ROOT).as_posix()
    listed = {use.name for use in USES if use.file == path}
    used = set(private_names_in(file)) - listed - OUR_PRIVATE_NAMES
    assert not used, f"{path} uses {', '.join(sorted(used))}: list it here, with its library."


def test_overridden_methods_take_the_same_arguments() -> None:
    """gunicorn calls them by position."""
    for name in ("handle", "handle_request", "handle_error", "handle_quit", "timeout_ctx", "run"):
        ours = list(inspect.signature(getattr(Worker, name)).parameters)
        theirs = list(inspect.signature(getattr(GeventWorker, name)).parameters)
        assert len(ours) == len(theirs), f"gunicorn calls {name} with {theirs}, not with {ours}"


def test_urllib3_asks_a_connection_whether_it_is_connected() -> None:
    """Else `is_connected` in session.py has no effect."""
    for connected in (True, False):
        connection: Any = SimpleNamespace(is_connected=connected)
        assert urllib3.util.connection.is_connection_dropped(connection) is not connected


def test_gauges_of_a_worker_are_in_files_that_gunicorn_conf_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    value_class: Any = prometheus_client.values.MultiProcessValue(lambda: 7)
    gauge = value_class("gauge", "g", "g", (), (), "help", multiprocess_mode="livesum")
    counter = value_class("counter", "c", "c", (), (), "help")
    gauge.set(1)
    counter.inc(1)
    # Files left open would fail the test that runs when the garbage collector closes them.
    gauge._file.close()
    counter._file.close()
    assert [path.name for path in tmp_path.glob("gauge_live*_7.db")] == ["gauge_livesum_7.db"]
    assert (tmp_path / "counter_7.db").exists()


# --- Which names a file uses ----------------------------------------------------------------------

OUR_PRIVATE_NAMES = frozenset(
    {"_asdict", "_replace", "_get_current_object"}  # documented, in spite of the underscore
)


def names_in(file: Path) -> set[str]:
    """All names in a file's code: attributes, imports, definitions, and strings that are names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.alias(name=name):
                found.add(name)
            case ast.Name(id=name) | ast.Constant(value=str(name)):
                found.add(name)
    return found


def private_names_in(file: Path) -> Iterator[str]:
    """Private names that a file uses of objects that are not its own."""
    tree = ast.parse(file.read_text())
    own = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, value=ast.Name(id="self"), ctx=ast.Store()):
                own.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name):
                own.add(name)
    for node in ast.walk(tree):
        match node:
            case (
                ast.Attribute(attr=name)
                | ast.Call(
                    func=ast.Name(id="getattr" | "hasattr"),
                    args=[_, ast.Constant(value=str(name)), *_],
                )
            ) if is_private(name) and name not in own:
                yield name


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
