"""The figures of one turn: its times, its tokens, what its summary model took. No clock."""

from typing import Any

from gateway.core.continuation import joined_usage
from gateway.core.effects import SummaryReply
from gateway.core.events import Timings, Tokens
from gateway.core.tokens import estimate


class TurnStats:
    """The figures of a turn that began at `started`, in monotonic seconds."""

    def __init__(self, started: float) -> None:
        self.usage: dict[str, Any] | None = None
        """The upstream's own count."""
        self.usage_in_extension = False
        """See Done."""
        self._first: tuple[dict[str, Any] | None, int] | None = None
        """The usage of an answer that was cut, and an estimate of the tokens in it."""
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

    def cut(self, tokens: int) -> None:
        """The answer was cut after this many tokens; another one follows."""
        self._first = (self.usage, tokens)
        self.usage = None

    def begin_second(self, *, is_prefill: bool) -> None:
        """What follows counts as the second answer; see joined_usage."""
        self.usage, self._is_prefill = None, is_prefill

    @property
    def whole_usage(self) -> dict[str, Any] | None:
        """The upstream's count, of both answers where there are two."""
        if self._first is None:
            return self.usage
        usage, tokens = self._first
        return joined_usage(usage, self.usage, tokens, is_prefill=self._is_prefill)

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds since the request arrived."""
        return round((now - self._started) * 1000)

    def mark(self, name: str, now: float) -> None:
        """Notes when something happened; only the first time counts."""
        if name not in self.ms:
            self.ms[name] = self.elapsed_ms(now)

    def add_reply(self, reply: SummaryReply) -> None:
        """Counts a call to the summary model."""
        self._summary_calls["calls"] += 1
        self._summary_calls["failed"] += reply.text is None
        for name, count in (reply.usage or {}).items():
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
        counts = {"reasoning_tokens": tokens.reasoning, "output_tokens": tokens.output}
        record = {**counts, "usage": self.whole_usage, **self.ms}
        if self._summary_calls["calls"]:
            record["summarizer"] = {**self._summary_calls, **self._summarizer_usage}
        return record
