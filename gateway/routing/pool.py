"""Chooses the upstream for a request by model, priority, load, health and breaker.

No I/O, no clock: `now` is monotonic seconds, always of the same clock.

    lease = pool.pick(model, now, tried)    raises UnknownModel, NoUpstream, UpstreamsFull, or the
                                            refusal of an upstream that asked to wait
    lease.note_output()                     the model has begun to answer
    lease.succeed() · lease.fail(error, now) · lease.drop()     the first of these counts
"""

import re
from collections.abc import Callable, Collection, Sequence
from fnmatch import translate
from math import ceil
from typing import NamedTuple

from gateway.config import LATEST, UpstreamConfig, is_glob
from gateway.errors import (
    AnswerTooLong,
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
"""A longer `Retry-After` is cut to this."""
_MAX_PAUSES = 1000
"""Paused models that are remembered for each upstream; the oldest is forgotten first."""
_MAX_NAME = 200
"""Characters of a model's name that are remembered."""
_ALL_MODELS = "*"
_SOON_S = 5.0
"""`Retry-After` to clients when nothing says how long an upstream will be out."""
LAST_RESORT_CALLS = 5
"""Calls at once that an upstream gets although its breaker is open or it has asked to wait, when
every other one is out as well. nginx, too, always tries the last server of a group: one caller's
failures must not shut out all others."""
MIN_RETRIES = 10
_RETRY_SHARE = 1 / 5
"""Calls that may be second attempts, of all that are open; Envoy's retry budget. More would double
the load on the upstreams that are left when one dies."""
_MIN_SLOW_START = 0.1
"""The share of its load that an upstream gets right after its breaker has closed."""
_OWN_REASONS = frozenset({408, 429})
"""Statuses, beside 3xx and 5xx, that say nothing about the request."""


def may_retry(error: GatewayError) -> bool:
    """Whether another upstream may be asked, as long as the model has sent no output."""
    match error:
        case UpstreamRefused(cause="content"):
            return False
        case UpstreamRefused(cause="key"):
            return True
        case UpstreamRefused(upstream_status=status):
            return status in _OWN_REASONS or status >= 500 or 300 <= status < 400
        case UpstreamTotalTimeout():
            return False
    return isinstance(error, UpstreamError)


def counts_as_failure(error: GatewayError) -> bool:
    """Whether the upstream's breaker has to count this error."""
    if isinstance(error, UpstreamRefused):
        return error.upstream_status >= 500
    return isinstance(error, UpstreamError) and not isinstance(error, AnswerTooLong)


class UpstreamStatus(NamedTuple):
    """The state of one upstream in this worker."""

    name: str
    breaker: State
    open_streams: int
    healthy: bool
    """False while its health check fails."""
    key_refused: bool = False
    """It has refused the gateway's key, and has not accepted a request since."""


class Pause(NamedTuple):
    """An upstream has asked to wait."""

    until: float
    refusal: UpstreamRefused
    """The answer in which it asked."""


class Pool:
    """The upstreams of one worker."""

    def __init__(
        self,
        upstreams: Sequence[UpstreamConfig],
        *,
        breaker_failures: int,
        breaker_open_s: float,
        last_resort_calls: int = LAST_RESORT_CALLS,
        min_retries: int = MIN_RETRIES,
        slow_start_s: float = 0,
    ) -> None:
        """slow_start_s: how long the load on an upstream grows after its breaker has closed."""
        members = [
            Member(u, Breaker(breaker_failures, breaker_open_s), slow_start_s) for u in upstreams
        ]
        self._last_resort_calls = last_resort_calls
        self._retries = Retries(min_retries)
        self._members = sorted(members, key=lambda member: member.config.priority)
        self._by_name = {member.config.name: member for member in members}
        self._exact = {name.lower() for name in self._known() if not is_glob(name)}

    def pick(self, model: str, now: float, tried: Collection[str] = ()) -> "Lease":
        """Returns a lease on the upstream to ask, which is none of those in `tried`.

        The lowest priority comes first; within it the upstream with the fewest open streams for
        its weight; equals take turns by weight. Without a model: the first in this order.

        If none can be asked, a first attempt may go to an upstream that is out; see
        LAST_RESORT_CALLS. Other attempts are limited; see _RETRY_SHARE.
        """
        candidates = self._serving(model)
        if tried and self._retries.are_too_many(sum(m.open_streams for m in self._members)):
            raise NoUpstream(ceil(_SOON_S))
        for member in candidates:
            member.note_breaker(now)
        usable = [
            member
            for member in candidates
            if member.config.name not in tried and member.is_usable(model, now)
        ]
        free = [member for member in usable if not member.is_full]
        if not free:
            if usable:
                raise UpstreamsFull()
            if tried or (last := self._last_resort(candidates, model, now)) is None:
                raise _unavailable(candidates, model, now)
            return last.lease(model, is_last_resort=True)
        chosen = _choose(free, now) if model else free[0]
        return chosen.lease(model, retries=self._retries if tried else None)

    def _last_resort(
        self, candidates: "Sequence[Member]", model: str, now: float
    ) -> "Member | None":
        """Returns the upstream to try although none can be asked: the one that is back first."""
        limit = self._last_resort_calls
        able = [m for m in candidates if m.healthy and not m.is_full and m.last_resorts < limit]
        return min(able, key=lambda member: member.retry_in_s(model, now), default=None)

    def served_name(self, model: str, allowed: Callable[[str], bool]) -> str:
        """The name of the model with or without the tag `:latest`, which means the same.

        It is the name as it stands, if the settings have it; else the first, of that without and
        that with the tag, that an upstream serves and that is allowed.
        """
        bare = model.removesuffix(LATEST)
        if not bare or model.lower() in self._exact or (bare == model and ":" in model):
            return model
        for name in (bare, bare + LATEST):
            if allowed(name) and any(member.serves(name) for member in self._members):
                return name
        return model

    def check_served(self, model: str) -> None:
        """Raises UnknownModel when no upstream serves the model."""
        self._serving(model)

    def _serving(self, model: str) -> list["Member"]:
        found = [member for member in self._members if member.serves(model)]
        if not found:
            raise UnknownModel(model, self._known())
        return found

    def has_usable(self, now: float) -> bool:
        """Whether some upstream can be asked: now, soon, or as a last resort."""
        if self._last_resort_calls and any(member.healthy for member in self._members):
            return True
        return any(member.is_recovering_or_usable(now) for member in self._members)

    def set_healthy(self, name: str, healthy: bool) -> bool:
        """Takes the result of a health check. Returns whether it has changed."""
        member = self._by_name[name]
        changed = member.healthy is not healthy
        member.healthy = healthy
        return changed

    def statuses(self, now: float) -> list[UpstreamStatus]:
        """Returns the status of each upstream, in the order of the settings."""
        return [
            UpstreamStatus(
                name,
                member.breaker.state(now),
                member.open_streams,
                member.healthy,
                member.key_refused,
            )
            for name, member in self._by_name.items()
        ]

    def sharing_key(self, name: str) -> list[str]:
        """Returns the upstreams that are sent the same key as this one: they refuse it too."""
        key = self._by_name[name].config.api_key
        members = self._by_name.items()
        return [other for other, member in members if key and member.config.api_key == key]

    def _known(self) -> list[str]:
        names = (name for member in self._members for name in member.config.names)
        return list(dict.fromkeys(names))


class Retries:
    """Counts the second attempts that have brought no output yet."""

    def __init__(self, minimum: int) -> None:
        self.count = 0
        self._minimum = minimum

    def are_too_many(self, open_streams: int) -> bool:
        """Whether no other may begin, with so many open streams in all."""
        return self.count >= max(self._minimum, open_streams * _RETRY_SHARE)


class Member:
    """One upstream of the pool."""

    def __init__(self, config: UpstreamConfig, breaker: Breaker, slow_start_s: float = 0) -> None:
        self.config = config
        self.breaker = breaker
        self._slow_start_s = slow_start_s
        self._was_out = False
        self._recovered_at = float("-inf")
        self.open_streams = 0
        self.last_resorts = 0
        """Calls as a last resort that have brought no output yet."""
        self.healthy = True
        self.key_refused = False
        self.credit = 0
        """Its balance in the weighted round robin; see _choose."""
        self._pauses: dict[str, Pause] = {}
        """By model."""
        self._serves = re.compile("|".join(translate(n.lower()) for n in config.names)).match
        self._own_names = {name.lower(): own for name, own in config.rename.items()}

    @property
    def is_full(self) -> bool:
        limit = self.config.max_streams
        return limit is not None and self.open_streams >= limit

    def load(self, now: float) -> float:
        """Open streams for its weight, which grows from a tenth after the breaker has closed."""
        if not self._slow_start_s:
            return self.open_streams / self.config.weight
        share = (now - self._recovered_at) / self._slow_start_s
        return self.open_streams / (self.config.weight * min(1.0, max(_MIN_SLOW_START, share)))

    def note_breaker(self, now: float) -> None:
        """Notices when the breaker has closed."""
        is_out = self.breaker.state(now) != "closed"
        if self._was_out and not is_out:
            self._recovered_at = now
        self._was_out = is_out

    def serves(self, model: str) -> bool:
        """Whether one of its names or globs matches; every upstream serves the model ""."""
        return not model or self._serves(model.lower()) is not None

    def is_usable(self, model: str, now: float) -> bool:
        """Whether it may be asked for a model, apart from its stream limit."""
        return self.healthy and self.breaker.allows(now) and self.pause(model, now) is None

    def is_recovering_or_usable(self, now: float) -> bool:
        """Whether it may be asked for some model, now or as soon as a running trial succeeds."""
        is_open = self.breaker.state(now) == "open"
        return self.healthy and not is_open and self.pause(_ALL_MODELS, now) is None

    def pause(self, model: str, now: float) -> Pause | None:
        """Returns the longest pause that applies to a model, if any."""
        if not self._pauses:
            return None
        found = (self._pauses.get(key) for key in (model[:_MAX_NAME], _ALL_MODELS))
        return max((p for p in found if p is not None and p.until > now), default=None, key=_until)

    def retry_in_s(self, model: str, now: float) -> float:
        """Seconds until it may be usable again; an estimate where nothing says so."""
        pause = self.pause(model, now)
        known = max(pause.until - now if pause else 0.0, self.breaker.retry_in_s(now))
        return known if known > 0 and self.healthy else max(known, _SOON_S)

    def lease(
        self, model: str, *, is_last_resort: bool = False, retries: Retries | None = None
    ) -> "Lease":
        self.open_streams += 1
        own_name = self._own_names.get(model.lower(), model)
        lease = Lease(self, model, own_name, self.breaker.begin())
        lease.count_as(is_last_resort, retries)
        return lease

    def pause_if_asked(self, refusal: UpstreamRefused, model: str, now: float) -> None:
        """Obeys `Retry-After`: with a 429 for this model, with a 5xx for all models."""
        status, wait_s = refusal.upstream_status, refusal.retry_after_s
        if wait_s is None or (status != 429 and status < 500):
            return
        if len(self._pauses) >= _MAX_PAUSES:
            self._pauses.pop(next(iter(self._pauses)))
        key = model[:_MAX_NAME] if status == 429 else _ALL_MODELS
        self._pauses[key] = Pause(now + min(wait_s, MAX_PAUSE_S), refusal)


class Lease:
    """The right to ask an upstream once, until one of succeed, fail and drop."""

    def __init__(self, member: Member, asked: str, model: str, generation: int) -> None:
        self.upstream = member.config.name
        self.model = model
        """The upstream's name for the model."""
        self._asked = asked
        self.config = member.config
        self._member: Member | None = member
        self._generation = generation
        self.has_output = False
        """The model has begun to answer."""
        self._is_last_resort = False
        self._retries: Retries | None = None

    def count_as(self, is_last_resort: bool, retries: Retries | None) -> None:
        """Counts it as a last resort, or as one of these retries, until there is output."""
        self._is_last_resort, self._retries = is_last_resort, retries
        if is_last_resort and self._member:
            self._member.last_resorts += 1
        if retries:
            retries.count += 1

    def _uncount(self, member: Member) -> None:
        if self._is_last_resort:
            member.last_resorts -= 1
        if self._retries:
            self._retries.count -= 1
        self._is_last_resort, self._retries = False, None

    def note_output(self) -> None:
        """The model has begun to answer."""
        self.has_output = True
        if self._member:
            self._uncount(self._member)
        if self._member:
            self._member.key_refused = False
            self._member.breaker.note_output(self._generation)

    def succeed(self) -> None:
        """The answer is complete."""
        if member := self._give_back():
            member.key_refused = False
            member.breaker.succeed(self._generation)

    def fail(self, error: GatewayError, now: float) -> None:
        """The call has ended in an error, which says whether it is the upstream's fault."""
        if not (member := self._give_back()):
            return
        if isinstance(error, UpstreamRefused):
            member.key_refused = member.key_refused or error.cause == "key"
            member.pause_if_asked(error, self._asked, now)
        if counts_as_failure(error):
            member.breaker.fail(self._generation, now)
        else:
            member.breaker.drop(self._generation)

    def drop(self) -> None:
        """The answer is no longer needed."""
        if member := self._give_back():
            member.breaker.drop(self._generation)

    def _give_back(self) -> Member | None:
        member, self._member = self._member, None
        if member:
            member.open_streams -= 1
            self._uncount(member)
        return member


def _choose(free: Sequence[Member], now: float) -> Member:
    """Chooses among members in the order of their priority.

    Equals take turns by smooth weighted round robin, as in nginx: each is credited its weight, and
    the one with the most credit is chosen and pays the sum of all weights.
    """
    if len(free) == 1:
        return free[0]
    first = [member for member in free if member.config.priority == free[0].config.priority]
    least = min(member.load(now) for member in first)
    equals = [member for member in first if member.load(now) == least]
    for member in equals:
        member.credit += member.config.weight
    chosen = max(equals, key=lambda member: member.credit)
    chosen.credit -= sum(member.config.weight for member in equals)
    return chosen


def _unavailable(candidates: Sequence[Member], model: str, now: float) -> GatewayError:
    """Returns the error that says when the first candidate may be back.

    It is the candidate's own refusal, if that is what keeps it out.
    """
    first = min(candidates, key=lambda member: member.retry_in_s(model, now))
    retry_in_s = ceil(first.retry_in_s(model, now))
    pause = first.pause(model, now)
    if pause is not None and first.breaker.allows(now):
        return pause.refusal.of_later_request(retry_in_s)
    return NoUpstream(retry_in_s)


def _until(pause: Pause) -> float:
    return pause.until
