"""Errors as OpenAI spells them."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class ErrorReply(NamedTuple):
    """An error status with OpenAI's error body."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    type: str = "invalid_request_error"
    headers: Mapping[str, str] = {}

    def body(self) -> dict[str, Any]:
        kind = {"type": self.type, "param": self.param, "code": self.code}
        return {"error": {"message": self.message, **kind}}


class RequestRefused(Exception):
    """The request gets this error instead of an answer."""

    def __init__(self, reply: ErrorReply) -> None:
        super().__init__(reply.message)
        self.reply = reply
