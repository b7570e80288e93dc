"""What every kind of request becomes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.config import Detail, Format, ReasoningMode


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's own part of a request; it never reaches the upstream."""

    format: Format | None = None
    reasoning: ReasoningMode = "summary"
    detail: Detail = "auto"
    summarizer: str | None = None
    """A name of SUMMARIZERS, or `off`; None: the operator's choice."""
    starts_inside: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has been checked."""

    dialect: str
    """The key of its answer's dialect in DIALECTS."""
    model: str
    """"" when the request names none."""
    stream: bool
    include_usage: bool = False
    choices: int = 1
    options: Options
    body: dict[str, Any]
    """What goes on to the upstream: a chat completion request; `messages` is there."""
    echo: Mapping[str, Any] = {}
    """Members of the request that its answer repeats or heeds, for the dialects that do so."""
    prompt_tokens: int = 0
    """An estimate, for the dialects that have to name a figure before the upstream has."""
