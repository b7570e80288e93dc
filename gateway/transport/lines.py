"""A response body as whole lines, all those of one read together.

requests' `iter_lines` has three faults for a stream (requests 2.34, urllib3 2.8):

- on a body that is not chunked it waits for a full buffer, so tokens come late;
- a CRLF that two reads cut in half becomes an extra blank line, which ends an event in SSE;
- a chunked body is read chunk by chunk, and most servers send a chunk for each token.

:class:`LineReader` takes the place of `response.raw` and corrects all three. :class:`ChunkedSocket`
reads the rest of a chunked body from the socket, for the callback driver.
"""

import socket
from collections.abc import Iterator
from typing import Any

import urllib3

from gateway.core.sse import MAX_EVENT_BYTES
from gateway.errors import UpstreamBroke
from gateway.transport.chunked import BadChunk, ChunkedDecoder

READ_BYTES = 65536
MAX_LINE_BYTES = MAX_EVENT_BYTES
"""A longer line raises UpstreamBroke."""
BROKE_OFF = "The connection to the upstream broke off."


class LineReader:
    """Takes the place of `response.raw`. Each read returns the lines that it completes."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._buffered = _buffered_socket(raw)
        self._decoder = ChunkedDecoder()
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self.line_count = 0
        """Lines in the data that :meth:`stream` yielded last."""
        self.reads = 0
        """Reads that returned data, whether they completed a line or not."""

    def stream(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        """Yields whole lines until the body ends; requests calls this."""
        for data in self._reads(amount, decode_content):
            if whole := self._complete(data):
                self.line_count = (
                    whole.count(b"\n") if b"\r" not in whole else len(whole.splitlines())
                )
                yield whole
        if rest := self.take_partial():
            self.line_count = len(rest.splitlines())
            yield rest

    def chunked_socket(self) -> "ChunkedSocket | None":
        """See Reply.chunked_socket. The first batch contains all that requests has read ahead."""
        gevent_socket = getattr(getattr(self._buffered, "raw", None), "_sock", None)
        plain = getattr(gevent_socket, "_sock", None)
        if plain is None or type(gevent_socket) is not socket.socket:
            return None  # TLS, or a test's response
        if self.ended or self.is_broken:
            return None
        return ChunkedSocket(self, plain)

    def decode(self, received: bytes) -> list[bytes]:
        """Returns the lines that these raw bytes complete; at the end of the body, the rest too."""
        data = self._dechunk(received)
        whole = self._complete(data) if data else b""
        if self.ended:
            whole += self.take_partial()
            self._release()
        return whole.splitlines()

    @property
    def ended(self) -> bool:
        """The last chunk has arrived."""
        return self._decoder.ended

    @property
    def is_broken(self) -> bool:
        """The bytes after the data returned so far are not in chunked coding."""
        return self._decoder.fault is not None

    @property
    def at_boundary(self) -> bool:
        """See ChunkedSocket.at_boundary."""
        return not self._partial and self._decoder.at_boundary

    def take_partial(self) -> bytes:
        """Removes and returns the incomplete line."""
        partial, self._partial = b"".join(self._partial), []
        return partial

    def close(self) -> None:
        """Closes the connection; requests calls this."""
        self._raw.close()

    def release_conn(self) -> None:
        """Returns the connection to its pool; requests calls this."""
        self._raw.release_conn()

    def _reads(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        """Yields the body's data as it arrives."""
        if self._buffered is None:
            while data := self._raw.read1(amount, decode_content=decode_content):
                yield data
            return
        try:
            while not self.ended:
                if data := self._dechunk(self._buffered.read1(amount)):
                    yield data  # before a fault is raised: this data came before it
                if self._decoder.fault is not None:
                    raise self._decoder.fault
        except (OSError, BadChunk) as error:
            raise urllib3.exceptions.ProtocolError("the body broke off", error) from error
        self._release()

    def _dechunk(self, received: bytes) -> bytes:
        """Returns the data in these raw bytes. Raises ProtocolError for b"": the body broke off."""
        if not received:
            raise urllib3.exceptions.ProtocolError("the body ended before its last chunk")
        return self._decoder.feed(received)

    def _complete(self, data: bytes) -> bytes:
        """Returns all whole lines so far; keeps the rest. Raises UpstreamBroke for a long line."""
        self.reads += 1
        if not self._partial and data.endswith(b"\n"):
            return data  # the usual case
        end = _end_of_lines(data)
        if end == 0:
            self._partial.append(data)
            self._partial_bytes += len(data)
            if self._partial_bytes > MAX_LINE_BYTES:
                raise UpstreamBroke("The upstream sent a line that is too long.")
            return b""
        whole = b"".join([*self._partial, data[:end]])
        self._partial = [data[end:]] if end < len(data) else []
        self._partial_bytes = len(data) - end
        return whole

    def _release(self) -> None:
        """Returns the connection to its pool after the end of the body.

        urllib3 2.8 does this when it reads the end of a body, but here it does not read the body.
        """
        if self._decoder.rest:
            self._raw.close()  # bytes that belong to no answer: the connection can't be reused
        else:
            self._raw._original_response.close()
            self._raw.release_conn()


class ChunkedSocket:
    """The rest of a chunked body, for a caller that reads the socket when it is readable."""

    def __init__(self, lines: LineReader, plain: socket.socket) -> None:
        self.socket = plain
        """Non-blocking."""
        self._lines = lines
        self.ended = False
        """The last chunk has arrived."""
        self.is_broken = False
        """The bytes after the lines returned so far are not in chunked coding."""

    @property
    def at_boundary(self) -> bool:
        """Whether the bytes received so far end with a whole chunk and a whole line."""
        return self._lines.at_boundary

    def lines(self, received: bytes) -> list[bytes]:
        """Returns the lines that these raw bytes complete. Raises UpstreamBroke."""
        try:
            lines = self._lines.decode(received)
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamBroke(BROKE_OFF) from error
        self.ended, self.is_broken = self._lines.ended, self._lines.is_broken
        return lines


def _buffered_socket(raw: Any) -> Any:
    """Returns the buffered socket under a chunked body without content encoding, else None."""
    if not getattr(raw, "chunked", False) or raw.headers.get("Content-Encoding"):
        return None
    return getattr(getattr(raw, "_fp", None), "fp", None)


def _end_of_lines(data: bytes) -> int:
    """Returns where the last whole line ends. A CR at the very end may be half of a CRLF."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
