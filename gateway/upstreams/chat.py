"""A model server with OpenAI's `/chat/completions`: the requests to it, and its refusals.

The gateway always asks for a stream, even for a client that wants the answer in one piece: only a
stream tells a busy upstream from a silent one.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from gateway.config import UpstreamConfig
from gateway.core.call import Call
from gateway.core.sse import dumps
from gateway.errors import UpstreamRefused
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.error_bodies import Redact, key_refused, read_wait, words_of_body

_COMPLETIONS = "/chat/completions"


class ChatUpstream:
    """One upstream: builds the requests to it and interprets its answers. See Upstream."""

    def __init__(self, config: UpstreamConfig, redact: Redact = str) -> None:
        """redact: removes the gateway's keys from error messages of the upstream."""
        self.name = config.name
        self._redact = redact
        self._takes_stream_options = config.stream_options
        self._wants_max_completion_tokens = config.max_completion_tokens
        self._key_setting = config.api_key_env or "its api_key"
        self._fixed_headers = dict(config.headers)
        if config.api_key:
            self._fixed_headers["Authorization"] = f"Bearer {config.api_key}"
        base, query = _base_url(config.url)
        self._completions_url = base + _COMPLETIONS + query
        self._control_url = f"{base}{_COMPLETIONS}/control{query}"
        self._models_url = base + "/models" + query
        self._root_url = config.url
        self._health_url = urljoin(config.url, config.health_path) if config.health_path else None

    def completion(self, body: Mapping[str, Any], model: str, request_id: str) -> Call:
        """Returns the request for an answer. It always asks for the usage, to report it.

        model: the model's name on this upstream; "" keeps the model that the body names.
        """
        options = body.get("stream_options")
        sent = {
            **body,
            **({"model": model} if model else {}),
            "stream": True,
            "stream_options": {
                **(options if isinstance(options, dict) else {}),
                "include_usage": True,
            },
        }
        if not self._takes_stream_options:
            del sent["stream_options"]
        if self._wants_max_completion_tokens and "max_tokens" in sent:
            sent.setdefault("max_completion_tokens", sent.pop("max_tokens"))
        headers = self._headers(request_id) | {
            "Accept": "text/event-stream",
            "Content-Type": "application/json",
        }
        return Call(self._completions_url, headers, _encoded(sent))

    def control(self, completion_id: str, model: str, request_id: str) -> Call:
        """Returns llama.cpp's request to end the thinking of a running answer."""
        asked = {"id": completion_id, "action": "reasoning_end"}
        asked |= {"model": model} if model else {}
        headers = self._headers(request_id) | {"Content-Type": "application/json"}
        return Call(self._control_url, headers, dumps(asked).encode())

    def probe(self, path: str, request_id: str) -> Call:
        """Returns the request for a path whose answer shows which kind of server this is."""
        headers = self._headers(request_id) | {"Accept": "application/json"}
        return Call(urljoin(self._root_url, path), headers)

    def models(self, request_id: str) -> Call:
        """Returns the request for the list of models."""
        return Call(self._models_url, self._headers(request_id) | {"Accept": "application/json"})

    def health(self, request_id: str) -> Call | None:
        """Returns the request for the upstream's health, or None if it has no health path."""
        return Call(self._health_url, self._headers(request_id)) if self._health_url else None

    def model_ids(self, body: bytes) -> list[tuple[str, str]] | None:
        """Returns the id and owner of each model in a list of models; None for another body."""
        try:
            models = msgspec.json.decode(body, type=_ModelList).data
        except (ValueError, RecursionError):
            return None
        return [(model.id, model.owned_by or self.name) for model in models]

    def reader(self, choice: int = 0) -> ChatReader:
        """Returns a reader for one choice of an answer."""
        return ChatReader(choice, self._redact, self._key_setting)

    def refusal(
        self, status: int, headers: Mapping[str, str], body: bytes, url: str = ""
    ) -> UpstreamRefused:
        """Returns the error for a status other than 2xx. Its texts hold none of the gateway's keys.

        url: the address of the request; "" for a completion.
        """
        if 300 <= status < 400:
            return UpstreamRefused(
                status,
                "The upstream redirects, and the gateway does not follow redirects; set "
                "UPSTREAM_URL, or the url in the upstream's table, to the final address.",
            )
        words = words_of_body(body, self._redact)
        retry_after_s = _retry_after_s(headers)
        refused = UpstreamRefused(
            status,
            words.message or _unexplained(status, url or self._completions_url),
            type=words.type,
            param=words.param,
            code=words.code,
            retry_after_s=words.retry_after_s if retry_after_s is None else retry_after_s,
            cause=words.cause(status),
        )
        if refused.cause == "key":
            message = key_refused(status, self._key_setting, words)
            return UpstreamRefused(status, message, cause="key")
        return refused

    def _headers(self, request_id: str) -> dict[str, str]:
        # The gateway could not pass a compressed stream on as it arrives.
        own = {"Accept-Encoding": "identity", "X-Request-Id": request_id}
        return self._fixed_headers | own


def _encoded(body: Mapping[str, Any]) -> bytes:
    """The body as JSON. msgspec takes a tenth of the time, but refuses halves of characters and
    some numbers."""
    try:
        return msgspec.json.encode(body)
    except (ValueError, TypeError, OverflowError):
        return dumps(body).encode()


def _unexplained(status: int, url: str) -> str:
    if status == 404:
        return f"The upstream has nothing at {urlsplit(url).path}; check its address."
    return f"The upstream answered with status {status}."


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Returns the time to wait in whole seconds, rounded up; None: absent or invalid.

    A date is compared with the answer's own `Date`, not with the gateway's clock.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (wait_s := read_wait(f"{headers.get(name, '')}ms")) is not None:
            return wait_s
    after = headers.get("Retry-After", "")
    if (wait_s := read_wait(after)) is not None:
        return wait_s
    try:
        then, now = map(parsedate_to_datetime, (after, headers.get("Date", "")))
        return max(0, ceil((then - now).total_seconds()))
    except (TypeError, ValueError, OverflowError):
        return None  # TypeError: only one of the dates has a time zone


def _base_url(url: str) -> tuple[str, str]:
    """Returns the URL to append paths to, and the query that follows the path (`?api-version=…`).

    `http://host`, `http://host/v1` and `http://host/v1/chat/completions` give the same one.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(_COMPLETIONS) or (
        "" if _COMPLETIONS in parts.path else "/v1"
    )
    query = f"?{parts.query}" if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc, path, "", "")), query


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None


class _ModelList(msgspec.Struct):
    data: list[_Model]
