"""Every error of the gateway, ordered by whose fault it is.

GatewayError
├── ConfigError            the operator's: the gateway does not start
├── CallerError            the request's: 4xx
│   ├── BadRequest         400
│   ├── InvalidKey         401: the request has no valid client key
│   ├── ModelNotAllowed    403: its key does not cover the model
│   ├── OriginNotAllowed   403: a web page of another origin has sent the request
│   ├── HostNotAllowed     403: the request calls the gateway by a name that is not its own
│   ├── NotFound           404
│   │   ├── StreamNotFound it is over or was not kept, or is of another key
│   │   └── UnknownModel   no upstream serves the model
│   ├── StreamGone         410: the worker that kept the stream has stopped
│   ├── MethodNotAllowed   405
│   ├── NoWebSocket        426: the client wants to speak over a WebSocket
│   ├── Conflict           409: the stream is in no state for what the request wants
│   │   ├── AlreadyAnswering
│   │   └── CannotAnswerNow
│   ├── RequestTimeout     408: the client sent its request too slowly
│   ├── BodyTooLarge       413
│   ├── UnsupportedMedia   415
│   ├── MalformedRequest   400, 403, 414, 417, 431 or 501: the head of the request can't be read
│   ├── TooManyWaiting     429: its address has too many requests that are not complete
│   ├── KeyLimit           429: the key is at its stream limit
│   └── NotOffered         501: the API has the path, but the gateway does not
├── ClientLeft             no fault: the client closed the connection
│   ├── ClientStalled      the client did not read, so the gateway closed the connection
│   ├── Cancelled          a client has stopped the stream
│   └── Abandoned          a kept stream had no reader for too long
├── UpstreamError          the upstream's: 502
│   ├── UpstreamRefused    it answered with an error status
│   ├── UpstreamUnreachable
│   ├── AnswerTooLong      its answer is over MAX_ANSWER_BYTES
│   ├── UpstreamBroke      its stream ended before the answer did
│   ├── UpstreamTimeout    504
│   │   └── UpstreamTotalTimeout
│   └── NoUpstream         503: every upstream for the model is out of service or asked to wait
└── GatewayFault           the gateway's: 500
    ├── Full               503: the gateway is at its stream limit
    │   └── UpstreamsFull  every upstream for the model is at its stream limit
    ├── KeptTooLong        the events of a kept stream take too much memory
    ├── StoreAway          503: the store of kept streams can't be reached
    ├── StreamLost         the worker that ran a kept stream has stopped
    └── Draining           503: the gateway is being stopped

Each error has an HTTP status, for an answer that is not yet a stream, and the four members of an
OpenAI error object, for one that is.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

Blame = Literal["operator", "caller", "client", "upstream", "gateway"]
RefusalCause = Literal["content", "key", "other"]
"""Why an upstream refused a request. `content`: it objects to the request's content or to the
client's region; `key`: to the gateway's key or its credit; `other`: the status says why."""


class ErrorInfo(msgspec.Struct, frozen=True):
    """An error as plain data, for the client and the log."""

    message: str
    type: str = "server_error"
    param: str | None = None
    code: str | None = None
    status: int = 500
    """The HTTP status that the error has before a stream has begun."""
    retry_after_s: int | None = None
    blame: Blame = "gateway"
    model_ran: bool = False
    """The model has worked on the request, so an automatic retry would cost twice."""
    is_final: bool = False
    """A retry fails in the same way, until the operator has done something."""

    def body(self) -> dict[str, Any]:
        """The OpenAI error body."""
        members = {name: getattr(self, name) for name in ("message", "type", "param", "code")}
        return {"error": members}


class GatewayError(Exception):
    """The root of the tree. `message` is one sentence that says what to change."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None
    blame: Blame = "gateway"
    model_ran: bool = False
    """See ErrorInfo."""
    is_final: bool = False
    """See ErrorInfo."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if param is not None:
            self.param = param
        if code is not None:
            self.code = code

    @property
    def info(self) -> ErrorInfo:
        """The error as plain data."""
        return ErrorInfo(
            self.message,
            self.type,
            self.param,
            self.code,
            self.status,
            self.retry_after_s,
            self.blame,
            self.model_ran,
            self.is_final,
        )


class RemoteError(GatewayError):
    """An error that was received as plain data, for example from another worker."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, param=info.param, code=info.code)
        self.type, self.status, self.blame = info.type, info.status, info.blame
        self.retry_after_s, self.model_ran = info.retry_after_s, info.model_ran
        self.is_final = info.is_final


class TurnFailed(RemoteError):
    """The error that ended a turn whose answer is not streamed."""


_MAX_SHOWN = 200


