"""What servers say when something went wrong, in the shapes that they say it in."""

import json
from collections.abc import Callable, Mapping
from typing import Any

_STATUS_OF_TYPE = {"invalid_request_error": 400, "rate_limit_error": 429}
Hide = Callable[[str], str]
"""Takes the keys out of what an upstream says of an error."""


def loads(data: bytes) -> Any:
    """Leniently decoded JSON, or None."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def error_of(value: Any, hide: Hide) -> dict[str, str]:
    """The members of an error object, in any of the shapes that servers use, without keys.

    `{"error": {"message": …}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": "…"}`.
    """
    if not isinstance(value, dict):
        return {}
    error = value.get("error", value)
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and isinstance(error.get("detail"), str):
        error = {**error, "message": error["detail"]}
    members = ("message", "type", "param", "code")
    return {name: hide(str(error[name])) for name in members if error.get(name) is not None}


def status_of(error: Mapping[str, str]) -> int:
    """The HTTP status that an error in a stream stands for, where its code or its type is one."""
    code = error.get("code", "")
    if len(code) == 3 and code.isdecimal() and code[0] in "45":
        return int(code)
    return _STATUS_OF_TYPE.get(error.get("type", ""), 0)
