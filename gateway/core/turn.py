"""One request's state machine: lines of the upstream in, events out. No I/O, no clock.

    turn.start(now)              -> the prompt summary
    turn.call(upstream, model)      this upstream is asked now
    turn.feed(lines, now)        -> what the lines of one read say
    turn.close(now)              -> the upstream's body has ended
    turn.fail(error, now)        -> something broke; what is held back comes out first
    turn.ask(now)                -> a question for the summary model, or None; ask after each feed
    turn.answer(written, now)    -> what the answer to it adds
    turn.steady()                -> what it makes of one more text, if that is always the same

`now` is monotonic seconds of the same clock as `started`. After the last event (Done or Failed)
:attr:`Turn.ended` is true and every call gives nothing. Only `fail` ends a turn badly: what breaks
in the stream is shown in :attr:`Turn.fault`, and who feeds the turn fails it, or calls another
upstream as long as the model has not run.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Protocol

from gateway.config import ReasoningMode
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
    ToolCallDelta,
)
from gateway.core.families import ANY_TEXT, MarkerFree, Segment, SegmentKind, Splitter
from gateway.core.parts import (
    Content,
    End,
    Fault,
    Finish,
    Other,
    Part,
    Reasoning,
    ToolCalls,
    Usage,
)
from gateway.core.stats import Account
from gateway.core.summarizers import Ask, Summarizer, Summary, Written
from gateway.core.tokens import size
from gateway.errors import GatewayError, UpstreamBroke, UpstreamError, UpstreamRefused
from gateway.upstreams.frame_template import Pattern
from gateway.upstreams.lane import Steady

NOT_DETECTED = "Reasoning not detected."
"""The summary of a reasoning that did not take place."""


class Reader(Protocol):
    """Reads an upstream's lines; see gateway.upstreams."""

    @property
    def pattern(self) -> Pattern | None: ...
    def feed(self, lines: Sequence[bytes]) -> list[Part]: ...
    def close(self) -> list[Part]: ...


Source = Callable[[str, str], tuple[Reader, Splitter]]
"""What reads the answer of an upstream, by its name and the model's there."""


class Phase(IntEnum):
    """Where a turn is. It only ever grows."""

    PROMPT = 0
    REASONING = 1
    OUTPUT = 2
    ENDED = 3