def shortened(name: str) -> str:
    """Returns a client's text for an error message, cut after 200 characters."""
    return name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…"


class ConfigError(GatewayError, ValueError):
    """A setting is unknown or has a bad value.

    It is a ValueError because msgspec 0.22 reports a ValueError or TypeError of a struct's
    `__post_init__` as a ValidationError, with its place; other errors pass through.
    """

    blame = "operator"

    def __init__(self, what: str, *, setting: str = "") -> None:
        """what: a sentence without its full stop. setting: the setting's name; "": none."""
        sentence = f"{setting}: {what}" if setting else what
        super().__init__(sentence if sentence.endswith("?") else f"{sentence}.")
        self.what = what
        self.setting = setting


class CallerError(GatewayError):
    status = 400
    type = "invalid_request_error"
    blame = "caller"


class BadRequest(CallerError):
    code = "bad_request"


class InvalidKey(CallerError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ModelNotAllowed(CallerError):
    status = 403
    type = "permission_error"
    code = "model_not_allowed"
    param = "model"

    def __init__(self, model: str, allowed: Sequence[str]) -> None:
        named = f"the model {shortened(model)!r}" if model else "a request that names no model"
        super().__init__(f"This key does not cover {named}; it covers {', '.join(allowed)}.")


class OriginNotAllowed(CallerError):
    status = 403
    type = "permission_error"
    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        named = f"Pages of {shortened(origin)}" if origin else "Pages of another origin"
        super().__init__(f"{named} may not use this gateway; ALLOWED_ORIGINS can name them.")


class HostNotAllowed(CallerError):
    status = 403
    type = "permission_error"
    code = "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The gateway does not answer as {shortened(host)!r}; ALLOWED_HOSTS can name it."
        )


class NotFound(CallerError):
    status = 404
    code = "not_found"


class StreamNotFound(NotFound):
    code = "stream_not_found"

    def __init__(self, id: str) -> None:
        super().__init__(
            f"This key has no stream {shortened(id)!r}: it is over and was not kept, or is kept no "
            "longer."
        )


class StreamGone(CallerError):
    status = 410
    code = "stream_gone"

    def __init__(self, id: str) -> None:
        super().__init__(
            f"The worker that had the stream {shortened(id)!r} has stopped; what it kept is gone."
        )


class UnknownModel(NotFound):
    code = "model_not_found"
    param = "model"

    def __init__(self, model: str, known: Sequence[str]) -> None:
        super().__init__(
            f"No upstream serves the model {shortened(model)!r}; available: {', '.join(known)}."
        )


class MethodNotAllowed(CallerError):
    status = 405
    code = "method_not_allowed"


class NoWebSocket(CallerError):
    status = 426
    code = "no_websocket"

    def __init__(self) -> None:
        super().__init__("The gateway does not speak WebSocket; send the request with POST.")


class Conflict(CallerError):
    status = 409


class AlreadyAnswering(Conflict):
    code = "already_answering"

    def __init__(self) -> None:
        super().__init__("The model is answering already.")


class CannotAnswerNow(Conflict):
    code = "cannot_answer_now"


class RequestTimeout(CallerError):
    status = 408
    code = "request_timeout"


class BodyTooLarge(CallerError):
    status = 413
    code = "body_too_large"


class UnsupportedMedia(CallerError):
    status = 415
    code = "unsupported_media_type"


class TooManyWaiting(CallerError):
    status = 429
    type = "rate_limit_error"
    code = "too_many_waiting"
    retry_after_s = 1

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"Your address has {limit} requests that are not complete (MAX_WAITING_PER_ADDRESS)."
        )


class MalformedRequest(CallerError):
    code = "malformed_request"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KeyLimit(CallerError):
    status = 429
    type = "rate_limit_error"
    code = "key_limit"
    retry_after_s = 1


class NotOffered(CallerError):
    status = 501
    code = "not_offered"


class ClientLeft(GatewayError):
    """Its status, which no client sees, is nginx's for this case."""

    status = 499
    code = "client_left"
    blame = "client"

    def __init__(self, message: str = "The client closed the connection.") -> None:
        super().__init__(message)


class ClientStalled(ClientLeft):
    code = "client_stalled"

    def __init__(self) -> None:
        super().__init__("The client does not read.")


class Cancelled(ClientLeft):
    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("The stream was stopped at the request of its client.")


class Abandoned(ClientLeft):
    code = "abandoned"

    def __init__(self) -> None:
        super().__init__("Nobody has read the stream for DETACHED_TIMEOUT_S.")


class UpstreamError(GatewayError):
    status = 502
    type = "upstream_error"
    code = "upstream_failed"
    blame: Blame = "upstream"
    was_reached = True
    """The upstream had accepted the connection."""


