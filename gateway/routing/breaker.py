"""A circuit breaker. No I/O, no clock: `now` is monotonic seconds."""

from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Rejects calls to an upstream that keeps failing.

    closed: all calls pass; `failures` in a row open the breaker.
    open: no call passes for `open_s` seconds.
    half_open: one trial call passes. Its first output closes the breaker on probation: until a
    call has succeeded, a single failure opens it again.

    :meth:`begin` returns a generation, the number of openings so far, which the caller brings back
    with the result. Results from before the last opening are ignored: they say nothing about the
    upstream now.
    """

    def __init__(self, failures: int, open_s: float) -> None:
        self._limit = failures
        self._open_s = open_s
        self._failures = 0
        self._generation = 0
        self._open_until: float | None = None
        self._trial_runs = False

    def state(self, now: float) -> State:
        """The state; `half_open` as soon as a trial may begin."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether a call may begin."""
        return self._open_until is None or (now >= self._open_until and not self._trial_runs)

    def retry_in_s(self, now: float) -> float:
        """Seconds until a trial may begin; 0 when closed, half-open or waiting for a trial."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def begin(self) -> int:
        """Begins a call that :meth:`allows` allowed. Returns the generation to bring back."""
        self._trial_runs = self._open_until is not None
        return self._generation

    def note_output(self, generation: int) -> None:
        """The upstream has begun to answer: a trial ends here."""
        if generation == self._generation and self._trial_runs:
            self._trial_runs = False
            self._open_until = None
            self._failures = self._limit - 1

    def succeed(self, generation: int) -> None:
        """The call has succeeded."""
        if generation == self._generation:
            self.note_output(generation)
            self._failures = 0

    def fail(self, generation: int, now: float) -> None:
        """The call has failed through the upstream's fault."""
        if generation != self._generation:
            return
        self._failures += 1
        if self._trial_runs or self._failures >= self._limit:
            self._generation += 1
            self._open_until = now + self._open_s
            self._trial_runs = False

    def drop(self, generation: int) -> None:
        """The call has ended without a verdict on the upstream; another trial may begin."""
        if generation == self._generation:
            self._trial_runs = False
