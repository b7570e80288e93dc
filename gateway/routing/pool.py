"""Which upstream a request goes to, and which are let alone for now. No I/O, no clock.

    lease = pool.pick(model, now, tried)    raises UnknownModel, NoUpstream, UpstreamsFull, or
                                            again what an upstream has asked to wait with
    lease.hear()                           the model has begun to speak
    lease.succeed() · lease.fail(error, now) · lease.drop()     the first of them counts

`now` is monotonic seconds, always of the same clock.
"""

import re
from collections.abc import Collection, Sequence
from fnmatch import translate
from math import ceil
from typing import NamedTuple

from gateway.config import UpstreamConfig
from gateway.errors import (
    GatewayError,
    NoUpstream,
    UnknownModel,
    UpstreamError,
    UpstreamRefused,
    UpstreamsFull,
    UpstreamTotalTimeout,
)
from gateway.routing.breaker import Breaker, State

MAX_PAUSE_S = 3600.0
"""No `Retry-After` of an upstream keeps it out for longer."""
_MAX_PAUSES = 1000
"""Models of an upstream that are remembered as limited."""
_MAX_NAME = 200
"""As much of a model's name as is remembered."""
_ALL_MODELS = "*"
_SOON_S = 5.0
"""When to come back where nobody can say when an upstream will be well again."""
_ANOTHER_MAY_DO = frozenset({401, 402, 403, 408, 429})
"""What an upstream refuses for reasons of its own, beside 3xx and 5xx: key, credit, rate."""


def may_retry(error: GatewayError) -> bool:
    """May another upstream be asked, as long as the model has said nothing?"""
    match error:
        case UpstreamRefused(upstream_status=status):
            return status in _ANOTHER_MAY_DO or status >= 500 or 300 <= status < 400
        case UpstreamTotalTimeout():
            return False
    return isinstance(error, UpstreamError)


def counts(error: GatewayError) -> bool:
    """Is it a failure of the upstream's health, which its breaker has to know of?"""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status >= 500
    return isinstance(error, UpstreamError)


class Standing(NamedTuple):
    """How an upstream does."""

    name: str
    breaker: State
    open_streams: int
    healthy: bool
    """False while its health check fails."""


class Pause(NamedTuple):
    """An upstream has asked to be let alone."""

    until: float
    refusal: UpstreamRefused
    """What it said."""


class Pool:
    """The upstreams of one worker."""

    def __init__(
        self, upstreams: Sequence[UpstreamConfig], *, breaker_failures: int, breaker_open_s: float
    ) -> None:
        members = [Member(u, Breaker(breaker_failures, breaker_open_s)) for u in upstreams]
        self._members = sorted(members, key=lambda member: member.config.priority)
        self._by_name = {member.config.name: member for member in members}

    def pick(self, model: str, now: float, tried: Collection[str] = ()) -> "Lease":
        """A lease on the upstream to ask, which is none of those that were tried.

        The lowest priority first; within it the one with the least open streams for its weight;
        among equals in turn, by weight. Without a model: the first in order.
        """
        candidates = [member for member in self._members if member.serves(model)]
        if not candidates:
            raise UnknownModel(model, self._known())
        usable = [
            member
            for member in candidates
            if member.config.name not in tried and member.usable(model, now)
        ]
        free = [member for member in usable if not member.full]
        if not free:
            raise UpstreamsFull() if usable else _none_of(candidates, model, now)
        return (_next_of(free) if model else free[0]).lease(model)

    def usable(self, now: float) -> bool:
        """Is there an upstream that may be asked, now or as soon as a trial has shown it well?"""
        return any(member.standing_well(now) for member in self._members)

    def mark(self, name: str, *, healthy: bool) -> bool:
        """What a health check has found; True when it is news."""
        member = self._by_name[name]
        changed = member.healthy is not healthy
        member.healthy = healthy
        return changed

    def standings(self, now: float) -> list[Standing]:
        """All upstreams, as the settings name them."""
        return [
            Standing(name, member.breaker.state(now), member.open_streams, member.healthy)
            for name, member in self._by_name.items()
        ]

    def _known(self) -> list[str]:
        names = (name for member in self._members for name in member.config.names)
        return list(dict.fromkeys(names))


