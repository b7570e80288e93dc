"""Lets the workers of one host call each other, each over a Unix socket of its own.

A call is one line of JSON: a handler's name and its arguments. The answer is a line for each value
that the handler yields, then the end of the connection, so an answer can be a stream. The sockets
are in a directory that only the gateway's user may enter.
"""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
from gevent import Timeout
from gevent import socket as gevent_socket
from gevent.server import StreamServer

from gateway.errors import ErrorInfo, GatewayError, GatewayFault, RemoteError

Handler = Callable[..., Iterable[Any]]
"""Takes the arguments of a call by name and yields JSON values. Raises GatewayError."""
_MAX_LINE_BYTES = 1024 * 1024
_CALL_S = 5.0
"""Seconds that a worker may take to accept a call, and to send each line."""
_BACKLOG = 128


class _Call(msgspec.Struct):
    name: str
    arguments: dict[str, Any]


class _Line(msgspec.Struct, omit_defaults=True):
    value: Any = None
    error: ErrorInfo | None = None


class Channel:
    """One worker's end of the channel."""

    def __init__(self, directory: Path | None, worker: int, log: Any) -> None:
        """directory: of the sockets; None: there are no other workers.

        worker: the number of this worker.
        """
        self._directory = directory
        self._log = log
        self._handlers: dict[str, Handler] = {}
        self.worker = worker

    def add(self, name: str, handler: Handler) -> None:
        """Makes a handler answer the calls of this name."""
        self._handlers[name] = handler

    def start(self) -> None:
        """Listens for calls of other workers."""
        if self._directory is None:
            return
        path = self._path(self.worker)
        path.unlink(missing_ok=True)
        listener = gevent_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            listener.listen(_BACKLOG)
        except OSError as error:
            self._log.error("other workers can't call this one", error=error.strerror or str(error))
            listener.close()
            return
        StreamServer(listener, self._serve).start()

    def others(self) -> list[int]:
        """Returns the numbers of the other workers, perhaps also of some that have ended."""
        if self._directory is None:
            return []
        numbers = (int(path.stem) for path in self._directory.glob("*.sock"))
        return sorted(number for number in numbers if number != self.worker)

    def call(
        self, worker: int, name: str, *, patience_s: float = _CALL_S, **arguments: Any
    ) -> Iterator[Any]:
        """Calls a worker, this one or another; yields the values of its answer.

        patience_s: limit for each line of the answer.

        Raises the handler's error, or WorkerGone if the worker does not exist or does not answer.
        """
        if worker == self.worker or self._directory is None:
            yield from self._handlers[name](**arguments)
            return
        with closing(self._connect(worker, patience_s)) as connection:
            try:
                connection.sendall(msgspec.json.encode(_Call(name, arguments)) + b"\n")
                for line in _lines_of(connection):
                    read = msgspec.json.decode(line, type=_Line)
                    if read.error is not None:
                        raise RemoteError(read.error)
                    yield read.value
            except OSError as error:
                raise WorkerGone from error

    def _connect(self, worker: int, patience_s: float) -> Any:
        connection = gevent_socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience_s)
        try:
            connection.connect(str(self._path(worker)))
        except OSError as error:
            connection.close()
            raise WorkerGone from error
        return connection

    def _path(self, worker: int) -> Path:
        assert self._directory is not None, "only called if there are other workers"
        return self._directory / f"{worker}.sock"

    def _serve(self, connection: Any, _address: Any) -> None:
        with closing(connection), suppress(OSError):
            for line in self._answer(connection):
                connection.sendall(msgspec.json.encode(line) + b"\n")

    def _answer(self, connection: Any) -> Iterator[_Line]:
        try:
            with Timeout(_CALL_S, GatewayFault("The call of the other worker did not arrive.")):
                call = msgspec.json.decode(next(_lines_of(connection), b""), type=_Call)
            for value in self._handlers[call.name](**call.arguments):
                yield _Line(value)
        except GatewayError as error:
            yield _Line(error=error.info)
        except Exception:
            self._log.exception("a call of another worker failed")
            yield _Line(error=GatewayFault().info)


class WorkerGone(Exception):
    """There is no worker of this number, or it does not answer."""


def _lines_of(connection: Any) -> Iterator[bytes]:
    """Yields the complete lines until the connection ends. Raises GatewayFault for a long line."""
    rest = b""
    while data := connection.recv(65536):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        if len(rest) > _MAX_LINE_BYTES and not lines:
            raise GatewayFault("The other worker has sent a line that is too long.")
