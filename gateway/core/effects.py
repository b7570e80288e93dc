"""Values that ask the relay to do something for a turn.

A turn does no I/O. After each read the relay asks :meth:`Turn.next_effect`, performs the
effect and passes the result back. To add an effect, define its value here, return it from the turn,
and perform it in :mod:`gateway.relay.pump`.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class AskSummaryModel(msgspec.Struct, frozen=True):
    """Ask the summary model; the result is a :class:`SummaryReply`."""

    messages: tuple[Mapping[str, str], ...]
    """Messages of a chat completion request."""
    max_tokens: int


class SummaryReply(msgspec.Struct, frozen=True):
    """What the summary model answered to an :class:`AskSummaryModel`."""

    text: str | None
    """None: the call failed or took too long."""
    usage: Mapping[str, Any] | None = None


Effect = AskSummaryModel
