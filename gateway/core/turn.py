"""One request's state machine: what the upstream says goes in, events come out. No I/O, no clock.

    turn.start(now)                     -> the prompt summary
    turn.call(upstream, model)             this upstream is asked now
    turn.feed(lines, now)               -> the events of one read
    turn.close(now)                     -> the upstream's body has ended
    turn.fail(error, now)               -> something broke; text that was held back comes out first
    turn.next_effect(now)               -> something for the relay to do, or None; see core.effects
    turn.take_summary_reply(reply, now) -> the result of that effect
    turn.steady_state()                 -> how the next text can skip the parse; see core.steady
    turn.feed_text(text, now)           -> the events of such a text

`now` is monotonic seconds of the same clock as `started`. After the last event (Done or Failed)
:attr:`Turn.ended` is true and every call returns nothing. Only `fail` ends a turn badly: a fault
that the stream shows stands in :attr:`Turn.fault`, and the relay then fails the turn, or calls
another upstream if the model has not run yet.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from gateway.config import ReasoningMode
from gateway.core.effects import Effect, SummaryReply
from gateway.core.events import (
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Thoughts,
    ToolCallDelta,
)
from gateway.core.families import ANY_TEXT, MarkerFree, Segment, SegmentKind, TextReading
from gateway.core.families.evidence import Observation
from gateway.core.finish_reasons import LENGTH, STOP, TOOL_CALLS, UNKNOWN, meaning_of
from gateway.core.parts import (
    Content,
    End,
    Fault,
    Finish,
    Label,
    Other,
    Part,
    Reasoning,
    ToolCalls,
    Usage,
)
from gateway.core.sse import dumps
from gateway.core.stats import TurnStats
from gateway.core.steady import SteadyState, Template
from gateway.core.summarizers import Summarizer, Summary
from gateway.core.tokens import size, usage_counts
from gateway.errors import GatewayError, UpstreamBroke

KeepThoughts = Callable[[Sequence[str], str], None]
"""Takes the ids of a turn's tool calls, and what the model thought in it."""
MAX_THOUGHT_CHARS = 64 * 1024
"""What is kept of a reasoning: its end."""
_LOGPROBS_PER_TEXT = 4
"""Logprobs take many times the bytes of the text that they describe, so they count for less."""
NOT_DETECTED = "Reasoning not detected."
"""The summary of a turn whose model did not reason."""


class Reader(Protocol):
    """Reads the lines of an upstream's answer; see gateway.upstreams."""

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """The frame that the answer repeats, and what its text is; None while unknown."""

    def feed(self, lines: Sequence[bytes]) -> list[Part]: ...
    def close(self) -> list[Part]: ...


class Reading(NamedTuple):
    """How the answer of one upstream is read."""

    reader: Reader
    text: TextReading


Source = Callable[[str, str], Reading]
"""Chooses how to read an answer, by the upstream's name and the model's name there."""


class Phase(IntEnum):
    """How far a turn has come. It only grows."""

    PROMPT = 0
    REASONING = 1
    OUTPUT = 2
    ENDED = 3


