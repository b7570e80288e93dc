"""The failures of one upstream: its breakers, and the pauses that it has asked for.

There are several breakers, so that one caller or one model does not shut out the others:

- one for the server counts the calls of all callers that could not reach it;
- one for each model and caller counts the failures of their calls;
- one for each model opens for all callers when calls of several callers in a row have failed.

No I/O, no clock: `now` is monotonic seconds, always of the same clock.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.errors import UpstreamRefused
from gateway.routing.breaker import Breaker, Openings, SharedBreaker, State

MAX_PAUSE_S = 3600.0
"""A longer `Retry-After` is cut to this."""
_MAX_REMEMBERED = 1000
"""Limit for the breakers and the paused models; the oldest are forgotten first."""
_MAX_CALLERS = 100
"""Limit for the callers whose pauses are remembered for one model."""
_MAX_NAME = 200
"""Characters of a model's name that are remembered: clients choose it."""
_MAX_LISTED = 20
"""Limit for the models in a status."""
_ORDER: tuple[State, ...] = ("closed", "half_open", "open")


class CallKey(NamedTuple):
    """The model and the caller of a call, by which failures are counted."""

    model: str
    caller: str

    @classmethod
    def of(cls, model: str, caller: str) -> "CallKey":
        """Returns the key for a model by a client's name for it; case is ignored."""
        return cls(model[:_MAX_NAME].lower(), caller)


class ModelStatus(NamedTuple):
    """A model that the gateway does not request from an upstream, or that is on trial."""

    model: str
    breaker: State
    paused: bool
    """The upstream has asked the gateway to wait (`Retry-After`)."""
    callers: int | None
    """How many callers it concerns; None: all."""


class Breakers:
    """The breakers of one upstream."""

    def __init__(self, failures: int, open_s: float, slow_start_s: float) -> None:
        self._limits = failures, open_s
        self._slow_start_s = slow_start_s
        self._openings = Openings()
        self.server = Breaker(*self._limits, self._openings)
        self._shared: dict[str, SharedBreaker] = {}
        """By model."""
        self._own: dict[CallKey, Breaker] = {}

    def allows(self, call: CallKey, now: float) -> bool:
        """Whether a call may begin."""
        shared = self._shared.get(call.model)
        if shared is not None and not shared.allows_caller(call.caller, now):
            return False
        return all(breaker.allows(now) for breaker in self._of(call))

    def retry_in_s(self, call: CallKey, now: float) -> float:
        """Seconds until a trial may begin; 0 when one may begin now, or runs."""
        return max(breaker.retry_in_s(now) for breaker in self._of(call))

    def load_share(self, call: CallKey, now: float) -> float:
        """The share of its load that the upstream should get for this call."""
        return min(breaker.load_share(now, self._slow_start_s) for breaker in self._of(call))

    def begin(self, call: CallKey) -> int:
        """Begins a call that :meth:`allows` allowed. Returns the call's generation."""
        for breaker in self._of(call):
            breaker.begin()
        return self._openings.count

    def note_output(self, call: CallKey, generation: int) -> None:
        """Notes that the model has begun to answer."""
        for breaker in self._of(call):
            breaker.note_output(generation)

    def succeed(self, call: CallKey, generation: int) -> None:
        """Notes that the call has succeeded."""
        for breaker in self._of(call):
            breaker.succeed(generation)

    def drop(self, call: CallKey, generation: int, *, was_reached: bool = False) -> None:
        """Notes that the call has ended without a verdict. was_reached: the server has answered."""
        if was_reached:
            self.server.succeed(generation)
        for breaker in self._of(call):
            breaker.drop(generation)

    def fail(self, call: CallKey, generation: int, now: float, *, was_reached: bool) -> None:
        """Notes that the call has failed. was_reached: the server had accepted the connection."""
        if not was_reached:
            self.server.fail(generation, now)
            for breaker in self._of_model(call):
                breaker.drop(generation)
            return
        self.server.succeed(generation)
        shared = self._shared.pop(call.model, None) or SharedBreaker(*self._limits, self._openings)
        own = self._own.pop(call, None) or Breaker(*self._limits, self._openings)
        self._shared[call.model], self._own[call] = shared, own
        shared.fail_for(call.caller, generation, now)
        own.fail(generation, now)
        self._forget_oldest()

    def state(self, now: float) -> State:
        """The worst state of all."""
        self._forget(now)
        every = (self.server, *self._shared.values(), *self._own.values())
        return max((breaker.state(now) for breaker in every), key=_ORDER.index)

    def models(self, now: float) -> dict[str, tuple[State, int | None]]:
        """Returns model → worst state and number of callers, None for all. Leaves out closed."""
        found: dict[str, tuple[State, int | None]] = {}
        for (model, _), breaker in self._own.items():
            if (state := breaker.state(now)) != "closed":
                worst, callers = found.get(model, (state, 0))
                found[model] = max(worst, state, key=_ORDER.index), (callers or 0) + 1
        for model, shared in self._shared.items():
            if (state := shared.state(now)) != "closed":
                worst, _ = found.get(model, (state, None))
                found[model] = max(worst, state, key=_ORDER.index), None
        return found

    def _of(self, call: CallKey) -> Iterator[Breaker]:
        yield self.server
        yield from self._of_model(call)

    def _of_model(self, call: CallKey) -> Iterator[Breaker]:
        if (shared := self._shared.get(call.model)) is not None:
            yield shared
        if (own := self._own.get(call)) is not None:
            yield own

    def _forget(self, now: float) -> None:
        for known in (self._shared, self._own):
            for key, breaker in list(known.items()):
                if breaker.is_forgettable(now, self._slow_start_s):
                    del known[key]  # type: ignore[arg-type]

    def _forget_oldest(self) -> None:
        for known in (self._shared, self._own):
            while len(known) > _MAX_REMEMBERED:
                del known[next(iter(known))]  # type: ignore[arg-type]


