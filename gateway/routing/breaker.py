"""A circuit breaker. No I/O, no clock: `now` is monotonic seconds."""

from collections.abc import Hashable
from typing import Literal

State = Literal["closed", "open", "half_open"]
_MIN_SHARE = 0.1
"""The share of its usual load that an upstream gets right after a breaker has closed."""


class Openings:
    """Counts the openings of several breakers. The count at its beginning dates a call for all."""

    count = 0


class Breaker:
    """Rejects calls to an upstream that keeps failing.

    closed: all calls pass; `failures` in a row open the breaker.
    open: no call passes for `open_s` seconds.
    half_open: one trial call passes. Its first output closes the breaker on probation: until a
    call has succeeded, a single failure opens it again.

    :meth:`begin` returns a generation, the number of openings so far. The result of the call is
    reported with it. Results of calls from before the last opening are ignored: they say nothing
    about the upstream's present state.
    """

    def __init__(self, failures: int, open_s: float, openings: Openings | None = None) -> None:
        """openings: the count that this breaker shares with others; None: its own."""
        self._limit = failures
        self._open_s = open_s
        self._openings = openings or Openings()
        self._failures = 0
        self._opened_as = 0
        """The generation that began with the last opening."""
        self._open_until: float | None = None
        self._trial_runs = False
        self._has_closed = False
        self._closed_at: float | None = None

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

    def load_share(self, now: float, slow_start_s: float) -> float:
        """The share of its usual load that the upstream should get, from 0.1 to 1.

        It grows for `slow_start_s` after the breaker has closed.
        """
        if not self._has_closed:
            return 1.0
        if self._closed_at is None:
            self._closed_at = now
        share = (now - self._closed_at) / slow_start_s if slow_start_s else 1.0
        if share >= 1:
            self._has_closed, self._closed_at = False, None
        return min(1.0, max(_MIN_SHARE, share))

    def is_forgettable(self, now: float, slow_start_s: float) -> bool:
        """Whether a new breaker may replace it.

        That is so if nothing has failed, or if no trial was made for twice `open_s`.
        """
        if self._open_until is None:
            return not self._failures and self.load_share(now, slow_start_s) == 1
        return not self._trial_runs and now >= self._open_until + 2 * self._open_s

    def begin(self) -> int:
        """Begins a call that :meth:`allows` allowed. Returns the call's generation."""
        self._trial_runs = self._open_until is not None
        return self._openings.count

    def note_output(self, generation: int) -> None:
        """Notes that the upstream has begun to answer, which ends a trial."""
        if generation >= self._opened_as and self._trial_runs:
            self._trial_runs = False
            self._open_until = None
            self._failures = self._limit - 1
            self._has_closed, self._closed_at = True, None

    def succeed(self, generation: int) -> None:
        """Notes that the call has succeeded."""
        if generation >= self._opened_as:
            self.note_output(generation)
            self._failures = 0

    def fail(self, generation: int, now: float) -> None:
        """Notes that the call has failed through the upstream's fault."""
        if generation < self._opened_as:
            return
        self._failures += 1
        if self._trial_runs or self._failures >= self._limit:
            self._open(now)

    def drop(self, generation: int) -> None:
        """Notes that the call has ended without a verdict. Another trial may begin."""
        if generation >= self._opened_as:
            self._trial_runs = False

    def _open(self, now: float) -> None:
        self._openings.count += 1
        self._opened_as = self._openings.count
        self._open_until = now + self._open_s
        self._trial_runs = False


class SharedBreaker(Breaker):
    """Opens for all callers when calls of `failures` different callers have failed in a row.

    One caller alone can neither open it nor keep it open: after a caller's trial has failed, other
    callers have `open_s` seconds more in which only they may make the next trial.
    """

    def __init__(self, failures: int, open_s: float, openings: Openings | None = None) -> None:
        super().__init__(max(2, failures), open_s, openings)
        self._callers: set[Hashable] = set()
        """The callers whose calls have failed since the last success."""
        self._last_trial_of: Hashable = None
        """The caller of the last trial, if it failed."""

    def allows_caller(self, caller: Hashable, now: float) -> bool:
        """Whether a call of this caller may begin."""
        if not self.allows(now):
            return False
        is_first_again = self._open_until is not None and caller == self._last_trial_of
        return not is_first_again or now >= (self._open_until or 0) + self._open_s

    def note_output(self, generation: int) -> None:
        """Notes that the upstream has begun to answer. A trial ends without probation."""
        was_out = self._open_until is not None
        super().note_output(generation)
        if was_out and self._open_until is None:
            self._failures = 0
            self._callers.clear()
            self._last_trial_of = None

    def succeed(self, generation: int) -> None:
        """Notes that the call has succeeded."""
        super().succeed(generation)
        if generation >= self._opened_as:
            self._callers.clear()

    def fail_for(self, caller: Hashable, generation: int, now: float) -> None:
        """Notes that a call of this caller has failed through the upstream's fault."""
        if generation < self._opened_as:
            return
        if self._trial_runs:
            self._last_trial_of = caller
        elif caller in self._callers:
            return
        self._callers.add(caller)
        self.fail(generation, now)

    def _open(self, now: float) -> None:
        super()._open(now)
        self._failures = 0
        self._callers.clear()
