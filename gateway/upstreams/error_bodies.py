"""Reads the errors of model servers, in all shapes that servers give them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from math import ceil, isfinite
from typing import Any, NamedTuple

from gateway.errors import RefusalCause

Redact = Callable[[str], str]
"""Returns a text without the gateway's keys; for texts from an upstream."""

_MAX_MESSAGE = 2000
_MAX_DEPTH = 8
"""The most levels of nested objects and lists that are searched."""
_MESSAGE_AT_TOP = (
    *("message", "msg", "faultstring", "detail", "error_msg", "error_message", "errorMessage"),
    *("error_description", "status_msg", "Message", "exception"),
)
"""Members that may hold the message; the first that is present counts."""
_MESSAGE = (*_MESSAGE_AT_TOP, "title", "reason", "messages", "details", "info", "text")
"""Members that may hold the message inside an error, where these names mean nothing else."""
_ERROR_IN = ("error", "errors", "Error", "fault")
"""Members that may hold the error itself."""
_WRAPPERS = ("detail", "ResponseMetadata", "Response", "header", "base_resp")
"""Objects that may hold the error, or its members beside a code other than 0."""
_CODE = ("code", "error_code", "errorCode", "status_code", "Code", "errorcode")
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
    "engine_overloaded_error": 503,
    "throttling": 429,
    "throttlingexception": 429,
    "quota_exceeded": 429,
    "billing_error": 402,
    "insufficient_credits": 402,
    "arrearage": 402,
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
    r"|(violat|breach|against)\w*\b.{0,40}\b(polic|guideline|terms|rules)"
    r"|(usage|acceptable use) polic|responsible ai|jailbreak|prompt injection|\babus(e|ive)\b|toxic"
    r"|敏感|违规|违禁|不安全|内容安全|审核",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"countr(y|ies)|territor|\bregions?\b|geograph|(your|user) location|jurisdiction|sanction"
    r"|embargo|地区|国家",
    re.IGNORECASE,
)
_KEY = re.compile(r"api[ _-]?key|credential|authenticat|\btoken\b", re.IGNORECASE)
_KEY_REFUSED = re.compile(
    r"\bapi[ _-]?key[ _](is )?(not valid|invalid|expired|disabled)"
    r"|(invalid|incorrect|expired) api[ _-]?key",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"credit balance|insufficient[ _](balance|credit|funds)|arrearage|overdue payment",
    re.IGNORECASE,
)
"""_KEY_REFUSED and _NO_CREDIT recognize a refusal of the gateway's key or account. Some servers
send it with status 400."""
_WAIT_IN_WORDS = re.compile(
    r"\b(?:try again|retry)(?: again)? (?:in|after) ((?:\d+(?:\.\d+)? ?(?:ms|[hms])?[a-z]* ?)+)",
    re.IGNORECASE,
)
_UNIT_IN_WORDS = re.compile(
    r"(\d) ?(milliseconds?|ms|h|m|s)(?:ours?|in(?:ute)?s?|ec(?:ond)?s?)?\b ?", re.IGNORECASE
)


class ErrorWords(NamedTuple):
    """A server's description of an error, without the gateway's keys."""

    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str | None = None
    status: int = 0
    """The HTTP status that the error names; 0: none."""
    retry_after_s: int | None = None
    speaks_of: RefusalCause | None = None
    """The subject of the message: `content` is the request's content or the caller's region, `key`
    the gateway's key. None: neither."""

    def cause(self, status: int) -> RefusalCause | None:
        """Returns the reason for the refusal; None: the one that the status implies."""
        if status == 451 or (status in (401, 403) and self.speaks_of == "content"):
            return "content"
        return "key" if status == 400 and self.speaks_of == "key" else None


def key_refused(status: int, setting: str, words: ErrorWords) -> str:
    """Returns the gateway's message for a refused key.

    It leaves out the server's message, which may contain a part of the key.
    """
    if words.message and (status == 402 or _NO_CREDIT.search(words.message)):
        return f"The upstream wants credit for the gateway's key ({status}): {words.message}"
    return f"The upstream refused the gateway's key ({status}); check {setting}."


