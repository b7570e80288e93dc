"""The client's socket for one response, for gunicorn's writes and for direct writes.

gunicorn 27.0 sends a response's head in a separate system call, often as a separate packet that
wakes the client. ResponseSocket holds the head back until the first bytes of the body.

Direct writes (:mod:`gateway.relay.callback_driver`) send chunks of the body from the event loop's
callbacks, where nothing may wait, while gunicorn waits for the response's iterator.
"""

import socket
from collections.abc import Mapping
from typing import Any


class ResponseSocket:
    """Wraps a gevent socket for one response. Other attributes are the wrapped socket's."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        # The non-blocking socket inside gevent 26.9's: its `send` never waits.
        self._plain: socket.socket = client._sock  # type: ignore[attr-defined]
        self._unsent = b""
        self._head_was_given = False
        self.has_unsent = False
        """A direct write is incomplete: call `flush` before any other write."""
        self.has_timed_out = False
        """A write has failed because the client took nothing for as long as TCP_USER_TIMEOUT."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """Sends data. Holds back that of the first call, the head, until the second call.

        gunicorn calls this for the head and for each chunk. Raises OSError if the client is gone.
        """
        if not self._head_was_given:
            self._head_was_given, self._unsent = True, data
            return
        data, self._unsent = self._unsent + data, b""
        sent = 0
        try:
            # gevent 26.9's sendall would first ask the kernel for the size of the socket's buffer.
            sent = self._plain.send(data)
        except BlockingIOError:
            pass
        except TimeoutError:
            self.has_timed_out = True
            raise
        if sent < len(data):
            self._send_all(data[sent:])

    def send(self, data: bytes) -> int:
        """Sends all of the data. Raises OSError if the client is gone.

        gunicorn 27.0 calls `send` once for `100 Continue` and ignores that it may be incomplete.
        """
        self._send_all(data)
        return len(data)

    def sendfile(self, *file: Any, **part: Any) -> int:
        """Sends the head, then the file. gunicorn calls this for files."""
        self.flush()
        return self._client.sendfile(*file, **part)

    def write_chunk_now(self, data: bytes) -> None:
        """Sends data as an HTTP chunk of the response, as far as possible without waiting.

        Never raises OSError. Sets `has_unsent` if a part is left.
        """
        chunk = b"%x\r\n%b\r\n" % (len(data), data)
        try:
            sent = self._plain.send(chunk)
        except OSError as error:  # the buffer is full, or the client is gone: flush will raise
            # The kernel reports the error of a connection once: a later write raises another one.
            self.has_timed_out = isinstance(error, TimeoutError)
            sent = 0
        if sent < len(chunk):
            self._unsent, self.has_unsent = chunk[sent:], True

    def flush(self) -> None:
        """Waits until everything is sent. Raises OSError if the client is gone."""
        unsent, self._unsent, self.has_unsent = self._unsent, b"", False
        if unsent:
            self._send_all(unsent)

    def _send_all(self, data: bytes) -> None:
        try:
            self._client.sendall(data)
        except TimeoutError:
            self.has_timed_out = True
            raise


def socket_for_direct_writes(environ: Mapping[str, Any]) -> ResponseSocket | None:
    """Returns the response's socket, or None if only gunicorn can write the response.

    Direct writes need the gateway's worker, no TLS, and a chunked response.
    """
    client = environ.get("gunicorn.socket")
    is_chunked = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and environ["REQUEST_METHOD"] != "HEAD"
    return client if isinstance(client, ResponseSocket) and is_chunked else None
