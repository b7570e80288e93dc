"""The events of a turn as plain values; the dialects in gateway.apis encode them.

A turn gives its events in this order, and never goes back: one :class:`PromptSummary`; any number
of :class:`ReasoningDelta` and :class:`SummaryDelta`; at most one :class:`ReasoningSummary`; any
number of :class:`OutputDelta` and :class:`ToolCallDelta`; exactly one :class:`Done` or
:class:`Failed`. An :class:`Extra` may come anywhere between. A model that thinks again between two
parts of its answer makes a :class:`ReasoningDelta` after an :class:`OutputDelta`; the phase stays
the final output. When a request asks for several choices, each has this order for itself, its
events wrapped in :class:`ChoiceEvent`, and one end follows for all of them.

Events hold plain data only, so they can be stored: :func:`encode_events`, :func:`decode_events`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.core.effects import WhyEnded
from gateway.core.sse import dumps, quote
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import ErrorInfo

_ANSWER_FIELDS = frozenset({"refusal", "function_call", "audio"})
"""Fields of a delta that are an answer, or a piece of one."""


class _Event(msgspec.Struct, frozen=True, tag_field="type", tag=True):
    """The base of all events: immutable; when stored, the member `type` names the class."""


class PromptSummary(_Event, frozen=True):
    """What the user asked, in one line."""

    text: str
    ttft_ms: int
    """Milliseconds from the arrival of the request to this event."""
    continues: bool = False
    """The client has had this line: the model goes on, mostly with the result of a tool."""


class ReasoningDelta(_Event, frozen=True):
    """A piece of the trace, verbatim. Only for the modes `raw` and `both`."""

    text: str


class SummaryDelta(_Event, frozen=True):
    """One live line of the reasoning summary, without a line end."""

    text: str


class ReasoningSummary(_Event, frozen=True):
    """The summary proper: the reasoning is over."""

    text: str
    closing: str
    """What an append-only format has still to show after the live lines, or ""."""


class Thoughts(_Event, frozen=True):
    """What the model thought so far, for the client to hand back sealed. Only to clients that can.

    It comes before the answer, and again before a tool call or the end if there is more by then.
    """

    record: ThoughtRecord
    call_id: str = ""
    """The tool call that follows as the next event; "" for none."""


class OutputDelta(_Event, frozen=True):
    """A piece of the answer."""

    text: str


class ToolCallDelta(_Event, frozen=True):
    """A piece of a tool call: an item of `delta.tool_calls`; `index` counts the calls from 0."""

    call: dict[str, Any]


class Extra(_Event, frozen=True):
    """Whatever else the upstream said, as it came."""

    delta: dict[str, Any]
    """Fields of a delta that the gateway does not know: refusal, audio …"""
    choice: dict[str, Any] = {}
    """`logprobs` of the texts since the last such event, and unknown members of the choice."""
    chunk: dict[str, Any] = {}
    """Members of the upstream's chunks: `system_fingerprint` and `service_tier`, which hold for the
    whole answer, and unknown ones, when they are new."""

    @property
    def answers(self) -> bool:
        """True when the answer begins with it, as it does with a text or a tool call."""
        return not _ANSWER_FIELDS.isdisjoint(self.delta)


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds from the arrival of the request; None for what did not happen."""

    prompt_summary_ms: int | None = None
    first_reasoning_ms: int | None = None
    first_summary_ms: int | None = None
    first_output_ms: int | None = None
    total_ms: int | None = None
    answer_forced_ms: int | None = None
    """When the gateway ended the thinking."""


class Tokens(msgspec.Struct, frozen=True):
    """Estimates of what the model wrote, used where the upstream gave no figures."""

    reasoning: int = 0
    output: int = 0


class Done(_Event, frozen=True):
    """The answer is complete."""

    finish_reason: str
    usage: dict[str, Any] | None
    """As the upstream gave it."""
    timings: Timings
    tokens: Tokens = Tokens()
    stop_sequence: str | None = None
    """The stop sequence that ended the answer, where the upstream says it."""
    summarizer_usage: Mapping[str, int] | None = None
    """Tokens of the summary model's calls, which `usage` does not include."""
    usage_in_extension: bool = False
    """The counts came in an :class:`Extra`, in a member of the upstream's own."""
    thinking_ended: WhyEnded | None = None
    """Why the gateway ended the thinking; None if the model did."""

    @property
    def total_usage(self) -> dict[str, Any] | None:
        """The `usage` of chat formats, with the summary model's under its own key.

        None when nothing is known, or when the format has the counts where the upstream put them.
        """
        usage = None if self.usage_in_extension else self.usage
        if self.summarizer_usage is None:
            return usage
        return {**(usage or {}), "summarizer": dict(self.summarizer_usage)}


class Failed(_Event, frozen=True):
    """The turn ended before the answer did. The last event."""

    error: ErrorInfo
    timings: Timings


class ChoiceEvent(_Event, frozen=True):
    """An event of one of several choices; its own Done says that this choice is complete."""

    index: int
    event: "Event"


Event = (
    PromptSummary
    | ReasoningDelta
    | SummaryDelta
    | ReasoningSummary
    | Thoughts
    | OutputDelta
    | ToolCallDelta
    | Extra
    | Done
    | Failed
    | ChoiceEvent
)


_ENDS = frozenset[type[Event]]([Done, Failed])
"""A look-up by type takes an eighth of the time of an `isinstance` that is false."""


def end_of(events: Sequence[Event]) -> Done | Failed | None:
    """Returns the event that ends the stream, if it is among these: it is the last one then."""
    if events and type(events[-1]) in _ENDS:
        return events[-1]  # type: ignore[return-value]
    return None


_TEXT_EVENTS: dict[type[Event], str] = {
    kind: f'{{"type":"{kind.__name__}","text":' for kind in (OutputDelta, ReasoningDelta)
}
"""Most events hold a text and nothing else: kind → what comes before it."""
_decoder = msgspec.json.Decoder(list[Event])


def encode_events(events: Sequence[Event]) -> bytes:
    """Returns the events as JSON in ASCII.

    Lone surrogates, which models send, are kept. Infinity and NaN become null, as for clients.
    """
    return f"[{','.join(map(_encode, events))}]".encode("ascii")


def _encode(event: Event) -> str:
    before = _TEXT_EVENTS.get(type(event))
    if before is not None:
        return f"{before}{quote(event.text)}}}"  # type: ignore[union-attr]
    return dumps(msgspec.to_builtins(event))


def decode_events(data: bytes | str) -> list[Event]:
    """Returns the events that :func:`encode_events` got. Raises ValueError for other data."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # msgspec refuses lone surrogates, and is 70 times as fast for a short list.
        return msgspec.convert(json.loads(data), list[Event])
