"""Any server that speaks OpenAI's `/chat/completions`: what is sent to it.

Its answer is asked for as a stream, also for callers who want it in one piece: only then can a
silent upstream be told from a busy one.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from gateway.config import UpstreamConfig
from gateway.core.parts import Call
from gateway.core.sse import dumps
from gateway.errors import UpstreamRefused
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.error_bodies import Hide, error_of, loads

_COMPLETIONS = "/chat/completions"


class ChatUpstream:
    """One upstream: its addresses, its headers, its name."""

    def __init__(self, config: UpstreamConfig, hide: Hide = str) -> None:
        """hide: takes the keys out of what an upstream says of an error."""
        self.name = config.name
        self._hide = hide
        self._key_at = config.api_key_env or "its api_key"
        self._fixed_headers = dict(config.headers)
        if config.api_key:
            self._fixed_headers["Authorization"] = f"Bearer {config.api_key}"
        base = _base(config.url)
        self._completions_url = base + _COMPLETIONS
        self._models_url = base + "/models"
        self._health_url = urljoin(config.url, config.health_path) if config.health_path else None

    def completion(self, body: Mapping[str, Any], model: str, request_id: str) -> Call:
        """The call that starts an answer. Usage is always asked for: the gateway reports it.

        model: the upstream's own name for it; "" leaves the choice to the upstream.
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
        headers = self._headers(request_id) | {
            "Accept": "text/event-stream",
            "Content-Type": "application/json",
        }
        return Call(self._completions_url, headers, dumps(sent).encode())

    def models(self, request_id: str) -> Call:
        """The call for the list of models."""
        return Call(self._models_url, self._headers(request_id) | {"Accept": "application/json"})

    def health(self, request_id: str) -> Call | None:
        """The call that shows whether it is well; None: there is no such path."""
        return Call(self._health_url, self._headers(request_id)) if self._health_url else None

    def model_ids(self, body: bytes) -> list[tuple[str, str]] | None:
        """Id and owner of each model in the answer to :meth:`models`; None: it can't be read."""
        try:
            listed = msgspec.json.decode(body, type=_Models).data
        except (ValueError, RecursionError):
            return None
        return [(model.id, model.owned_by or self.name) for model in listed]

    def reader(self, choice: int = 0) -> "ChatReader":
        """A reader for one choice of one answer."""
        return ChatReader(choice, self._hide)

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamRefused:
        """What an answer with any status but 200 means, without the gateway's keys in its text."""
        if 300 <= status < 400:
            return UpstreamRefused(
                status,
                "The upstream redirects, which is not followed; set UPSTREAM_URL, or the url of "
                "its table, to its address.",
            )
        if status in (401, 403):
            return UpstreamRefused(
                status, f"The upstream refused the gateway's key ({status}); check {self._key_at}."
            )
        error = error_of(loads(body), self._hide)
        return UpstreamRefused(
            status,
            error.get("message") or f"The upstream answered with status {status}.",
            type=error.get("type"),
            param=error.get("param"),
            code=error.get("code"),
            retry_after_s=_retry_after_s(headers),
        )

    def _headers(self, request_id: str) -> dict[str, str]:
        # An encoded stream could not be handed on as it arrives.
        own = {"Accept-Encoding": "identity", "X-Request-Id": request_id}
        return self._fixed_headers | own


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """When to come back: in seconds, or a date, which counts from the answer's own."""
    after = headers.get("Retry-After", "")
    try:
        if after.isdecimal():
            return int(after)
        then, now = map(parsedate_to_datetime, (after, headers.get("Date", "")))
        return max(0, ceil((then - now).total_seconds()))
    except (TypeError, ValueError, OverflowError):
        return None  # no number or date that makes sense, or one date with a zone and one without


def _base(url: str) -> str:
    """`http://host`, `http://host/v1` and `http://host/v1/chat/completions` are one server."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix(_COMPLETIONS) or (
        "" if _COMPLETIONS in parts.path else "/v1"
    )
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None


class _Models(msgspec.Struct):
    data: list[_Model]
