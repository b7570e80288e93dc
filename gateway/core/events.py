"""The events of a turn as plain values; the dialects in gateway.apis encode them.

A turn makes its events in this order, and never goes back:

1. one :class:`PromptSummary`;
2. any number of :class:`ReasoningDelta` and :class:`SummaryDelta`;
3. at most one :class:`ReasoningSummary`;
4. any number of :class:`OutputDelta` and :class:`ToolCallDelta`;
5. exactly one :class:`Done` or :class:`Failed`.

An :class:`Extra` may come anywhere between the first event and the last, and :class:`Thoughts`
before and between those of step 4. A model that thinks again between two pieces of its answer makes
a :class:`ReasoningDelta` after an :class:`OutputDelta`; the phase stays the final output. If a
request asks for several choices, each of them has this order, with its events wrapped in
:class:`ChoiceEvent`, and one end follows for all of them.

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
    """The user's request in one line."""

    text: str
    ttft_ms: int
    """Milliseconds from the arrival of the request to this event."""
    continues: bool = False
    """The client already has this line: the model continues, usually after a tool's result."""


class ReasoningDelta(_Event, frozen=True):
    """A piece of the trace, unchanged. Only in the modes `raw` and `both`."""

    text: str


class SummaryDelta(_Event, frozen=True):
    """One live line of the reasoning summary, without a line end."""

    text: str


class ReasoningSummary(_Event, frozen=True):
    """The final summary: the reasoning is over."""

    text: str
    closing: str
    """The text that a format which only appends has to show after the live lines, or ""."""


class Thoughts(_Event, frozen=True):
    """The model's thoughts so far, for clients that can return them, sealed, in the next turn.

    It comes before the answer, and again before a tool call or the end if there are more by then.
    """

    record: ThoughtRecord
    call_id: str = ""
    """The id of the tool call that the next event begins; "" for none."""


class OutputDelta(_Event, frozen=True):
    """A piece of the answer."""

    text: str


class ToolCallDelta(_Event, frozen=True):
    """A piece of a tool call: an item of `delta.tool_calls`; `index` counts the calls from 0."""

    call: dict[str, Any]


class Extra(_Event, frozen=True):
    """Any other output of the upstream, unchanged."""

    delta: dict[str, Any]
    """Fields of a delta that the gateway does not know: refusal, audio …"""
    choice: dict[str, Any] = {}
    """`logprobs` of the texts since the last such event, and unknown members of the choice."""
    chunk: dict[str, Any] = {}
    """Members of the upstream's chunks, when they are new: `system_fingerprint` and `service_tier`,
    which describe the whole answer, and unknown ones."""

    @property
    def answers(self) -> bool:
        """The event is a piece of the answer, like a text or a tool call."""
        return not _ANSWER_FIELDS.isdisjoint(self.delta)


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds from the arrival of the request; None for an event that did not happen."""

    prompt_summary_ms: int | None = None
    first_reasoning_ms: int | None = None
    first_summary_ms: int | None = None
    first_output_ms: int | None = None
    total_ms: int | None = None
    answer_forced_ms: int | None = None
    """The gateway ended the thinking."""


class Tokens(msgspec.Struct, frozen=True):
    """Estimated tokens of the model's output, for upstreams that do not count them."""

    reasoning: int = 0
    output: int = 0


class Done(_Event, frozen=True):
    """The answer is complete."""

    finish_reason: str
    usage: dict[str, Any] | None
    """The upstream's counts, unchanged; those of a second answer are added."""
    timings: Timings
    tokens: Tokens = Tokens()
    stop_sequence: str | None = None
    """The stop sequence that ended the answer; "": the upstream does not name it; None: none."""
    summarizer_usage: Mapping[str, int] | None = None
    """Tokens of the summary model's calls, which `usage` does not include."""
    usage_in_extension: bool = False
    """The client has the counts already: they came in an :class:`Extra`, in the upstream's own
    member."""
    thinking_ended: WhyEnded | None = None
    """Why the gateway ended the thinking; None if the model did."""

    @property
    def total_usage(self) -> dict[str, Any] | None:
        """The `usage` of chat formats, with the summary model's tokens in the member `summarizer`.

        None if there are no counts, or if the client already has them in an :class:`Extra`.
        """
        usage = None if self.usage_in_extension else self.usage
        if self.summarizer_usage is None:
            return usage
        return {**(usage or {}), "summarizer": dict(self.summarizer_usage)}


class Failed(_Event, frozen=True):
    """An error ended the turn before the answer was complete. The last event."""

    error: ErrorInfo
    timings: Timings


class ChoiceEvent(_Event, frozen=True):
    """An event of one of several choices. A Done in it ends only this choice."""

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
    """Returns the event that ends the stream, if these events contain it: then it is the last."""
    if events and type(events[-1]) in _ENDS:
        return events[-1]  # type: ignore[return-value]
    return None


_TEXT_EVENTS: dict[type[Event], str] = {
    kind: f'{{"type":"{kind.__name__}","text":' for kind in (OutputDelta, ReasoningDelta)
}
"""Type of an event with only a text → its JSON up to the text. Most events are of these types."""
_decoder = msgspec.json.Decoder(list[Event])


def encode_events(events: Sequence[Event]) -> bytes:
    """Returns the events as JSON in ASCII.

    Lone surrogates, which models send, are kept. Infinity and NaN become null.
    """
    return f"[{','.join(map(_encode, events))}]".encode("ascii")


def _encode(event: Event) -> str:
    before = _TEXT_EVENTS.get(type(event))
    if before is not None:
        return f"{before}{quote(event.text)}}}"  # type: ignore[union-attr]
    return dumps(msgspec.to_builtins(event))


def decode_events(data: bytes | str) -> list[Event]:
    """Returns the events from the output of :func:`encode_events`. Raises ValueError."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # msgspec refuses lone surrogates. It comes first because it is 70 times faster.
        return msgspec.convert(json.loads(data), list[Event])
