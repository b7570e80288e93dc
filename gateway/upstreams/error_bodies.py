"""Reads the errors that model servers send, in the different shapes that they have."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from math import ceil, isfinite
from typing import Any, NamedTuple

from gateway.errors import RefusalCause

Redact = Callable[[str], str]
"""Returns a text without the gateway's keys; for texts from an upstream."""

_MAX_MESSAGE = 2000
_MESSAGE = (
    *("message", "msg", "detail", "error_msg", "error_message", "errorMessage"),
    *("error_description", "status_msg", "Message", "title", "reason"),
)
"""Members that hold the message, the first that is there; the last two only within an error."""
_MESSAGE_AT_TOP = _MESSAGE[:-2]
_CODE = ("code", "error_code", "errorCode", "status_code")
_STATUS = (*_CODE, "status", "http_status", "http_code")
_STATUS_OF_WORD = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "insufficient_balance": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "unsupported_country_region_territory": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "too_many_requests": 429,
    "resource_exhausted": 429,
    "insufficient_quota": 429,
    "overloaded_error": 503,
    # MiniMax, in base_resp.status_code
    "1002": 429,
    "1004": 401,
    "1008": 402,
    "1026": 403,
    "1027": 403,
    "2013": 400,
}
_CONTENT = re.compile(
    r"moderat|flagged|content[_ -]?(policy|filter|management|violation|safety|restrict)|guardrail"
    r"|safety|inappropriate|sensitive|unsafe|harmful|prohibited|data[_ ]?inspection|censor"
    r"|violat\w+ (of )?(our|the|\w+'s) [\w ]*polic|usage polic|responsible ai",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"countr(y|ies)|territor|\bregions?\b|location is not supported|jurisdiction|sanction|embargo",
    re.IGNORECASE,
)
_KEY = re.compile(r"api[ _-]?key|credential|authenticat|\btoken\b", re.IGNORECASE)


class ErrorWords(NamedTuple):
    """What a server said of an error, without the gateway's keys."""

    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str | None = None
    status: int = 0
    """The HTTP status that the error names; 0: none."""
    retry_after_s: int | None = None
    speaks_of_content: bool = False
    """It is about the content of the request or the caller's region."""

    def cause(self, status: int) -> RefusalCause | None:
        """Why the server refused; None: what the status says."""
        blocks = status == 451 or (status == 403 and self.speaks_of_content)
        return "content" if blocks else None


def key_refused(status: int, setting: str, words: ErrorWords) -> str:
    """The message for a refused key. What the server says of it may hold a part of the key."""
    if status == 402 and words.message:
        return f"The upstream wants credit for the gateway's key (402): {words.message}"
    return f"The upstream refused the gateway's key ({status}); check {setting}."


