"""The connection to upstreams: calls over requests, and their answers as they arrive.

requests' `iter_lines` reads the stream, with an object of ours in place of `response.raw`
(:class:`_WholeLines`), because by itself it holds tokens back on a body that is not chunked, makes
a blank line, which in SSE ends an event, of a CRLF that two reads cut in half, and reads a chunked
body chunk by chunk, that is, token by token.
"""

import errno
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast

import requests
import urllib3

from gateway.core.parts import Call
from gateway.core.sse import MAX_EVENT_BYTES
from gateway.errors import Full, UpstreamBroke, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.transport.chunked import BadChunk, Dechunker

READ_BYTES = 65536
MAX_LINE_BYTES = MAX_EVENT_BYTES
"""A line longer than this is not an answer but an attack or a fault."""
BROKE_OFF = "The connection to the upstream broke off."
_MAX_REFUSAL_BYTES = 64 * 1024

_BEFORE_THE_ANSWER: tuple[tuple[type[Exception], type[UpstreamError], str, str], ...] = (
    (
        requests.ConnectTimeout,
        UpstreamTimeout,
        "The upstream did not accept a connection in time.",
        "upstream_connect_timeout",
    ),
    (
        requests.Timeout,
        UpstreamTimeout,
        "The upstream did not answer in time.",
        "upstream_first_byte_timeout",
    ),
    (
        requests.exceptions.SSLError,
        UpstreamUnreachable,
        "No TLS connection to the upstream could be made. If its certificate is from an authority "
        "of your own, set UPSTREAM_CA_FILE.",
        "upstream_unreachable",
    ),
    (
        requests.RequestException,
        UpstreamUnreachable,
        "The upstream could not be reached.",
        "upstream_unreachable",
    ),
)
"""Foreign error → ours, the first that fits."""


class Transport:
    """Sends calls over one session."""

    def __init__(self, session: requests.Session, connect_timeout_s: float) -> None:
        self._session = session
        self._connect_timeout_s = connect_timeout_s
        self._prepared: dict[tuple[str, str], requests.PreparedRequest] = {}

    def send(self, call: Call, read_timeout_s: float | None = None) -> "Reply":
        """Sends a call and waits for the status.

        Raises UpstreamTimeout, UpstreamUnreachable, or Full when no more files may be opened.

        read_timeout_s: between two reads; None when somebody else watches the time.
        """
        try:
            return Reply(self._send(call, read_timeout_s))
        except requests.RequestException as error:
            if _lacks_files(error):
                raise Full("The gateway can open no more connections.") from error
            for foreign, ours, message, code in _BEFORE_THE_ANSWER:
                if isinstance(error, foreign):
                    raise ours(message, code=code) from error
            raise

    def _send(self, call: Call, read_timeout_s: float | None) -> requests.Response:
        # The session's own send would ask at each call about proxies, cookies and redirects.
        adapter: Any = self._session.get_adapter(call.url)
        request = self._prepare(call)
        verify = self._session.verify is None or self._session.verify
        timeout = (self._connect_timeout_s, read_timeout_s)
        send: Callable[[], requests.Response] = partial(
            adapter.send, request, stream=True, verify=verify, timeout=timeout
        )
        pool = adapter.get_connection_with_tls_context(request, verify)
        made = pool.num_connections
        try:
            return send()
        except requests.ConnectionError as error:
            if pool.num_connections != made or not _was_hung_up(error):
                raise
            # It had given up a connection that was kept: nothing has begun there.
            return send()

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        """What requests makes of a call. The address is read once, not at each call."""
        method = "GET" if call.body is None else "POST"
        known = self._prepared.get((method, call.url))
        if known is None:
            known = self._session.prepare_request(requests.Request(method, call.url))
            self._prepared[method, call.url] = known
        request: Any = requests.PreparedRequest()
        request.method, request.url, request.hooks = known.method, known.url, known.hooks
        request.headers = _merged(known.headers, call.headers)
        if call.body is not None:
            request.body = call.body
            request.headers["Content-Length"] = str(len(call.body))
        return cast(requests.PreparedRequest, request)


