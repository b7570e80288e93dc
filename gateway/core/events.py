"""What can happen in a turn, as values. Dialects turn them into bytes; nothing else is ever sent.

One turn gives, in this order and never backwards: one :class:`PromptSummary`; any number of
:class:`ReasoningDelta` and :class:`SummaryDelta`; at most one :class:`ReasoningSummary`; any number
of :class:`OutputDelta` and :class:`ToolCallDelta`; and exactly one :class:`Done` or
:class:`Failed`. An :class:`Extra` may come anywhere between. Only a model that thinks again between
two parts of its answer makes a :class:`ReasoningDelta` after an :class:`OutputDelta`; its phase
stays the final output. Where several choices were asked for, each has this order for itself, its
events wrapped in :class:`Choice`, and one end comes for all.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import GatewayError

_ANSWERS = frozenset({"refusal", "function_call", "audio"})
"""Fields of a delta that are an answer, or a piece of one."""


class PromptSummary(msgspec.Struct, frozen=True):
    """What was asked, in one line."""

    text: str
    ttft_ms: int
    """Milliseconds from the arrival of the request to this event."""


class ReasoningDelta(msgspec.Struct, frozen=True):
    """A piece of the trace, verbatim. Only for `raw` and `both`."""

    text: str


class SummaryDelta(msgspec.Struct, frozen=True):
    """One line of the live account of the reasoning, without a line end."""

    text: str


class ReasoningSummary(msgspec.Struct, frozen=True):
    """The summary proper; the reasoning is over."""

    text: str
    closing: str
    """What a format that can only append has still to show after the live lines, or ""."""


class OutputDelta(msgspec.Struct, frozen=True):
    """A piece of the answer."""

    text: str


SentOn = type[ReasoningDelta] | type[OutputDelta]
"""The events that hand a text on as it came."""


class ToolCallDelta(msgspec.Struct, frozen=True):
    """A piece of a tool call: an item of `delta.tool_calls`; `index` counts the calls from 0."""

    call: dict[str, Any]


class Extra(msgspec.Struct, frozen=True):
    """What else the upstream said, as it came."""

    delta: dict[str, Any]
    """Fields of a delta that the gateway does not know: refusal, audio …"""
    choice: dict[str, Any] = {}
    """`logprobs` of the texts since the last such event."""
    chunk: dict[str, Any] = {}
    """`system_fingerprint` and `service_tier`: they hold for the whole answer."""

    @property
    def answers(self) -> bool:
        """The answer begins with it, as it does with its text or a tool call."""
        return not _ANSWERS.isdisjoint(self.delta)


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds from the arrival of the request; null for what did not happen."""

    prompt_summary_ms: int | None = None
    first_reasoning_ms: int | None = None
    first_summary_ms: int | None = None
    first_output_ms: int | None = None
    total_ms: int | None = None


class Tokens(msgspec.Struct, frozen=True):
    """Estimates of what the model wrote, for where the upstream gave no figures."""

    reasoning: int = 0
    output: int = 0


class Done(msgspec.Struct, frozen=True):
    """The answer is whole."""

    finish_reason: str
    usage: dict[str, Any] | None
    """As the upstream gave it."""
    timings: Timings
    tokens: Tokens = Tokens()
    stop_sequence: str | None = None
    """The stop sequence that the model came to, where the upstream says it."""
    summarizer_usage: Mapping[str, int] | None = None
    """Tokens of the summary model's calls, which are not in `usage`."""

    @property
    def usage_in_all(self) -> dict[str, Any] | None:
        """`usage`, with the summary model's under a key of its own; None: nothing is known."""
        if self.summarizer_usage is None:
            return self.usage
        return {**(self.usage or {}), "summarizer": dict(self.summarizer_usage)}


class Failed(msgspec.Struct, frozen=True):
    """The turn ended before the answer did. The last event."""

    error: GatewayError
    timings: Timings


class Choice(msgspec.Struct, frozen=True):
    """An event of one of several choices; its own end (Done) says that this choice is whole."""

    index: int
    event: "Event"


Event = (
    PromptSummary
    | ReasoningDelta
    | SummaryDelta
    | ReasoningSummary
    | OutputDelta
    | ToolCallDelta
    | Extra
    | Done
    | Failed
    | Choice
)
