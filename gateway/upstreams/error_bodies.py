"""Reads the errors that model servers send, in the different shapes that they have."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Redact = Callable[[str], str]
"""Returns a text without the gateway's keys; for texts from an upstream."""
_MEMBERS = ("message", "type", "param", "code")
_STATUS_OF_TYPE = {"invalid_request_error": 400, "rate_limit_error": 429}


def decode_json(data: bytes) -> Any:
    """The decoded JSON, or None if it is not JSON. Broken UTF-8 is replaced."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def error_members(body: Any, redact: Redact) -> dict[str, str]:
    """The members `message`, `type`, `param` and `code` of an error that have a value, redacted.

    The shapes are `{"error": {"message": …}}`, `{"error": "…"}`, `{"message": …}` and
    `{"detail": "…"}`. A body of another shape has no members.
    """
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and isinstance(error.get("detail"), str):
        error = {**error, "message": error["detail"]}
    return {name: redact(str(error[name])) for name in _MEMBERS if error.get(name) is not None}


def error_status(members: Mapping[str, str]) -> int:
    """The HTTP status that the code or the type of an error stands for; 0 if neither does."""
    code = members.get("code", "")
    if len(code) == 3 and code.isdecimal() and code[0] in "45":
        return int(code)
    return _STATUS_OF_TYPE.get(members.get("type", ""), 0)