def decode_json(data: bytes) -> Any:
    """Returns the decoded JSON, or None if the data is not JSON. Broken UTF-8 is replaced."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def words_of_body(data: bytes, redact: Redact) -> ErrorWords:
    """Returns the error in a whole body: JSON of any shape, plain text, or a web page's title."""
    value = _json_in(data.removeprefix(b"\xef\xbb\xbf"))
    if value is not None:
        return words_of(value, redact)
    return words_of_text(data.decode("utf-8", "replace"), redact)


def _json_in(data: bytes) -> dict[str, Any] | list[Any] | None:
    """Returns the JSON of a body, or of its first line with JSON or with an event's data; None if
    there is no JSON."""
    value = decode_json(data)
    if isinstance(value, dict | list):
        return value
    for line in data.split(b"\n", _MAX_LINES)[:_MAX_LINES]:
        value = decode_json(line.removeprefix(b"data:"))
        if isinstance(value, dict | list):
            return value
    return None


def words_of_text(text: str, redact: Redact) -> ErrorWords:
    """Returns the error in a text that is not JSON; an empty one if the text is not readable."""
    text = text.strip().strip('"')
    if text.startswith("<"):
        page = text[:_MAX_MESSAGE]
        found = _XML_MESSAGE.search(page) or _TITLE.search(page)
        is_page = found is not None and found.re is _TITLE
        text = found[2].strip() if found else ""
        text = f"The upstream answered with a web page: {text}" if is_page and text else text
    if text.startswith(("{", "[{")) or not _READABLE.search(text) or _UNREADABLE.search(text):
        return ErrorWords()
    return words_of({"message": f"{text}." if text[-1].isalnum() else text}, redact)


_MAX_LINES = 20
_XML_MESSAGE = re.compile(r"<(message)>([^<]{1,2000})</message>", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)>([^<]{1,200})</", re.IGNORECASE)
_READABLE = re.compile(r"[^\W\d_]{2}")
_UNREADABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffd]")


def words_of(value: Any, redact: Redact) -> ErrorWords:
    """Returns the error in decoded JSON; an empty one if there is no message.

    The shapes: `{"error": {"message"}}`, `{"error": "…"}`, `{"message"}`, `{"detail"}` with a text
    or FastAPI's list, `{"errors": [{"message"}]}`, `{"base_resp": {"status_msg"}}`,
    `{"error_msg"}`, a list of any of these, and a message that is an object.
    """
    error = _error_in(value)
    names = _MESSAGE if error is not value or _is_marked_failed(error) else _MESSAGE_AT_TOP
    message = _message_of(error, names)
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
        _retry_after_s(error, message),
        _speaks_of(searched, error),
    )


def _error_in(value: Any, depth: int = 0) -> Mapping[str, Any]:
    """Returns the object with the error's members."""
    if isinstance(value, list):
        return _error_in(value[0], depth + 1) if value and depth < _MAX_DEPTH else {}
    if isinstance(value, str):
        return {"message": value}
    if not isinstance(value, dict):
        return {}
    if depth >= _MAX_DEPTH:
        return value
    for name in _ERROR_IN:
        inner = value.get(name)
        if isinstance(inner, list) and inner:
            return _error_in(inner, depth + 1)
        if isinstance(inner, str) and inner:
            # Some servers put only `Bad Request` here, and the real message in another member.
            more = next(
                (text for n in _MESSAGE if n != name and (text := _text_of(value.get(n)))), ""
            )
            return {**value, "message": f"{inner}: {more}" if more and more != inner else inner}
        if isinstance(inner, dict):
            return _error_in(inner, depth + 1) if _has_error(inner) else inner
    for name in _WRAPPERS:
        inner = value.get(name)
        is_error = isinstance(inner, dict) and (_has_error(inner) or _has_code(inner))
        if is_error or (name == "detail" and isinstance(inner, dict)):
            return _error_in(inner, depth + 1)
    return value


def _has_error(value: Mapping[str, Any]) -> bool:
    return any(isinstance(value.get(name), str | dict | list) for name in _ERROR_IN)


def _has_code(value: Mapping[str, Any]) -> bool:
    codes = (value.get(name) for name in _CODE)
    return next((code for code in codes if code is not None), 0) not in (0, "0", "")


def _is_marked_failed(value: Mapping[str, Any]) -> bool:
    return value.get("error") is True or value.get("success") is False