class Pause(NamedTuple):
    """The time for which an upstream has asked the gateway to wait."""

    until: float
    """In monotonic seconds."""
    refusal: UpstreamRefused
    """The answer in which it asked."""


class Pauses:
    """The pauses of one upstream.

    A pause concerns the caller whose request was refused. If two callers have to wait at the same
    time, neither is the reason, and all callers have to wait.
    """

    def __init__(self) -> None:
        self._by_model: dict[str, dict[str, Pause]] = {}
        """Model → caller → pause."""

    def note(self, call: CallKey, refusal: UpstreamRefused, now: float) -> None:
        """Obeys the `Retry-After` of a 429 or a 5xx."""
        status, wait_s = refusal.upstream_status, refusal.retry_after_s
        if wait_s is None or (status != 429 and status < 500):
            return
        callers = self._by_model.pop(call.model, {})
        callers.pop(call.caller, None)
        self._by_model[call.model] = callers
        callers[call.caller] = Pause(now + min(wait_s, MAX_PAUSE_S), refusal)
        for known, limit in ((callers, _MAX_CALLERS), (self._by_model, _MAX_REMEMBERED)):
            if len(known) > limit:
                del known[next(iter(known))]

    def find(self, call: CallKey, now: float) -> Pause | None:
        """Returns the longest pause that concerns a call, if any."""
        callers = self._running(call.model, now)
        if not callers:
            return None
        concerned = [callers[call.caller]] if call.caller in callers else []
        concerned += sorted(callers.values(), key=_until)[:-1]  # all but the longest: two callers
        return max(concerned, key=_until, default=None)

    def models(self, now: float) -> dict[str, int | None]:
        """Returns the paused models → for how many callers, None for all."""
        running = {model: self._running(model, now) for model in list(self._by_model)}
        return {m: 1 if len(callers) == 1 else None for m, callers in running.items() if callers}

    def _running(self, model: str, now: float) -> dict[str, Pause]:
        callers = self._by_model.get(model)
        if callers is None:
            return {}
        for caller, pause in list(callers.items()):
            if pause.until <= now:
                del callers[caller]
        if not callers:
            del self._by_model[model]
        return callers


def model_statuses(breakers: Breakers, pauses: Pauses, now: float) -> tuple[ModelStatus, ...]:
    """Returns the models that are out or on trial, those for all callers first."""
    out, paused = breakers.models(now), pauses.models(now)
    found = []
    for model in {**out, **paused}:
        state, callers = out.get(model, ("closed", 0))
        waiting = paused.get(model, 0)
        together = None if callers is None or waiting is None else max(callers, waiting)
        found.append(ModelStatus(model, state, model in paused, together))
    found.sort(key=lambda status: (status.callers is not None, status.model))
    return tuple(found[:_MAX_LISTED])


def _until(pause: Pause) -> float:
    return pause.until