def _merged(general: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """All headers, those of one call before those of all, whatever case they are in."""
    named = {name.lower() for name in own}
    return {**{name: of for name, of in general.items() if name.lower() not in named}, **own}


def _was_hung_up(error: requests.ConnectionError) -> bool:
    """Did the connection end without a byte of an answer?"""
    cause = error.args[0] if error.args else None
    why = cause.args[-1] if isinstance(cause, urllib3.exceptions.ProtocolError) else None
    return isinstance(why, ConnectionError)


def _lacks_files(error: BaseException | None) -> bool:
    """Did it come to this because too many files are open here?"""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__context__
    return False


class Reply:
    """An upstream's answer, its body not yet read. Close it, or use it in a `with`."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._lines: _WholeLines | None = None
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def batches(self) -> Iterator[list[bytes]]:
        """The body's lines, without line ends, those of one read together.

        Raises UpstreamBroke when the connection ends before the body does.
        """
        self._lines = _WholeLines(self._response.raw)
        self._response.raw = self._lines
        lines = self._response.iter_lines(chunk_size=READ_BYTES)
        try:
            for first in lines:
                yield [first, *islice(lines, self._lines.count - 1)]
        except requests.RequestException as error:
            raise UpstreamBroke(BROKE_OFF) from error

    def unfinished(self) -> list[bytes]:
        """The line that had begun when the body broke off, if any."""
        return self._lines.rest().splitlines() if self._lines is not None else []

    @property
    def reads(self) -> int:
        """How often something of the body has arrived, whether it completed a line or not."""
        return self._lines.reads if self._lines is not None else 0

    def wire(self) -> "Wire | None":
        """The socket under the rest of :meth:`batches`, for who reads it without waiting.

        None where bytes do not stand on it as the upstream wrote them: TLS, a body that is not
        chunked, a server that is a test's.
        """
        return self._lines.wire() if self._lines is not None else None

    def refusal(self) -> Iterator[bytes]:
        """The beginning of the body of an answer that is an error, as it arrives."""
        left = _MAX_REFUSAL_BYTES
        with suppress(urllib3.exceptions.HTTPError):  # what there is has to do
            while left > 0 and (piece := self._response.raw.read1(left, decode_content=True)):
                left -= len(piece)
                yield piece

    def json(self) -> bytes:
        """The whole body, where it is no longer than a line may be. Raises UpstreamBroke."""
        body = bytearray()
        try:
            for piece in self._response.iter_content(READ_BYTES):
                body += piece
                if len(body) > MAX_LINE_BYTES:
                    raise UpstreamBroke("The upstream sent an answer that is too long.")
        except requests.RequestException as error:
            raise UpstreamBroke(BROKE_OFF) from error
        return bytes(body)


class _WholeLines:
    """Stands in for `response.raw`: gives what each read completes, in whole lines, at once."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._buffered = _chunked_stream(raw)
        self._dechunker = Dechunker()
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self.count = 0
        """Lines in what was given last."""
        self.reads = 0

    def stream(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        """What requests calls; ends with the body."""
        for data in self._reads(amount, decode_content):
            if whole := self._complete(data):
                self.count = whole.count(b"\n") if b"\r" not in whole else len(whole.splitlines())
                yield whole
        if rest := self.rest():
            self.count = len(rest.splitlines())
            yield rest

    def wire(self) -> "Wire | None":
        """See Reply.wire. What requests has read ahead is in the first batch."""
        under = getattr(getattr(self._buffered, "raw", None), "_sock", None)
        plain = getattr(under, "_sock", None)  # what gevent's socket wraps
        if plain is None or type(under) is not socket.socket or self.ended or self.is_broken:
            return None
        return Wire(self, plain)

    def lines(self, received: bytes) -> list[bytes]:
        """The lines that what was received completes; at the body's end, all."""
        data = self._dechunk(received)
        whole = self._complete(data) if data else b""
        if self.ended:
            whole += self.rest()
            self._let_go()
        return whole.splitlines()

    @property
    def ended(self) -> bool:
        """The last chunk has come."""
        return self._dechunker.done

    @property
    def is_broken(self) -> bool:
        """The chunks can't be read behind what was given."""
        return self._dechunker.fault is not None

    @property
    def is_whole(self) -> bool:
        """See Wire.is_whole."""
        return not self._tail and self._dechunker.is_whole

    def _dechunk(self, received: bytes) -> bytes:
        """The data in what was received; nothing is the end of the connection."""
        if not received:
            raise urllib3.exceptions.ProtocolError("the body ended before its last chunk")
        return self._dechunker.feed(received)

    def _complete(self, data: bytes) -> bytes:
        """The whole lines up to the end of this piece; what is left waits for the next."""
        self.reads += 1
        if not self._tail and data.endswith(b"\n"):
            return data  # as nearly every piece is
        end = _end_of_lines(data)
        if end == 0:
            self._tail.append(data)
            self._tail_bytes += len(data)
            if self._tail_bytes > MAX_LINE_BYTES:
                raise UpstreamBroke("The upstream sent a line that is too long.")
            return b""
        whole = b"".join([*self._tail, data[:end]])
        self._tail = [data[end:]] if end < len(data) else []
        self._tail_bytes = len(data) - end
        return whole

    def rest(self) -> bytes:
        """What has come of a line that is not complete; once."""
        rest, self._tail = b"".join(self._tail), []
        return rest

    def _reads(self, amount: int, decode_content: bool) -> Iterator[bytes]:
        """What arrives, as it arrives."""
        if self._buffered is None:
            while data := self._raw.read1(amount, decode_content=decode_content):
                yield data
            return
        try:
            while not self.ended:
                if data := self._dechunk(self._buffered.read1(amount)):
                    yield data  # also what came before a fault
                if self._dechunker.fault is not None:
                    raise self._dechunker.fault
        except (OSError, BadChunk) as error:
            raise urllib3.exceptions.ProtocolError("the body broke off", error) from error
        self._let_go()

    def _let_go(self) -> None:
        """The body has ended: the connection can be used again."""
        if self._dechunker.rest:
            self._raw.close()  # something follows that nobody asked for
        else:
            self._raw._original_response.close()
            self._raw.release_conn()

    def close(self) -> None:
        self._raw.close()

    def release_conn(self) -> None:
        self._raw.release_conn()


class Wire:
    """The rest of a chunked body, read from its socket by who knows that something is there."""

    def __init__(self, lines: _WholeLines, plain: socket.socket) -> None:
        self.socket = plain
        """Does not wait."""
        self._lines = lines
        self.ended = False
        """The body has ended."""
        self.is_broken = False
        """What comes next can't be read; what was received before it counts."""

    @property
    def is_whole(self) -> bool:
        """What was received so far ended with a chunk and with a line."""
        return self._lines.is_whole

    def lines(self, received: bytes) -> list[bytes]:
        """The lines that it completes. Raises UpstreamBroke."""
        try:
            lines = self._lines.lines(received)
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamBroke(BROKE_OFF) from error
        self.ended, self.is_broken = self._lines.ended, self._lines.is_broken
        return lines


def _chunked_stream(raw: Any) -> Any:
    """The buffered socket under a plain chunked body, or None: then urllib3 has to read it."""
    if not getattr(raw, "chunked", False) or raw.headers.get("Content-Encoding"):
        return None
    return getattr(getattr(raw, "_fp", None), "fp", None)


def _end_of_lines(data: bytes) -> int:
    """Where the last whole line ends. A CR at the very end may be the first half of a CRLF."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