class Member:
    """One upstream and how it does."""

    def __init__(self, config: UpstreamConfig, breaker: Breaker) -> None:
        self.config = config
        self.breaker = breaker
        self.open_streams = 0
        self.healthy = True
        self.credit = 0
        """What it is owed of its turns; see _next_of."""
        self._pauses: dict[str, Pause] = {}
        """By model."""
        self._serves = re.compile("|".join(translate(n.lower()) for n in config.names)).match
        self._own_names = {name.lower(): own for name, own in config.rename.items()}

    @property
    def full(self) -> bool:
        limit = self.config.max_streams
        return limit is not None and self.open_streams >= limit

    @property
    def load(self) -> float:
        return self.open_streams / self.config.weight

    def serves(self, model: str) -> bool:
        """Does one of its names or globs fit? Nobody's model is everybody's."""
        return not model or self._serves(model.lower()) is not None

    def usable(self, model: str, now: float) -> bool:
        """May it be asked for a model, if there is room?"""
        return self.healthy and self.breaker.admits(now) and self.pause(model, now) is None

    def standing_well(self, now: float) -> bool:
        """May it be asked for some model, now or as soon as a trial has shown it well?"""
        is_open = self.breaker.state(now) == "open"
        return self.healthy and not is_open and self.pause(_ALL_MODELS, now) is None

    def pause(self, model: str, now: float) -> Pause | None:
        """The longest pause that it is in for a model."""
        if not self._pauses:
            return None
        found = (self._pauses.get(of) for of in (model[:_MAX_NAME], _ALL_MODELS))
        return max((p for p in found if p is not None and p.until > now), default=None, key=_until)

    def back_in_s(self, model: str, now: float) -> float:
        """Seconds until it may be usable again, as far as it can be told."""
        pause = self.pause(model, now)
        known = max(pause.until - now if pause else 0.0, self.breaker.opens_in_s(now))
        return known if known > 0 and self.healthy else max(known, _SOON_S)

    def lease(self, model: str) -> "Lease":
        self.open_streams += 1
        own_name = self._own_names.get(model.lower(), model)
        return Lease(self, model, own_name, self.breaker.enter())

    def obey(self, refusal: UpstreamRefused, model: str, now: float) -> None:
        """It may have asked to be let alone: with a 429 for this model, with a 5xx for all."""
        status, wait_s = refusal.upstream_status, refusal.retry_after_s
        if wait_s is None or (status != 429 and status < 500):
            return
        if len(self._pauses) >= _MAX_PAUSES:
            self._pauses.pop(next(iter(self._pauses)))
        of = model[:_MAX_NAME] if status == 429 else _ALL_MODELS
        self._pauses[of] = Pause(now + min(wait_s, MAX_PAUSE_S), refusal)


class Lease:
    """The right to ask an upstream once, until one of succeed, fail and drop."""

    def __init__(self, member: Member, asked: str, model: str, opening: int) -> None:
        self.upstream = member.config.name
        self.model = model
        """As the upstream calls it."""
        self._asked = asked
        self.config = member.config
        self._member: Member | None = member
        self._opening = opening
        self.was_heard = False
        """The model has begun to speak."""

    def hear(self) -> None:
        """The model begins to speak."""
        self.was_heard = True
        if self._member:
            self._member.breaker.heard(self._opening)

    def succeed(self) -> None:
        """The answer is whole."""
        if member := self._give_back():
            member.breaker.succeed(self._opening)

    def fail(self, error: GatewayError, now: float) -> None:
        """It came to an error: the upstream's fault or not, as the error says."""
        if not (member := self._give_back()):
            return
        if isinstance(error, UpstreamRefused):
            member.obey(error, self._asked, now)
        if counts(error):
            member.breaker.fail(self._opening, now)
        else:
            member.breaker.drop(self._opening)

    def drop(self) -> None:
        """Nobody waits for the answer any more."""
        if member := self._give_back():
            member.breaker.drop(self._opening)

    def _give_back(self) -> Member | None:
        member, self._member = self._member, None
        if member:
            member.open_streams -= 1
        return member


def _next_of(free: Sequence[Member]) -> Member:
    """Whose turn it is among those that could be asked, in the order of their priority.

    Equals take turns by smooth weighted round robin, as in nginx: each is credited its weight, and
    the one that is owed most pays for all.
    """
    if len(free) == 1:
        return free[0]
    first = [member for member in free if member.config.priority == free[0].config.priority]
    least = min(member.load for member in first)
    equals = [member for member in first if member.load == least]
    for member in equals:
        member.credit += member.config.weight
    chosen = max(equals, key=lambda member: member.credit)
    chosen.credit -= sum(member.config.weight for member in equals)
    return chosen


def _none_of(candidates: Sequence[Member], model: str, now: float) -> GatewayError:
    """Says when the first of them may be back; in its own words if it has said so itself."""
    first = min(candidates, key=lambda member: member.back_in_s(model, now))
    back_in_s = ceil(first.back_in_s(model, now))
    pause = first.pause(model, now)
    if pause is not None and first.breaker.admits(now):
        return pause.refusal.again(back_in_s)
    return NoUpstream(back_in_s)


def _until(pause: Pause) -> float:
    return pause.until
