"""The answer to a request whose head gunicorn can't parse.

gunicorn 27.0 quotes the invalid bytes in its answer and in its log, although they may be a key or
the end of a prompt. It encodes the answer as Latin-1; if that fails, it closes the connection
without an answer, and a proxy then takes the whole server out of service.
"""

import socket
import ssl
from contextlib import suppress

import gevent
from gunicorn.http import errors

from gateway.core.sse import dumps
from gateway.errors import GatewayError, MalformedRequest
from gateway.server.sockets import end_response

_REFUSE_S = 1.0
"""Limit for sending the answer and reading the rest of the request."""
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    414: "URI Too Long",
    417: "Expectation Failed",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
}
_SENTENCES: dict[type[Exception], tuple[int, str]] = {
    errors.InvalidRequestLine: (400, "The request line is malformed."),
    errors.InvalidRequestMethod: (400, "The request's method is not a valid one."),
    errors.InvalidHTTPVersion: (400, "The request's HTTP version must be 1.0 or 1.1."),
    errors.InvalidHeader: (400, "A header of the request has a malformed value."),
    errors.InvalidHeaderName: (400, "A header of the request has a malformed name."),
    errors.ObsoleteFolding: (400, "A header of the request is folded over two lines."),
    errors.InvalidSchemeHeaders: (400, "The headers that name the scheme contradict each other."),
    errors.ExpectationFailed: (417, "The only expectation that is known is 100-continue."),
    errors.LimitRequestLine: (414, "The request line is too long."),
    errors.LimitRequestHeaders: (431, "The request's headers are too many or too long."),
    errors.UnsupportedTransferCoding: (501, "The only transfer coding that is known is chunked."),
    errors.ForbiddenProxyRequest: (403, "This address may not send a PROXY line."),
    errors.InvalidProxyLine: (400, "The PROXY line is malformed."),
    errors.InvalidProxyHeader: (400, "The PROXY header is malformed."),
    ssl.SSLError: (400, "The connection's TLS is malformed."),
}
_OURS = (
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
    errors.ConfigurationProblem,
)
"""Faults of the gateway or its operator, which gunicorn logs with a traceback."""


def refusal_of(error: BaseException) -> GatewayError | None:
    """Returns the error to answer with, or None if the fault is not the client's.

    The message never contains anything that the client sent.
    """
    if isinstance(error, GatewayError):
        return error
    if not isinstance(error, errors.ParseException | ssl.SSLError) or isinstance(error, _OURS):
        return None
    found = (_SENTENCES[kind] for kind in type(error).__mro__ if kind in _SENTENCES)
    status, message = next(found, (400, "The request is malformed."))
    return MalformedRequest(status, message)


def refuse(client: socket.socket, error: GatewayError) -> None:
    """Answers with the error and ends the connection's sending side. Never raises OSError."""
    body = dumps(error.info.body())
    head = (
        f"HTTP/1.1 {error.status} {_REASONS.get(error.status, 'Error')}\r\n"
        f"{_retry_after(error)}Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with suppress(OSError), gevent.Timeout(_REFUSE_S, False):  # the client may be gone
        client.sendall((head + body).encode())
        end_response(client)


def _retry_after(error: GatewayError) -> str:
    return "" if error.retry_after_s is None else f"Retry-After: {error.retry_after_s}\r\n"
