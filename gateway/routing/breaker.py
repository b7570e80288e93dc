"""Lets alone what fails again and again. No I/O, no clock: `now` is monotonic seconds."""

from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Lets an upstream alone that fails again and again, and tries it with one request at a time.

    closed: all may pass, and `failures` in a row open it. open: none may, for `open_s` seconds.
    half_open: one may. Once its upstream speaks the breaker is closed, but on probation: until a
    request has ended well a single failure opens it again.

    Who passes gets the number of openings so far, and brings it back with the result: what comes
    late from before the last opening says nothing of the upstream as it is now.
    """

    def __init__(self, failures: int, open_s: float) -> None:
        self._limit = failures
        self._open_s = open_s
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._trial = False

    def state(self, now: float) -> State:
        """`half_open` from the moment on from which one may pass."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def admits(self, now: float) -> bool:
        """May one pass?"""
        return self._open_until is None or (now >= self._open_until and not self._trial)

    def opens_in_s(self, now: float) -> float:
        """Seconds until one may pass, as far as it can be told; 0: now, or any moment."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def enter(self) -> int:
        """One passes that was admitted; gives the number to bring back."""
        self._trial = self._open_until is not None
        return self._openings

    def heard(self, opening: int) -> None:
        """The upstream speaks: the trial is over."""
        if opening == self._openings and self._trial:
            self._trial = False
            self._open_until = None
            self._failures = self._limit - 1

    def succeed(self, opening: int) -> None:
        """One has ended well."""
        if opening == self._openings:
            self.heard(opening)
            self._failures = 0

    def fail(self, opening: int, now: float) -> None:
        """One has ended badly, by the fault of the upstream."""
        if opening != self._openings:
            return
        self._failures += 1
        if self._trial or self._failures >= self._limit:
            self._openings += 1
            self._open_until = now + self._open_s
            self._trial = False

    def drop(self, opening: int) -> None:
        """One has ended without showing anything of the upstream; a trial may be repeated."""
        if opening == self._openings:
            self._trial = False
