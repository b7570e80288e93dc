"""Why an upstream could not be reached, in words for people."""

import errno
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.EHOSTUNREACH: "there is no route to the host",
    errno.ENETUNREACH: "there is no route to its network",
    errno.ETIMEDOUT: "the connection timed out",
}


def address_of(url: str) -> str:
    """Returns scheme, host and port of a URL, without a login and a path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def cause_of(error: BaseException) -> str:
    """Returns the cause as the end of a sentence: `connection refused`, `no such name`."""
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "there is no such name"
            case ssl.SSLCertVerificationError(verify_message=str(message)):
                return f"its certificate is not trusted ({message})"
            case ssl.SSLError(reason=str(reason)):
                return f"it speaks no TLS that is known here ({reason.lower().replace('_', ' ')})"
            case ConnectionResetError() | BrokenPipeError():
                return "it closed the connection"
            case OSError(errno=int(number)) if number in _WORDS:
                return _WORDS[number]
            case OSError(strerror=str(words)) if words:
                return words.lower()
    return "it answered with something that is not HTTP" if _is_not_http(error) else "it hung up"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error of requests or urllib3 and the errors inside it, the outermost first."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        found = left.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        left += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]


def _is_not_http(error: BaseException) -> bool:
    names = {type(cause).__name__ for cause in _causes(error)}
    return not names.isdisjoint({"BadStatusLine", "LineTooLong", "UnknownProtocol"})
