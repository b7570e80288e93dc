"""The figures of one turn: its times, its tokens, what its summary model took. No clock."""

from typing import Any

from gateway.core.continuation import FirstAnswer, joined_usage
from gateway.core.effects import SummaryReply
from gateway.core.events import Timings, Tokens
from gateway.core.tokens import estimate, usage_counts


class TurnStats:
    """The figures of a turn that began at `started`, in monotonic seconds."""

    def __init__(self, started: float) -> None:
        self.usage: dict[str, Any] | None = None
        """The upstream's own count."""
        self.usage_in_extension = False
        """See Done."""
        self._first: FirstAnswer | None = None
        """What there was of an answer before another one went on with it."""
        self._is_prefill = False
        self.reasoning_bytes = 0
        self.output_bytes = 0
        self.ms: dict[str, int] = {}
        """Milliseconds since the start at which each thing first happened; fields of Timings."""
        self._started = started
        self._summary_calls = {"calls": 0, "failed": 0}
        self._summarizer_usage: dict[str, int] = {}

    def take_usage(self, usage: dict[str, Any], *, in_extension: bool) -> None:
        """Takes the upstream's count. One in an extension counts only where there is no other."""
        if self.usage is None or self.usage_in_extension or not in_extension:
            self.usage, self.usage_in_extension = usage, in_extension

    def cut(self, thought: int, answered: int = 0) -> None:
        """The answer has ended early, after so many tokens of each; another one follows."""
        usage = self.usage if self._first is None else None
        self._first = FirstAnswer(usage, thought, answered)
        self.usage = None

    def begin_second(self, *, is_prefill: bool) -> None:
        """What follows counts as the second answer; see joined_usage."""
        self.usage, self._is_prefill = None, is_prefill

    @property
    def whole_usage(self) -> dict[str, Any] | None:
        """The upstream's count, of both answers where there are two."""
        if self._first is None:
            return self.usage
        return joined_usage(self._first, self.usage, is_prefill=self._is_prefill)

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds since the request arrived."""
        return round((now - self._started) * 1000)

    def mark(self, name: str, now: float) -> None:
        """Notes when something happened; only the first time counts."""
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
        """The tokens of the summary model; None when it has named none."""
        return self._summarizer_usage or None

    def tokens(self) -> Tokens:
        """Estimates from the bytes of text."""
        return Tokens(estimate(self.reasoning_bytes), estimate(self.output_bytes))

    def timings(self, now: float) -> Timings:
        """The times at the end of the turn."""
        self.mark("total_ms", now)
        return Timings(**self.ms)

    def record(self) -> dict[str, Any]:
        """The counts and times for the log line; no text."""
        tokens = self.tokens()
        counts = {
            "estimated_reasoning_tokens": tokens.reasoning,
            "estimated_output_tokens": tokens.output,
        }
        record = {**counts, "usage": self.whole_usage, **self.ms}
        if self._summary_calls["calls"]:
            record["summarizer"] = {**self._summary_calls, **self._summarizer_usage}
        return record