class Turn:
    """Turns the parts of one answer into events, in their order."""

    def __init__(
        self,
        *,
        started: float,
        prompt_summary: str,
        reasoning: ReasoningMode,
        source: Source,
        summarizer: Summarizer,
        max_tokens: int | None = None,
        tells_thoughts: bool = False,
        keep_thoughts: KeepThoughts | None = None,
    ) -> None:
        """max_tokens: the limit that the request sets for the answer.

        tells_thoughts: there is an event Thoughts. keep_thoughts: called before the end.
        """
        self._tells_thoughts = tells_thoughts
        self._keep_thoughts = keep_thoughts
        self._thoughts: list[str] = []
        self._thought_chars = 0
        self._call_ids: list[str] = []
        self._stats = TurnStats(started)
        self._prompt_summary = prompt_summary
        self._shows_trace = reasoning in ("raw", "both")
        self._shows_summary = reasoning in ("summary", "both")
        self._source = source
        self._max_tokens = max_tokens
        self._reader: Reader
        self._text: TextReading
        self._summarizer = summarizer

        self.family = ""
        """The family of the model that was called last."""
        self.fault: GatewayError | None = None
        """What broke in the stream, until the turn fails or another upstream is called."""
        self.model_ran = False
        """The model has begun to think or to answer."""
        self.ended = False
        """The last event is out."""
        self.answer_bytes = 0
        """What the model has said so far, reasoning included, in UTF-8."""
        self._phase = Phase.PROMPT
        self._thinking = True
        """The last text was reasoning, or none has come yet."""
        self._labelled = False
        """The upstream labels reasoning itself, so its content is the answer."""
        self._has_calls = False
        self._held_text: list[str] = []
        """Text beside labelled reasoning that has not begun the answer: white space, and what had
        been taken for reasoning."""
        self._finish_reason: str | None = None
        self._stop_sequence: str | None = None
        self._events: list[Event] = []
        self._now = started

    def observation(self) -> Observation | None:
        """What the turn showed of how its model marks reasoning; None: nothing to rely on."""
        if self._labelled:
            return "labelled"
        if self._finish_reason is None or self._has_calls or not self.model_ran:
            return None
        return self._text.observation(stopped=self._has_stopped)

    def record(self) -> dict[str, Any]:
        """The counts and times for the log line, and what unmarked text counted as; no text."""
        belief = self._text.belief
        return {
            "family": self.family,
            "unmarked_text": belief.counts_as,
            "unmarked_text_why": "labels" if self._labelled else belief.why,
            **self._stats.record(),
        }

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds since the request arrived."""
        return self._stats.elapsed_ms(now)

    def start(self, now: float) -> list[Event]:
        """The first event, before the upstream is called."""
        self._now = now
        self._mark("prompt_summary_ms")
        self._events.append(PromptSummary(self._prompt_summary, self.elapsed_ms(now)))
        return self._take_events()

    def call(self, upstream: str, model: str) -> None:
        """This upstream is asked now; what an earlier one said is forgotten."""
        self._reader, self._text = self._source(upstream, model)
        self.family = self._text.family.name
        self._stats.usage = self._finish_reason = self._stop_sequence = None
        self.fault = None

    def feed(self, lines: Sequence[bytes], now: float) -> list[Event]:
        """Takes the lines of one read, without line ends."""
        self._take_parts(self._reader.feed(lines), now)
        return self._take_events()

    def close(self, now: float) -> list[Event]:
        """The upstream's body has ended, after the answer or before."""
        self._take_parts(self._reader.close(), now)
        if self._finish_reason is not None:
            self._finish()
        elif not self.ended and self.fault is None:
            self.fault = UpstreamBroke("The upstream's stream ended before its answer did.")
        return self._take_events()

    def fail(self, error: GatewayError, now: float) -> list[Event]:
        """Ends the turn with an error, unless the model had already finished its answer.

        A frame that is still incomplete counts if it can be read.
        """
        self._take_parts([p for p in self._reader.close() if not isinstance(p, Fault)], now)
        if self._finish_reason is not None:
            self._finish()
        elif not self.ended:
            self._close_text(stopped=False)
            self._end(Failed(error.info, self._stats.timings(self._now)))
        return self._take_events()

    def next_effect(self, now: float) -> Effect | None:
        """What the relay should do for the turn now, if anything. The turn goes on without it."""
        if self._phase is not Phase.REASONING or not self._shows_summary:
            return None
        return self._summarizer.ask(now)

    def take_summary_reply(self, reply: SummaryReply, now: float) -> list[Event]:
        """Takes the reply of the summary model. A late one is counted but not shown."""
        self._now = now
        self._stats.add_reply(reply)
        if self._phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.answer(reply)))
        return self._take_events()

    def steady_state(self) -> SteadyState | None:
        """How the next text can skip the parse; None when it has to be parsed.

        It holds until `feed`, `close`, `call` or `fail` is called.
        """
        found = self._reader.template
        if found is None or self.ended or self.fault is not None:
            return None
        template, part = found
        kind, plain = self._kind_of(part)
        is_answer = (
            kind is SegmentKind.ANSWER and self._phase is Phase.OUTPUT and not self._thinking
        )
        is_reasoning = (
            kind is SegmentKind.REASONING and self._thinking and self._phase > Phase.PROMPT
        )
        return SteadyState(template, plain) if is_answer or is_reasoning else None

    def feed_text(self, text: str, now: float) -> list[Event]:
        """Takes a text that the steady state has read: it is what the text before it was."""
        text_bytes = size(text)
        self.answer_bytes += text_bytes
        if self._thinking:
            self._now = now
            self._take_reasoning(text)
            return self._take_events()
        self._stats.output_bytes += text_bytes
        return [OutputDelta(text)]

    def _kind_of(self, part: type[Content] | type[Reasoning]) -> tuple[SegmentKind, MarkerFree]:
        """What a text of this part is, and which texts are sure to be that."""
        if part is Reasoning:
            return SegmentKind.REASONING, ANY_TEXT
        if self._labelled:
            return SegmentKind.ANSWER, ANY_TEXT
        state = self._text.splitter.settled_state
        return (
            (state.kind, state.marker_free) if state is not None else (SegmentKind.MARKUP, ANY_TEXT)
        )

    def _take_parts(self, parts: Sequence[Part], now: float) -> None:
        self._now = now
        for part in parts:
            if self.ended or self.fault is not None:
                break
            self._take_part(part)

    def _take_part(self, part: Part) -> None:
        match part:
            case Content(text):
                self.model_ran = True
                self.answer_bytes += size(text)
                if self._labelled:
                    self._take_labelled_content(text)
                else:
                    self._take_segments(self._text.splitter.feed(text))
            case Label():
                if not self._labelled:
                    self._take_segments(self._text.take_label())
            case Reasoning(text):
                self.answer_bytes += size(text)
                if not self._labelled:
                    self.model_ran = self._labelled = True
                    # Text before it was the answer, whatever it was shown as.
                    self._held_text.append(self._text.splitter.take_unconfirmed())
                self._take_reasoning(text)
            case ToolCalls(calls):
                self.model_ran = self._has_calls = True
                self._close_text(stopped=False)
                self._begin_output()
                call_bytes = sum(map(_call_bytes, calls))
                self.answer_bytes += call_bytes
                self._stats.output_bytes += call_bytes
                self._events.extend(map(ToolCallDelta, calls))
                self._call_ids += [id for call in calls if isinstance(id := call.get("id"), str)]
            case Other(delta, choice, chunk):
                self._take_extra(Extra(delta, choice, chunk))
            case Usage(usage, in_extension):
                self._stats.take_usage(usage, in_extension=in_extension)
            case Finish(reason, stop_sequence):
                self._take_finish(reason, stop_sequence)
            case End(in_one_piece):
                self._finish_reason = self._finish_reason or self._reason_not_given(in_one_piece)
                self._finish()
            case Fault():
                self._finish_reason = None
                self.fault = part.error

    def _take_finish(self, reason: str, stop_sequence: str | None) -> None:
        if self._finish_reason is not None and meaning_of(reason) in ("finished", "unknown"):
            return  # some servers say `stop` after `tool_calls`
        self._finish_reason, self._stop_sequence = reason, stop_sequence
        stopped = self._has_stopped
        if not self._text.waits_for_usage(stopped=stopped, stop_sequence=stop_sequence):
            self._close_text(stopped=stopped)

    def _reason_not_given(self, in_one_piece: bool) -> str:
        """The finish reason of an answer that is whole and gives none."""
        if self._has_calls:
            return TOOL_CALLS
        written = usage_counts(self._stats.usage).completion
        if written is not None and self._max_tokens is not None:
            return LENGTH if written >= self._max_tokens else STOP
        # A stream says with [DONE] that the answer is whole; of a body, nothing is known.
        return UNKNOWN if in_one_piece else STOP

    def _take_extra(self, extra: Extra) -> None:
        self.model_ran = self.model_ran or bool(extra.delta or "logprobs" in extra.choice)
        if extra.delta:
            self.answer_bytes += len(dumps(extra.delta))
        if extra.choice:
            self.answer_bytes += len(dumps(extra.choice)) // _LOGPROBS_PER_TEXT
        if extra.answers:
            self._close_text(stopped=False)
            self._begin_output()
        if "logprobs" in extra.choice and self._thinking and not self._shows_trace:
            return  # the logprobs would spell out the trace
        self._events.append(extra)

    def _take_labelled_content(self, text: str) -> None:
        """Content beside labelled reasoning is the answer; white space alone does not begin it."""
        if self._phase < Phase.OUTPUT and text.isspace():
            self._held_text.append(text)
        else:
            self._take_output(self._take_held() + text)

    def _take_held(self) -> str:
        """What was held back of a text that turned out to have no markers."""
        held = "".join([self._text.splitter.release(), *self._held_text])
        self._held_text.clear()
        return held

    def _take_segments(self, segments: list[Segment]) -> None:
        for kind, text in segments:
            if kind is SegmentKind.REASONING:
                self._take_reasoning(text)
                continue
            if kind is SegmentKind.RECLASSIFIED:
                self._begin_output(reasoned=False)
            self._take_output(text)

    def _take_reasoning(self, text: str) -> None:
        """Reasoning after the answer has begun goes into the trace, never into the summary."""
        self._thinking = True
        self._stats.reasoning_bytes += size(text)
        if self._phase is Phase.PROMPT:
            self._phase = Phase.REASONING
        self._mark("first_reasoning_ms")
        if self._shows_trace:
            self._events.append(ReasoningDelta(text))
        if self._tells_thoughts or self._keep_thoughts is not None:
            self._add_thought(text)
        if self._shows_summary and self._phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.feed(text)))

    def _add_thought(self, text: str) -> None:
        self._thoughts.append(text)
        self._thought_chars += len(text)
        if self._thought_chars > 2 * MAX_THOUGHT_CHARS:
            self._thoughts = [self._end_of_thoughts()]
            self._thought_chars = MAX_THOUGHT_CHARS

    def _end_of_thoughts(self) -> str:
        return "".join(self._thoughts)[-MAX_THOUGHT_CHARS:]

    def _summary_delta(self, line: str) -> SummaryDelta:
        self._mark("first_summary_ms")
        return SummaryDelta(line)

    def _take_output(self, text: str) -> None:
        if text:
            self._begin_output()
            self._thinking = False
            self._stats.output_bytes += size(text)
            self._events.append(OutputDelta(text))

    def _begin_output(self, *, reasoned: bool = True) -> None:
        """The reasoning is over: its summary comes before the first word of the answer."""
        if self._phase < Phase.OUTPUT:
            self._summarize(reasoned=reasoned)
            if not reasoned:
                self._thoughts.clear()
            elif self._thoughts and self._tells_thoughts:
                self._events.append(Thoughts(self._end_of_thoughts()))
            self._phase = Phase.OUTPUT
            self._mark("first_output_ms")

    def _summarize(self, *, reasoned: bool = True) -> None:
        if self._shows_summary:
            summary = self._summarizer.close() if reasoned else Summary("", "")
            text = summary.text or NOT_DETECTED
            closing = summary.closing if summary.text else NOT_DETECTED
            self._events.extend(map(self._summary_delta, summary.lines))
            if summary.text:
                self._mark("first_summary_ms")
            self._events.append(ReasoningSummary(text, closing))

    @property
    def _has_stopped(self) -> bool:
        """The model has ended its answer by itself."""
        return self._finish_reason is not None and meaning_of(self._finish_reason) in (
            "finished",
            "unknown",
        )

    def _close_text(self, *, stopped: bool) -> None:
        """No more text comes, or none that belongs to the text so far."""
        if self._labelled:
            self._take_output(self._take_held())
            return
        usage, sequence = self._stats.usage, self._stop_sequence
        self._take_segments(self._text.close(stopped=stopped, stop_sequence=sequence, usage=usage))

    def _finish(self) -> None:
        if self.ended:
            return
        self._close_text(stopped=self._has_stopped)
        if self._phase < Phase.OUTPUT:
            self._summarize()
        if self._keep_thoughts is not None and self._thoughts and self._call_ids:
            self._keep_thoughts(self._call_ids, self._end_of_thoughts())
        stats = self._stats
        self._end(
            Done(
                self._finish_reason or "stop",
                stats.usage,
                stats.timings(self._now),
                stats.tokens(),
                self._stop_sequence,
                stats.summarizer_usage,
                stats.usage_in_extension,
            )
        )

    def _end(self, event: Done | Failed) -> None:
        self._events.append(event)
        self._phase = Phase.ENDED
        self.ended = True

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _mark(self, name: str) -> None:
        self._stats.mark(name, self._now)


def _call_bytes(call: Mapping[str, Any]) -> int:
    """The bytes that the model wrote in this piece of a tool call."""
    function = call.get("function")
    written = function.values() if isinstance(function, Mapping) else ()
    return sum(size(text) for text in written if isinstance(text, str))
