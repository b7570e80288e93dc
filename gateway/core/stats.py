"""What is counted of a turn: its times, its tokens, what its summary model took. No clock."""

from typing import Any

from gateway.core.events import Timings, Tokens
from gateway.core.summarizers import Written
from gateway.core.tokens import estimate


class Account:
    """Of one turn, which began at `started`, in monotonic seconds."""

    def __init__(self, started: float) -> None:
        self.usage: dict[str, Any] | None = None
        """What the upstream has counted."""
        self.reasoning_bytes = 0
        self.output_bytes = 0
        self.ms: dict[str, int] = {}
        """When what came first, in milliseconds since the turn began; fields of Timings."""
        self._started = started
        self._written = {"calls": 0, "failed": 0}
        self._summarizer_usage: dict[str, int] = {}

    def elapsed_ms(self, now: float) -> int:
        """Milliseconds since the request arrived."""
        return round((now - self._started) * 1000)

    def mark(self, name: str, now: float) -> None:
        """This has happened, perhaps not for the first time."""
        if name not in self.ms:
            self.ms[name] = self.elapsed_ms(now)

    def add_written(self, written: Written) -> None:
        """What the summary model has answered, or failed to."""
        self._written["calls"] += 1
        self._written["failed"] += written.text is None
        for name, count in (written.usage or {}).items():
            if isinstance(count, int) and name.endswith("_tokens"):
                self._summarizer_usage[name] = self._summarizer_usage.get(name, 0) + count

    @property
    def summarizer_usage(self) -> dict[str, int] | None:
        """The tokens of the summary model, None if it has named none."""
        return self._summarizer_usage or None

    def tokens(self) -> Tokens:
        """Estimates, by what was said."""
        return Tokens(estimate(self.reasoning_bytes), estimate(self.output_bytes))

    def timings(self, now: float) -> Timings:
        """At the end of the turn."""
        self.mark("total_ms", now)
        return Timings(**self.ms)

    def record(self) -> dict[str, Any]:
        """What the log says of the turn: counts and times, no text."""
        tokens = self.tokens()
        counts = {"reasoning_tokens": tokens.reasoning, "output_tokens": tokens.output}
        record = {**counts, "usage": self.usage, **self.ms}
        if self._written["calls"]:
            record["summarizer"] = {**self._written, **self._summarizer_usage}
        return record