def decode_json(data: bytes) -> Any:
    """The decoded JSON, or None if it is not JSON. Broken UTF-8 is replaced."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def words_of_body(data: bytes, redact: Redact) -> ErrorWords:
    """What a whole body says: JSON of any shape, plain text, or the title of a web page."""
    value = decode_json(data)
    if isinstance(value, dict | list):
        return words_of(value, redact)
    return words_of_text(data.decode("utf-8", "replace"), redact)


def words_of_text(text: str, redact: Redact) -> ErrorWords:
    """What a text says that is no JSON; nothing if it is not readable either."""
    text = text.strip().strip('"')
    if text.startswith("<"):
        title = re.search(r"<title>([^<]{1,200})</title>", text[:_MAX_MESSAGE], re.IGNORECASE)
        text = f"The upstream answered with a web page: {title[1].strip()}" if title else ""
    if text.startswith(("{", "[")) or not _READABLE.search(text) or _UNREADABLE.search(text):
        return ErrorWords()
    return words_of({"message": f"{text}." if text[-1].isalnum() else text}, redact)


_READABLE = re.compile(r"[^\W\d_]{2}")
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")


def words_of(value: Any, redact: Redact) -> ErrorWords:
    """What decoded JSON says. Without a message, it is not known to be an error.

    The shapes: `{"error": {"message"}}`, `{"error": "…"}`, `{"message"}`, `{"detail"}` with a text
    or FastAPI's list, `{"errors": [{"message"}]}`, `{"base_resp": {"status_msg"}}`,
    `{"error_msg"}`, a list of any of these, and a message that is an object.
    """
    error = _error_in(value)
    names = _MESSAGE if error is not value else _MESSAGE_AT_TOP
    message = next((text for name in names if (text := _text_of(error.get(name)))), "")
    if not message:
        return ErrorWords()
    if len(message) > _MAX_MESSAGE:
        message = f"{message[:_MAX_MESSAGE]}…"
    code = next((error[name] for name in _CODE if _is_word(error.get(name))), None)
    type, param = error.get("type"), error.get("param")
    searched = " ".join(map(str, (message, code, type)))
    return ErrorWords(
        redact(message),
        redact(str(type)) if _is_word(type) else None,
        redact(str(param)) if _is_word(param) else None,
        redact(str(code)) if code is not None else None,
        _status_of(error, value),
        _retry_after_s(error),
        _speaks_of_content(searched, error),
    )


def _error_in(value: Any) -> Mapping[str, Any]:
    """The object with the error's members."""
    if isinstance(value, list):
        return _error_in(value[0]) if value else {}
    if isinstance(value, str):
        return {"message": value}
    if not isinstance(value, dict):
        return {}
    for name in ("error", "errors"):
        inner = value.get(name)
        if isinstance(inner, str | list) and inner:
            return _error_in(inner)
        if isinstance(inner, dict):
            return inner
    base = value.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (0, None):
        return base
    return value


def _text_of(value: Any) -> str:
    """The text of a message, which may be an object or a list of faults."""
    match value:
        case str():
            return value.strip()
        case {"loc": [*path], "msg": str() as fault}:
            return f"{'.'.join(map(str, path))}: {fault}"
        case dict():
            inner = next((text for name in _MESSAGE if (text := _text_of(value.get(name)))), "")
            return inner or (json.dumps(value) if value else "")
        case list():
            return "; ".join(text for item in value[:10] if (text := _text_of(item)))
        case None | bool():
            return ""
    return str(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _status_of(error: Mapping[str, Any], whole: Any) -> int:
    """The HTTP status that the error's members stand for; 0 if none does."""
    places = [error, whole] if isinstance(whole, dict) and whole is not error else [error]
    for place in places:
        for name in (*_STATUS, "type"):
            word = str(place.get(name)).lower() if _is_word(place.get(name)) else ""
            if re.fullmatch(r"[45]\d\d", word):
                return int(word)
            if status := _STATUS_OF_WORD.get(word):
                return status
    return 0


def _speaks_of_content(words: str, error: Mapping[str, Any]) -> bool:
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and ("flagged_input" in metadata or metadata.get("reasons")):
        return True  # OpenRouter's moderation
    if _CONTENT.search(words):
        return True
    return _REGION.search(words) is not None and _KEY.search(words) is None


def _retry_after_s(error: Mapping[str, Any]) -> int | None:
    """How long to wait, where the body says it."""
    return next((s for wait in _waits(error) if (s := read_wait(wait)) is not None), None)


def _waits(error: Mapping[str, Any]) -> Iterator[str]:
    metadata = error.get("metadata")
    for place in (error, metadata if isinstance(metadata, dict) else {}):
        for name in ("retry_after", "retry_after_seconds", "retryDelay"):
            if _is_word(place.get(name)) or isinstance(place.get(name), float):
                yield str(place[name])
        if isinstance(place.get("retry_after_ms"), int | float):
            yield f"{place['retry_after_ms']}ms"
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            yield detail["retryDelay"]  # Google


_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_WAIT = re.compile(r"(?:\d{1,12}(?:\.\d{0,9})?(?:ms|s|m|h|$))+", re.ASCII)
_WAIT_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h|$)", re.ASCII)


def read_wait(text: str) -> int | None:
    """Whole seconds of `7`, `7.66`, `500ms` or `1m30s`, rounded up; None for anything else."""
    text = text.strip()
    if not _WAIT.fullmatch(text):
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _WAIT_PART.findall(text))
    return ceil(round(seconds, 6)) if isfinite(seconds) else None