def _message_of(error: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Returns the message. If the server is a proxy, the message of its own upstream follows."""
    message = next((text for name in names if (text := _text_of(error.get(name)))), "")
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if message and raw and (behind := _text_of(raw)):  # OpenRouter's "Provider returned error"
        return f"{message}: {behind}"
    return message


def _text_of(value: Any, depth: int = 0) -> str:
    """Returns the text of a message, which may be an object or a list of faults."""
    deeper = depth + 1
    match value:
        case _ if depth > _MAX_DEPTH:
            return ""
        case str():
            return _unfolded(value.strip(), deeper)
        case {"loc": [*path], "msg": str() as fault}:
            return f"{'.'.join(map(str, path))}: {fault}"
        case dict():
            error = _error_in(value)
            texts = (_text_of(error.get(name), deeper) for name in _MESSAGE)
            return next(filter(None, texts), "") or (json.dumps(value) if value else "")
        case list():
            texts = (_text_of(item, deeper) for item in value[:10])
            return "; ".join(filter(None, texts))
        case None | bool():
            return ""
    return str(value)


def _unfolded(text: str, depth: int) -> str:
    """Returns the message inside a text that is itself the JSON of an error; else the text."""
    if not (text.startswith("{") and text.endswith("}")):
        return text
    inner = decode_json(text.encode("utf-8", "replace"))
    is_error = isinstance(inner, dict) and (_has_error(inner) or "message" in inner)
    return (_text_of(inner, depth) if is_error else "") or text


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _status_of(error: Mapping[str, Any], whole: Any) -> int:
    """Returns the HTTP status that the error's members name; 0 if none does."""
    places = [error, whole] if isinstance(whole, dict) and whole is not error else [error]
    for place in places:
        for name in (*_STATUS, "type"):
            word = str(place.get(name)).lower() if _is_word(place.get(name)) else ""
            if re.fullmatch(r"[45]\d\d", word):
                return int(word)
            if status := _STATUS_OF_WORD.get(word):
                return status
    return 0


def _speaks_of(words: str, error: Mapping[str, Any]) -> RefusalCause | None:
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and ("flagged_input" in metadata or metadata.get("reasons")):
        return "content"  # OpenRouter's moderation
    if _KEY_REFUSED.search(words) or _NO_CREDIT.search(words):
        return "key"
    if _CONTENT.search(words):
        return "content"
    return "content" if _REGION.search(words) and not _KEY.search(words) else None


def _retry_after_s(error: Mapping[str, Any], message: str) -> int | None:
    """Returns the wait that the body asks for, in seconds; None: it asks for none."""
    return next((s for wait in _waits(error, message) if (s := read_wait(wait)) is not None), None)


def _waits(error: Mapping[str, Any], message: str) -> Iterator[str]:
    metadata = error.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    headers = metadata.get("headers")
    for place in (error, metadata, headers if isinstance(headers, dict) else {}):
        for name in ("retry_after", "retry_after_seconds", "retryDelay", "Retry-After"):
            if _is_word(place.get(name)) or isinstance(place.get(name), float):
                yield str(place[name])
        if isinstance(place.get("retry_after_ms"), int | float):
            yield f"{place['retry_after_ms']}ms"
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("retryDelay"), str):
            yield detail["retryDelay"]  # Google
    if found := _WAIT_IN_WORDS.search(message):
        yield _UNIT_IN_WORDS.sub(_unit, found[1]).strip()


def _unit(found: re.Match[str]) -> str:
    unit = found[2].lower()
    return found[1] + ("ms" if unit.startswith("ms") or unit.startswith("milli") else unit)


_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_WAIT = re.compile(r"(?:\d{1,12}(?:\.\d{0,9})?(?:ms|s|m|h|$))+", re.ASCII)
_WAIT_PART = re.compile(r"(\d+(?:\.\d*)?)(ms|s|m|h|$)", re.ASCII)


def read_wait(text: str) -> int | None:
    """Returns the whole seconds of `7`, `7.66`, `500ms` or `1m30s`, rounded up; else None."""
    text = text.strip()
    if not _WAIT.fullmatch(text):
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _WAIT_PART.findall(text))
    return ceil(round(seconds, 6)) if isfinite(seconds) else None
