"""Calls to upstreams over requests, and their answers as they arrive."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, cast

import requests
import urllib3

from gateway.core.call import Call
from gateway.errors import Full, UpstreamBroke, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.transport.causes import address_of, cause_of
from gateway.transport.lines import (
    BROKE_OFF,
    MAX_LINE_BYTES,
    READ_BYTES,
    ChunkedSocket,
    LineReader,
)

_MAX_ERROR_BODY_BYTES = 64 * 1024
_CONNECT_ERRORS: tuple[tuple[type[Exception], type[UpstreamError], str, str], ...] = (
    (
        requests.ConnectTimeout,
        UpstreamTimeout,
        "The upstream at {address} did not accept a connection in time.",
        "upstream_connect_timeout",
    ),
    (
        requests.Timeout,
        UpstreamTimeout,
        "The upstream at {address} did not answer in time.",
        "upstream_first_byte_timeout",
    ),
    (
        requests.exceptions.SSLError,
        UpstreamUnreachable,
        "No TLS connection to the upstream at {address} could be made: {cause}. If your own "
        "authority signed its certificate, set UPSTREAM_CA_FILE.",
        "upstream_unreachable",
    ),
    (
        requests.RequestException,
        UpstreamUnreachable,
        "The upstream at {address} could not be reached: {cause}.",
        "upstream_unreachable",
    ),
)
"""Errors before the status: the error of requests → the gateway's class, message and code. The
first row that matches applies."""
_NO_REQUEST = requests.PreparedRequest()
"""Takes the place of a response's request, to free its body."""


class Transport:
    """Sends calls over one session."""

    def __init__(self, session: requests.Session, connect_timeout_s: float) -> None:
        self._session = session
        self._connect_timeout_s = connect_timeout_s
        self._prepared: dict[tuple[str, str], requests.PreparedRequest] = {}

    def send(self, call: Call, read_timeout_s: float | None = None) -> "Reply":
        """Sends a call and returns the reply when its status has arrived.

        read_timeout_s: limit between two reads; None: the caller limits the time itself.

        Raises UpstreamTimeout, UpstreamUnreachable, or Full when no more files may be opened.
        """
        try:
            response = self._send(call, read_timeout_s)
            # requests 2.34 keeps the request, which may have megabytes, as long as the response.
            response.request = _NO_REQUEST
            return Reply(response)
        except requests.RequestException as error:
            if _is_out_of_files(error):
                raise Full("The gateway can open no more connections.") from error
            for foreign, ours, message, code in _CONNECT_ERRORS:
                if isinstance(error, foreign):
                    message = message.format(address=address_of(call.url), cause=cause_of(error))
                    failure = ours(message, code=code)
                    failure.was_reached = _was_connected(error)
                    raise failure from error
            raise

    def _send(self, call: Call, read_timeout_s: float | None) -> requests.Response:
        # The adapter is called directly: Session.send of requests 2.34 looks for proxies, cookies
        # and redirects at each call.
        adapter: Any = self._session.get_adapter(call.url)
        request = self._prepare(call)
        verify = self._session.verify is None or self._session.verify
        timeout = (self._connect_timeout_s, read_timeout_s)
        send: Callable[[], requests.Response] = partial(
            adapter.send, request, stream=True, verify=verify, timeout=timeout
        )
        pool = adapter.get_connection_with_tls_context(request, verify)
        connections_before = pool.num_connections
        try:
            return send()
        except requests.ConnectionError as error:
            if pool.num_connections != connections_before or not _was_hung_up(error):
                raise
            # The upstream had closed a kept connection, so it has not seen the request.
            return send()

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        """Returns the call as a request of requests. Parses each address only once."""
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


class Reply:
    """An upstream's answer, whose body is not read yet. A context manager, which closes it."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._lines: LineReader | None = None
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def __enter__(self) -> "Reply":
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def batches(self) -> Iterator[list[bytes]]:
        """Yields the body's lines, without line ends, those of one read together.

        Raises UpstreamBroke when the connection ends before the body does.
        """
        self._lines = LineReader(self._response.raw)
        self._response.raw = self._lines
        lines = self._response.iter_lines(chunk_size=READ_BYTES)
        try:
            for first in lines:
                yield [first, *islice(lines, self._lines.line_count - 1)]
        except requests.RequestException as error:
            raise UpstreamBroke(BROKE_OFF) from error

    def partial_line(self) -> list[bytes]:
        """Returns the line that had begun when the body broke off, if any."""
        return self._lines.take_partial().splitlines() if self._lines is not None else []

    @property
    def reads(self) -> int:
        """Reads of the body that returned data, whether they completed a line or not."""
        return self._lines.reads if self._lines is not None else 0

    def chunked_socket(self) -> ChunkedSocket | None:
        """Returns the socket for the rest of the body, to be read without waiting.

        Call it after the first batch. None if the socket's bytes are not the body in chunked
        coding: with TLS, for a body that is not chunked, or for a test's mocked response.
        """
        return self._lines.chunked_socket() if self._lines is not None else None

    def error_body(self) -> Iterator[bytes]:
        """Yields the first 64 KiB of the body of an error answer, as it arrives."""
        left = _MAX_ERROR_BODY_BYTES
        with suppress(urllib3.exceptions.HTTPError):  # the part that arrived will do
            while left > 0 and (piece := self._response.raw.read1(left, decode_content=True)):
                left -= len(piece)
                yield piece

    def read(self) -> bytes:
        """Returns the whole body.

        Raises UpstreamBroke if it breaks off or is longer than a line may be.
        """
        body = bytearray()
        try:
            for piece in self._response.iter_content(READ_BYTES):
                body += piece
                if len(body) > MAX_LINE_BYTES:
                    raise UpstreamBroke("The upstream sent an answer that is too long.")
        except requests.RequestException as error:
            raise UpstreamBroke(BROKE_OFF) from error
        return bytes(body)


def _merged(general: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Returns all headers; a call's own replace the session's, whatever case they are in."""
    own_names = {name.lower() for name in own}
    kept = {name: value for name, value in general.items() if name.lower() not in own_names}
    return {**kept, **own}


def _was_hung_up(error: requests.ConnectionError) -> bool:
    """Whether the connection ended before a byte of an answer came."""
    cause = error.args[0] if error.args else None
    reason = cause.args[-1] if isinstance(cause, urllib3.exceptions.ProtocolError) else None
    return isinstance(reason, ConnectionError)


def _was_connected(error: requests.RequestException) -> bool:
    """Whether the connection had been made before this error."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    cause = error.args[0] if error.args else None
    return isinstance(error, requests.Timeout) or isinstance(
        cause, urllib3.exceptions.ProtocolError
    )


def _is_out_of_files(error: BaseException | None) -> bool:
    """Whether this error comes from too many open files, here or on this machine."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__context__
    return False