class Turn:
    """The events of one turn, in their order."""

    def __init__(
        self,
        *,
        started: float,
        prompt_summary: str,
        reasoning: ReasoningMode,
        source: Source,
        summarizer: Summarizer,
    ) -> None:
        self._account = Account(started)
        self._prompt_summary = prompt_summary
        self._shows_trace = reasoning in ("raw", "both")
        self._shows_summary = reasoning in ("summary", "both")
        self._source = source
        self._reader: Reader
        self._splitter: Splitter
        self._summarizer = summarizer

        self.fault: GatewayError | None = None
        """What broke in the stream, until the turn is failed or another upstream called."""
        self.model_ran = False
        """The model has begun to think or to answer."""
        self.ended = False
        """The last event is out."""
        self._phase = Phase.PROMPT
        self._thinking = True
        self._labelled = False
        self._finish_reason: str | None = None
        self._stop_sequence: str | None = None
        self._events: list[Event] = []
        self._now = started

    @property
    def saw_unopened_end(self) -> bool:
        """An end marker came without a start: the chat template had opened the reasoning."""
        return self._splitter.saw_unopened_end

    def record(self) -> dict[str, Any]:
        """What the log says of the turn: counts and times, no text."""
        return self._account.record()

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds since the request arrived."""
        return self._account.elapsed_ms(now)

    def start(self, now: float) -> list[Event]:
        """The first event, before the upstream is called."""
        self._now = now
        self._mark("prompt_summary_ms")
        self._events.append(PromptSummary(self._prompt_summary, self.elapsed_ms(now)))
        return self._take()

    def call(self, upstream: str, model: str) -> None:
        """This upstream is asked now; what another one said before is forgotten."""
        self._reader, self._splitter = self._source(upstream, model)
        self._account.usage = self._finish_reason = self._stop_sequence = None
        self.fault = None

    def feed(self, lines: Sequence[bytes], now: float) -> list[Event]:
        """Takes the lines of one read, without line ends."""
        self._read(self._reader.feed(lines), now)
        return self._take()

    def close(self, now: float) -> list[Event]:
        """The upstream's body has ended: well, or too early."""
        self._read(self._reader.close(), now)
        if self._finish_reason is not None:
            self._finish()
        elif not self.ended and self.fault is None:
            self.fault = UpstreamBroke("The upstream's stream ended before its answer did.")
        return self._take()

    def fail(self, error: GatewayError, now: float) -> list[Event]:
        """Something broke. A model that had already finished is not taken down by it.

        An event of the upstream whose end did not come counts if it can be read.
        """
        self._read([part for part in self._reader.close() if not isinstance(part, Fault)], now)
        if self._finish_reason is not None:
            self._finish()
        else:
            self._fail(error)
        return self._take()

    def ask(self, now: float) -> Ask | None:
        """What a model should be asked for the summary, if anything. It need not be answered."""
        if self._phase is not Phase.REASONING or not self._shows_summary:
            return None
        return self._summarizer.ask(now)

    def answer(self, written: Written, now: float) -> list[Event]:
        """Takes the answer to the last ask. One that comes too late is counted, not shown."""
        self._now = now
        self._account.add_written(written)
        if self._phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.answer(written)))
        return self._take()

    def steady(self) -> Steady | None:
        """What it makes of one more text, if that is what it has made of the one before.

        It holds until something else is fed, or the turn fails.
        """
        pattern = self._reader.pattern
        if pattern is None or self.ended or self.fault is not None:
            return None
        kind, plain = self._kind_of(pattern.kind)
        if kind is SegmentKind.ANSWER and self._phase is Phase.OUTPUT and not self._thinking:
            return Steady(pattern, plain, OutputDelta, self._answered)
        if (
            kind is SegmentKind.REASONING
            and self._thinking
            and "first_reasoning_ms" in self._account.ms
        ):
            if not self._shows_trace:
                return Steady(pattern, plain, None, self._thought)
            if not self._shows_summary:
                return Steady(pattern, plain, ReasoningDelta, self._traced)
        return None

    def _kind_of(self, part: type[Content] | type[Reasoning]) -> tuple[SegmentKind, MarkerFree]:
        """What plain texts that come as this part are, and which texts are plain."""
        if part is Reasoning:
            return SegmentKind.REASONING, ANY_TEXT
        if self._labelled:
            return SegmentKind.ANSWER, ANY_TEXT
        state = self._splitter.settled_state
        return (
            (state.kind, state.marker_free) if state is not None else (SegmentKind.MARKUP, ANY_TEXT)
        )

    def _answered(self, text: str, now: float) -> list[Event]:
        self._account.output_bytes += size(text)
        return []

    def _traced(self, text: str, now: float) -> list[Event]:
        self._account.reasoning_bytes += size(text)
        return []

    def _thought(self, text: str, now: float) -> list[Event]:
        self._now = now
        self._reasoning(text)
        return self._take()

    def _read(self, parts: list[Part], now: float) -> None:
        self._now = now
        for part in parts:
            if self.ended or self.fault is not None:
                break
            self._part(part)

    def _part(self, part: Part) -> None:
        match part:
            case Content(text):
                self.model_ran = True
                if self._labelled:
                    self._output(self._splitter.release() + text)
                else:
                    self._segments(self._splitter.feed(text))
            case Reasoning(text):
                self.model_ran = self._labelled = True
                self._reasoning(text)
            case ToolCalls(calls):
                self.model_ran = True
                self._close_splitter(stopped=False)
                self._begin_output()
                self._account.output_bytes += sum(map(_call_bytes, calls))
                self._events.extend(map(ToolCallDelta, calls))
            case Other(delta, choice, chunk):
                self._extra(Extra(delta, choice, chunk))
            case Usage(usage):
                self._account.usage = usage
            case Finish(reason, stop_sequence):
                self._close_splitter(stopped=reason == "stop")
                self._finish_reason, self._stop_sequence = reason, stop_sequence
            case End():
                self._close_splitter(stopped=self._finish_reason in (None, "stop"))
                self._finish_reason = self._finish_reason or "stop"
                self._finish()
            case Fault(message, code, status):
                self._finish_reason = None
                self.fault = (
                    UpstreamRefused(status, message, code=code)
                    if status
                    else UpstreamError(message, code=code)
                )

    def _extra(self, extra: Extra) -> None:
        self.model_ran = self.model_ran or bool(extra.delta or extra.choice)
        if extra.answers:
            self._close_splitter(stopped=False)
            self._begin_output()
        if extra.choice and self._thinking and not self._shows_trace:
            return  # its logprobs would spell the trace
        self._events.append(extra)

    def _segments(self, segments: list[Segment]) -> None:
        for kind, text in segments:
            if kind is SegmentKind.REASONING:
                self._reasoning(text)
                continue
            if kind is SegmentKind.RECLASSIFIED:
                self._begin_output(reasoned=False)
            self._output(text)

    def _reasoning(self, text: str) -> None:
        """Reasoning after the answer has begun is part of the trace, never of the summary."""
        self._thinking = True
        self._account.reasoning_bytes += size(text)
        if self._phase is Phase.PROMPT:
            self._phase = Phase.REASONING
        self._mark("first_reasoning_ms")
        if self._shows_trace:
            self._events.append(ReasoningDelta(text))
        if self._shows_summary and self._phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.feed(text)))

    def _summary_delta(self, line: str) -> SummaryDelta:
        self._mark("first_summary_ms")
        return SummaryDelta(line)

    def _output(self, text: str) -> None:
        if text:
            self._begin_output()
            self._thinking = False
            self._account.output_bytes += size(text)
            self._events.append(OutputDelta(text))

    def _begin_output(self, *, reasoned: bool = True) -> None:
        """The reasoning is over: its summary comes before the first word of the answer."""
        if self._phase < Phase.OUTPUT:
            self._summarize(reasoned=reasoned)
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

    def _close_splitter(self, *, stopped: bool) -> None:
        if self._labelled:
            self._output(self._splitter.release())
        else:
            self._segments(self._splitter.close(stopped=stopped))

    def _finish(self) -> None:
        if self.ended:
            return
        if self._phase < Phase.OUTPUT:
            self._summarize()
        reason = self._finish_reason or "stop"
        self._end(
            Done(
                reason,
                self._account.usage,
                self._account.timings(self._now),
                self._account.tokens(),
                self._stop_sequence,
                self._account.summarizer_usage,
            )
        )

    def _fail(self, error: GatewayError) -> None:
        """What was held back comes out first."""
        if self.ended:
            return
        self._close_splitter(stopped=False)
        self._end(Failed(error, self._account.timings(self._now)))

    def _end(self, event: Done | Failed) -> None:
        self._events.append(event)
        self._phase = Phase.ENDED
        self.ended = True

    def _take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _mark(self, name: str) -> None:
        self._account.mark(name, self._now)


def _call_bytes(call: Mapping[str, Any]) -> int:
    """How much of a tool call's piece the model wrote."""
    function = call.get("function")
    written = function.values() if isinstance(function, Mapping) else ()
    return sum(size(text) for text in written if isinstance(text, str))
