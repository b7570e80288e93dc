"""Values that ask the relay to do something for a turn.

A turn does no I/O. After each read, the relay calls :meth:`Turn.next_effect`, performs the effect
and passes the result back. To add an effect, define its value here, return it from the turn, and
perform it in :mod:`gateway.relay.pump`.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class AskSummaryModel(msgspec.Struct, frozen=True):
    """Ask the summary model; the result is a :class:`SummaryReply`."""

    messages: tuple[Mapping[str, str], ...]
    """Messages of a chat completion request."""
    max_tokens: int


class SummaryReply(msgspec.Struct, frozen=True):
    """The result of an :class:`AskSummaryModel`."""

    text: str | None
    """None: the call failed or took too long; "": it was ended early, or there was no answer."""
    usage: Mapping[str, Any] | None = None
    was_made: bool = True
    """False: no call was made, because the model can't be asked now, or not at all."""


class StopSummaryModel(msgspec.Struct, frozen=True):
    """End the call of the summary model: the reply would come too late to be shown."""


WhyEnded = Literal["request", "budget"]
"""Why the gateway ends the thinking: the client wants the answer, or the budget is used up."""


class EndThinking(msgspec.Struct, frozen=True):
    """End the thinking, and make the model continue with its answer.

    If the server can't do that in the running stream, the relay cuts the stream (:meth:`Turn.cut`)
    and feeds the turn with a second answer (:meth:`Turn.continue_with`).
    """

    why: WhyEnded


Effect = AskSummaryModel | StopSummaryModel | EndThinking
