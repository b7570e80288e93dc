"""The client's side of a turn: its events, in the order that :mod:`gateway.core.events` promises.

    phases.prompt(text, …)          the prompt summary
    phases.take_reasoning(text)     reasoning; the live summary grows
    phases.take_output(text)        the answer; before its first word, the whole summary
    phases.take_events()         -> the events since the last call

The owner sets `now` before a call that may note a time. The phase never goes back, even if the
model thinks again after it has begun to answer.
"""

from collections.abc import Mapping
from enum import IntEnum
from math import inf
from typing import Any

from gateway.config import ReasoningMode
from gateway.core.effects import AskSummaryModel, Effect, StopSummaryModel, SummaryReply
from gateway.core.events import (
    Done,
    Event,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Thoughts,
)
from gateway.core.stats import TurnStats
from gateway.core.summarizers import LINE_WITHIN_S, Summarizer, Summary
from gateway.core.thought_log import ThoughtLog
from gateway.core.tokens import size

NOT_DETECTED = "Reasoning not detected."
"""The summary of a turn whose model did not reason before its answer."""


class Phase(IntEnum):
    """The phases of a turn, in order. A turn never goes back to an earlier one."""

    PROMPT = 0
    REASONING = 1
    OUTPUT = 2
    ENDED = 3


class Phases:
    """Makes the events of one turn."""

    def __init__(
        self,
        stats: TurnStats,
        reasoning: ReasoningMode,
        summarizer: Summarizer,
        log: ThoughtLog,
        *,
        keeps_answer: bool = False,
    ) -> None:
        self.shows_trace = reasoning in ("raw", "both")
        self._shows_summary = reasoning in ("summary", "both")
        self._stats = stats
        self._summarizer = summarizer
        self._log = log
        self.phase = Phase.PROMPT
        self.thinking = True
        """The last text was reasoning, or there was no text yet."""
        self.now = 0.0
        """Monotonic seconds."""
        self.line_due_at = inf
        """The time at which the summarizer has to hurry, in seconds of the same clock."""
        self.answer: list[str] | None = [] if keeps_answer else None
        """The answer so far, if another upstream may have to continue it; else None."""
        self._events: list[Event] = []
        self._call: AskSummaryModel | None = None
        """The open call of the summary model."""

    def take_events(self) -> list[Event]:
        """Returns the events since the last call."""
        events, self._events = self._events, []
        return events

    def add(self, *events: Event) -> None:
        """Adds events that do not change the phase."""
        self._events.extend(events)

    def prompt(self, summary: str, *, continues: bool) -> None:
        """Makes the first event. continues: see PromptSummary."""
        self._mark("prompt_summary_ms")
        elapsed_ms = self._stats.elapsed_ms(self.now)
        self._events.append(PromptSummary(summary, elapsed_ms, continues))

    def take_reasoning(self, text: str) -> None:
        """Takes a piece of reasoning.

        Reasoning after the beginning of the answer belongs to the trace, but not to the summary.
        """
        self.thinking = True
        self._stats.reasoning_bytes += size(text)
        if self.phase is Phase.PROMPT:
            self.phase = Phase.REASONING
            if self._shows_summary:
                self.line_due_at = self.now + LINE_WITHIN_S
        self._mark("first_reasoning_ms")
        if self.shows_trace:
            self._events.append(ReasoningDelta(text))
        self._log.add(text)
        if self._shows_summary and self.phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.feed(text)))

    def hurry(self) -> None:
        """The model has thought for LINE_WITHIN_S without a line: makes the best line there is."""
        if self.phase is Phase.REASONING:
            self.line_due_at = self.now + LINE_WITHIN_S
            self._events.extend(map(self._summary_delta, self._summarizer.hurry()))
        else:
            self.line_due_at = inf

    def take_output(self, text: str) -> None:
        """Takes a piece of the answer."""
        if text:
            self.begin_output()
            self.thinking = False
            self._stats.output_bytes += size(text)
            self._events.append(OutputDelta(text))
            if self.answer is not None:
                self.answer.append(text)

    def begin_output(self, *, reasoned: bool = True, call: Mapping[str, Any] | None = None) -> None:
        """The answer begins. The first time, makes the summary, which comes before it.

        reasoned: False if the text that was shown as reasoning is the answer. call: the piece of a
        tool call that follows.
        """
        if self.phase < Phase.OUTPUT:
            self.end_reasoning(reasoned=reasoned, call=call)
        elif call is not None:
            self.add_thoughts(call)
        self._mark("first_output_ms")

    def end_reasoning(
        self, *, reasoned: bool = True, call: Mapping[str, Any] | None = None
    ) -> None:
        """The reasoning is over: makes its summary. The answer may begin later.

        reasoned, call: see begin_output.
        """
        self._summarize(reasoned=reasoned)
        if reasoned:
            self.add_thoughts(call)
        else:
            self._log.clear()
        self.phase = Phase.OUTPUT

    def add_thoughts(self, call: Mapping[str, Any] | None = None, *, late: bool = False) -> None:
        """Makes the event Thoughts if there is anything new to send.

        call: the piece of a tool call that follows. late: the answer is complete.
        """
        if (record := self._log.take_unsent(late=late)) is not None:
            id = (call or {}).get("id")
            self._events.append(Thoughts(record, id if isinstance(id, str) else ""))

    def next_effect(self, now: float) -> Effect | None:
        """Returns the summarizer's effect while the model thinks. Afterwards, ends an open call."""
        if self.phase is Phase.REASONING and self._shows_summary:
            if (asked := self._summarizer.ask(now)) is not None:
                self._call = asked
            return asked
        if self._call is None:
            return None
        self._call = None
        return StopSummaryModel()

    def take_summary_reply(self, reply: SummaryReply) -> None:
        """Takes the reply of the summary model. A late one is counted but not shown."""
        self._call = None
        self._stats.add_reply(reply)
        if self.phase is Phase.REASONING:
            self._events.extend(map(self._summary_delta, self._summarizer.answer(reply)))

    def close_reasoning(self) -> None:
        """The turn is complete: makes the summary if there was no answer, else late thoughts."""
        if self.phase < Phase.OUTPUT:
            self._summarize()
        else:
            self.add_thoughts(late=True)

    def end(self, event: Done | Failed) -> None:
        """Makes the last event."""
        self._events.append(event)
        self.phase = Phase.ENDED

    def _summarize(self, *, reasoned: bool = True) -> None:
        if self._shows_summary:
            summary = self._summarizer.close() if reasoned else Summary("", "")
            text = summary.text or NOT_DETECTED
            closing = summary.closing if summary.text else NOT_DETECTED
            self._events.extend(map(self._summary_delta, summary.lines))
            if summary.text:
                self._mark("first_summary_ms")
            self._events.append(ReasoningSummary(text, closing))

    def _summary_delta(self, line: str) -> SummaryDelta:
        self._mark("first_summary_ms")
        self.line_due_at = self.now + LINE_WITHIN_S
        return SummaryDelta(line)

    def _mark(self, name: str) -> None:
        self._stats.mark(name, self.now)
