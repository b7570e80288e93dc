"""A scripted upstream: it sends exactly the bytes that a test gives it, valid or not."""

import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
RESET = object()
"""In a script: reset the connection instead of closing it."""
Piece = bytes | threading.Event | object
"""A step of a script: bytes to send, an event to wait for, or RESET."""


class ReceivedRequest(NamedTuple):
    """A request as it arrived."""

    head: str
    body: Any


class Upstream:
    """Plays the script of the model that a request names; a context manager.

    A request without a body gets the list of models.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[ReceivedRequest] = []
        self._requests_for: defaultdict[str, list[ReceivedRequest]] = defaultdict(list)
        self.listing: bytes | None = None
        """The answer with the list of models; None: of those with a script."""
        self._scripts: dict[str, list[tuple[Piece, ...]]] = {}
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def set_script(self, model: str, *script: Piece) -> str:
        """Sets the model's answer; the connection closes after it. Returns the model."""
        return self.set_scripts(model, script)

    def set_scripts(self, model: str, *scripts: tuple[Piece, ...]) -> str:
        """Sets a script for each request to come; the last is used again. Returns the model."""
        self._scripts[model] = list(scripts)
        return model

    def requests_for(self, model: str) -> int:
        """Returns how many requests named this model."""
        return len(self._requests_for[model])

    def _script_for(self, model: str) -> tuple[Piece, ...]:
        scripts = self._scripts[model]
        return scripts[min(self.requests_for(model), len(scripts)) - 1]

    def _list(self) -> bytes:
        return as_json(
            "200 OK", {"object": "list", "data": [{"id": id} for id in list(self._scripts)]}
        )

    def __enter__(self) -> "Upstream":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for open_socket in (self._listener, *list(self._open)):
            with suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        for piece in chain.from_iterable(chain.from_iterable(self._scripts.values())):
            if isinstance(piece, threading.Event):
                piece.set()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # the gateway may close the connection at any time
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := read_request(connection):
                if request.body is None:
                    connection.sendall(self.listing or self._list())
                    continue
                self.requests.append(request)
                self._requests_for[request.body["model"]].append(request)
                for piece in self._script_for(request.body["model"]):
                    if isinstance(piece, threading.Event):
                        piece.wait(30)
                    elif isinstance(piece, bytes):
                        connection.sendall(piece)
                    else:
                        linger = struct.pack("ii", 1, 0)
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                break
        self._open.discard(connection)


def read_request(connection: socket.socket) -> ReceivedRequest | None:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    while len(body) < length:
        body += connection.recv(65536)
    return ReceivedRequest(head.decode(), json.loads(body) if body else None)


def frame(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    """An event with one chunk of an answer."""
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


def say(*texts: str) -> list[bytes]:
    """A frame for each text of the content."""
    return [frame({"content": text}) for text in texts]


FINISH = frame({}, "stop")
DONE = b"data: [DONE]\n\n"


def chunked(pieces: Iterable[bytes], end: bool = True) -> list[bytes]:
    """The pieces as HTTP/1.1 chunks. end: whether the last chunk follows."""
    body = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return [*body, b"0\r\n\r\n"] if end else body


CHUNKED = EVENT_STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE_DELIMITED = EVENT_STREAM + b"Connection: close\r\n\r\n"


def with_length(body: bytes, length: int | None = None) -> bytes:
    """An answer with a Content-Length, by default the correct one."""
    stated = len(body) if length is None else length
    return EVENT_STREAM + b"Content-Length: %d\r\n\r\n" % stated + body


def refusal(status: int, error: dict[str, Any], **headers: str) -> bytes:
    """An answer with an error status and this error object."""
    return as_json(f"{status} Refused", {"error": error}, **headers)


def as_json(status: str, value: Any, **headers: str) -> bytes:
    """An answer that is not streamed."""
    body = json.dumps(value).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body