class UpstreamRefused(UpstreamError):
    """The upstream answered with an error status.

    A refusal of the request's content, or of the client's region, becomes 403. A refused key
    becomes 424, which no SDK retries: a retry would be refused too. Statuses about the request
    (400, 404, 408, 409, 413, 422, 429) are passed on to the client. All others (5xx, redirects) are
    about the upstream's health and become 502.
    """

    code = "upstream_refused"
    _CALLERS_FAULT = frozenset({400, 404, 409, 413, 422})
    _KEY_REFUSED = frozenset({401, 402, 403, 407})
    PASSED_ON = _CALLERS_FAULT | {408, 429}

    def __init__(
        self,
        upstream_status: int,
        message: str,
        *,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
        cause: RefusalCause | None = None,
    ) -> None:
        """type, param, code: the upstream's own. cause: None: the status tells it."""
        super().__init__(message, param=param, code=code)
        self.upstream_status = upstream_status
        self.retry_after_s = retry_after_s
        if cause is None:
            cause = "key" if upstream_status in self._KEY_REFUSED else "other"
        self.cause = cause
        if cause == "content" or (cause == "other" and upstream_status in self._CALLERS_FAULT):
            self.blame = "caller"
        if cause == "content":
            self.status, self.type = 403, type or "permission_error"
        elif cause == "key":
            self.status, self.is_final = 424, True
        elif upstream_status in self.PASSED_ON:
            self.status = upstream_status
            self.type = type or self._type_of(upstream_status)

    def of_later_request(self, retry_after_s: int) -> "UpstreamRefused":
        """Returns the error for a later request, which is not sent because of this refusal.

        Its message is not the upstream's, which was meant for the first client.
        """
        return UpstreamRefused(
            self.upstream_status,
            "The upstream has asked the gateway to wait; try again later.",
            retry_after_s=retry_after_s,
            cause=self.cause,
        )

    @staticmethod
    def _type_of(status: int) -> str:
        return "rate_limit_error" if status == 429 else "invalid_request_error"


class UpstreamUnreachable(UpstreamError):
    code = "upstream_unreachable"
    was_reached = False


class UpstreamBroke(UpstreamError):
    code = "upstream_broke_off"


class AnswerTooLong(UpstreamError):
    code = "upstream_answer_too_long"
    model_ran = True

    def __init__(self, limit: int) -> None:
        super().__init__(f"The answer is longer than {limit} bytes (MAX_ANSWER_BYTES).")


class UpstreamTimeout(UpstreamError):
    """`code` tells which time limit was exceeded."""

    status = 504
    code = "upstream_timeout"


class UpstreamTotalTimeout(UpstreamTimeout):
    code = "upstream_total_timeout"


class NoUpstream(UpstreamError):
    status = 503
    code = "no_upstream"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("No upstream is available at the moment; try again later.")
        self.retry_after_s = retry_after_s


class GatewayFault(GatewayError):
    """An unforeseen error: its message reveals no internals, the log has the traceback."""

    code = "internal_error"

    def __init__(self, message: str = "The gateway failed; its log says why.") -> None:
        super().__init__(message)


class Full(GatewayFault):
    status = 503
    code = "gateway_full"
    retry_after_s = 1


class UpstreamsFull(Full):
    code = "upstreams_full"

    def __init__(self) -> None:
        super().__init__(
            "Every upstream for this model is at its stream limit; try again in a moment."
        )


class KeptTooLong(GatewayFault):
    code = "kept_too_long"

    def __init__(self) -> None:
        super().__init__("The streams that are kept take more memory than MAX_KEPT_BYTES.")


class StoreAway(GatewayFault):
    status = 503
    code = "stream_store_away"
    retry_after_s = 5

    def __init__(self, why: str = "") -> None:
        """why: for the log and for operators; the message for clients does not say it."""
        super().__init__("The store of kept streams can't be reached; try again in a moment.")
        self.why = why


class StreamLost(GatewayFault):
    code = "stream_lost"

    def __init__(self) -> None:
        super().__init__("The worker that ran this stream has stopped; send the request again.")


class Draining(GatewayFault):
    status = 503
    code = "gateway_draining"
    retry_after_s = 5


def _codes(root: type[GatewayError]) -> set[str]:
    below = (_codes(kind) for kind in root.__subclasses__())
    return {root.code or ""}.union(*below)


CODES = frozenset(_codes(GatewayError) - {""}) | {
    "upstream_connect_timeout",
    "upstream_first_byte_timeout",
    "upstream_idle_timeout",
    "upstream_bad_chunk",
    "upstream_empty_answer",
    "upstream_error",
}
"""All error codes of the gateway. Upstreams add their own."""
