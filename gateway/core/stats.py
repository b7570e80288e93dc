"""The figures of one turn: its times, its tokens, and those of its summary model. No clock."""

from typing import Any

from gateway.core.continuation import FirstAnswer, joined_usage
from gateway.core.effects import SummaryReply
from gateway.core.events import Timings, Tokens
from gateway.core.tokens import estimate, usage_counts


class TurnStats:
    """The figures of a turn that began at `started`, in monotonic seconds."""

    def __init__(self, started: float) -> None:
        self.usage: dict[str, Any] | None = None
        """The upstream's counts."""
        self.usage_in_extension = False
        """See Done."""
        self._first: FirstAnswer | None = None
        """The first answer, if there is a second one."""
        self._is_prefill = False
        self.reasoning_bytes = 0
        self.output_bytes = 0
        self.ms: dict[str, int] = {}
        """Field of Timings → milliseconds from the start."""
        self._started = started
        self._summary_calls = {"calls": 0, "failed": 0}
        self._summarizer_usage: dict[str, int] = {}

    def take_usage(self, usage: dict[str, Any], *, in_extension: bool) -> None:
        """Takes the upstream's counts. Those in an extension count only if there are no others."""
        if self.usage is None or self.usage_in_extension or not in_extension:
            self.usage, self.usage_in_extension = usage, in_extension

    def cut(self, thought: int, answered: int = 0) -> None:
        """The first answer ends early; a second one follows.

        thought, answered: the estimated tokens of its thinking and of its answer.
        """
        usage = self.usage if self._first is None else None
        self._first = FirstAnswer(usage, thought, answered)
        self.usage = None

    def begin_second(self, *, is_prefill: bool) -> None:
        """The second answer begins. is_prefill: see joined_usage."""
        self.usage, self._is_prefill = None, is_prefill

    @property
    def whole_usage(self) -> dict[str, Any] | None:
        """The upstream's counts; of both answers if there are two."""
        if self._first is None:
            return self.usage
        return joined_usage(self._first, self.usage, is_prefill=self._is_prefill)

    def elapsed_ms(self, now: float) -> int:
        """Returns the milliseconds since the request arrived."""
        return round((now - self._started) * 1000)

    def mark(self, name: str, now: float) -> None:
        """Notes the time of an event, a field of Timings. Only its first time counts."""
        if name not in self.ms:
            self.ms[name] = self.elapsed_ms(now)

    def add_reply(self, reply: SummaryReply) -> None:
        """Counts a call to the summary model, if one was made."""
        if not reply.was_made:
            return
        self._summary_calls["calls"] += 1
        self._summary_calls["failed"] += reply.text is None
        counts = dict(reply.usage or {})
        if (cached := usage_counts(reply.usage).cached) is not None:
            counts["cached_tokens"] = cached
        for name, count in counts.items():
            if isinstance(count, int) and name.endswith("_tokens"):
                self._summarizer_usage[name] = self._summarizer_usage.get(name, 0) + count

    @property
    def summarizer_usage(self) -> dict[str, int] | None:
        """The tokens of the summary model; None if it has reported none."""
        return self._summarizer_usage or None

    def tokens(self) -> Tokens:
        """Returns the tokens, estimated from the bytes of text."""
        return Tokens(estimate(self.reasoning_bytes), estimate(self.output_bytes))

    def timings(self, now: float) -> Timings:
        """Returns the times of the turn, which ends now."""
        self.mark("total_ms", now)
        return Timings(**self.ms)

    def record(self) -> dict[str, Any]:
        """Returns the counts and times for the log line; no text."""
        tokens = self.tokens()
        counts = {
            "estimated_reasoning_tokens": tokens.reasoning,
            "estimated_output_tokens": tokens.output,
        }
        record = {**counts, "usage": self.whole_usage, **self.ms}
        if self._summary_calls["calls"]:
            record["summarizer"] = {**self._summary_calls, **self._summarizer_usage}
        return record
