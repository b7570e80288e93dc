"""Chooses the upstream for a request by model, priority, load, health and breakers.

No I/O, no clock: `now` is monotonic seconds, always of the same clock.

    lease = pool.pick(model, now, tried, caller)
    lease.note_output()                                     the model has begun to answer
    lease.succeed() | lease.fail(error, now) | lease.drop()         the first of these counts
"""

import re
from collections.abc import Callable, Collection, Sequence
from fnmatch import translate
from math import ceil
from typing import Any, NamedTuple

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
from gateway.routing.breaker import State
from gateway.routing.failures import Breakers, CallKey, ModelStatus, Pauses, model_statuses

_SOON_S = 5.0
"""`Retry-After` for clients if it is not known how long an upstream will be out."""
LAST_RESORT_CALLS = 5
"""When all upstreams are out, each still gets this many calls at a time, although its breaker is
open or it has asked to wait: one caller's failures must not shut out all others. nginx, too, always
tries the last server of a group."""
MIN_RETRIES = 10
"""Second attempts that are always allowed at the same time."""
_RETRY_SHARE = 1 / 5
"""The share of all open calls that may be second attempts, if that is more than MIN_RETRIES, as in
Envoy's retry budget. Without a limit, an upstream that dies could double the load on the others."""
_OWN_REASONS = frozenset({408, 429})
"""Statuses, beside 3xx and 5xx, whose reason is the upstream and not the request."""


def may_retry(error: GatewayError) -> bool:
    """Whether another upstream may be asked after this error, if the model has sent no output."""
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
    """The worst of its breakers."""
    open_streams: int
    healthy: bool
    """False while its health check fails."""
    key_refused: bool = False
    """It has refused the gateway's key, and has not accepted a request since."""
    reachable: bool = True
    """False while the breaker of the server itself is not closed: no connection could be made."""
    models: tuple[ModelStatus, ...] = ()
    """The models for which a breaker is not closed, or which are paused."""
    url: str = ""
    """Its address, without a login."""
    cause: str | None = None
    """Why its last call failed, until one has succeeded."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the status for JSON. An upstream with an open breaker counts as not healthy."""
        return {
            **self._asdict(),
            "healthy": self.healthy and self.breaker != "open",
            "models": [model._asdict() for model in self.models],
        }


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
        """breaker_failures: failures in a row that open a breaker. breaker_open_s: how long it
        stays open. slow_start_s: how long the load on an upstream grows after a breaker has closed.
        last_resort_calls, min_retries: see the constants.
        """
        members = [
            Member(u, Breakers(breaker_failures, breaker_open_s, slow_start_s)) for u in upstreams
        ]
        self._last_resort_calls = last_resort_calls
        self._retries = Retries(min_retries)
        self._members = sorted(members, key=lambda member: member.config.priority)
        self._by_name = {member.config.name: member for member in members}
        self._exact = {name.lower() for name in self._known() if not is_glob(name)}

    def pick(
        self, model: str, now: float, tried: Collection[str] = (), caller: str = ""
    ) -> "Lease":
        """Returns a lease on the upstream to ask, which is none of those in `tried`.

        tried: the upstreams of earlier attempts, by name. caller: names the client; failures of
        different callers count separately.

        The lowest priority comes first; within it the upstream with the fewest open streams for
        its weight; equals take turns by weight. Without a model: the first in this order.

        If none can be asked, a first attempt may go to an upstream that is out; see
        LAST_RESORT_CALLS. Other attempts are limited; see _RETRY_SHARE.

        Raises UnknownModel, UpstreamsFull, NoUpstream, or the UpstreamRefused of an upstream that
        asked to wait.
        """
        candidates = self._serving(model)
        if tried and self._retries.are_too_many(sum(m.open_streams for m in self._members)):
            raise NoUpstream(ceil(_SOON_S))
        call = CallKey.of(model, caller)
        usable = [
            member
            for member in candidates
            if member.config.name not in tried and member.is_usable(call, now)
        ]
        free = [member for member in usable if not member.is_full]
        if not free:
            if usable:
                raise UpstreamsFull()
            if tried or (last := self._last_resort(candidates, call, now)) is None:
                raise _unavailable(candidates, call, now)
            return last.lease(model, call, is_last_resort=True)
        chosen = _choose(free, call, now) if model else free[0]
        return chosen.lease(model, call, retries=self._retries if tried else None)

    def _last_resort(
        self, candidates: "Sequence[Member]", call: CallKey, now: float
    ) -> "Member | None":
        """Returns the upstream to try although none can be asked: the one that is back first."""
        limit = self._last_resort_calls
        able = [m for m in candidates if m.healthy and not m.is_full and m.last_resorts < limit]
        return min(able, key=lambda member: member.retry_in_s(call, now), default=None)

    def served_name(self, model: str, allowed: Callable[[str], bool]) -> str:
        """Returns the name under which the model is served: `m` and `m:latest` are the same.

        A name that the settings have stays as it is. Otherwise the first of the names without and
        with the tag that an upstream serves and that `allowed` accepts; if neither, the same name.
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
        """Whether some upstream can be asked now, soon, or as a last resort."""
        if self._last_resort_calls and any(member.healthy for member in self._members):
            return True
        return any(
            member.healthy and member.breakers.server.state(now) != "open"
            for member in self._members
        )

    def set_healthy(self, name: str, healthy: bool, cause: str | None = None) -> bool:
        """Notes the result of a health check. Returns whether it has changed.

        cause: why the check has failed.
        """
        member = self._by_name[name]
        member.cause = cause or member.cause
        changed = member.healthy is not healthy
        member.healthy = healthy
        return changed

    def statuses(self, now: float) -> list[UpstreamStatus]:
        """Returns the status of each upstream, in the order of the settings."""
        return [member.status(now) for member in self._by_name.values()]

    def sharing_key(self, name: str) -> list[str]:
        """Returns the names of the upstreams with the same key as this one; they refuse it too."""
        key = self._by_name[name].config.api_key
        members = self._by_name.items()
        return [other for other, member in members if key and member.config.api_key == key]

    def _known(self) -> list[str]:
        names = (name for member in self._members for name in member.config.names)
        return list(dict.fromkeys(names))


class Retries:
    """Counts the second attempts that have no output yet."""

    def __init__(self, minimum: int) -> None:
        self.count = 0
        self._minimum = minimum

    def are_too_many(self, open_streams: int) -> bool:
        """Whether no more may begin. open_streams: of all upstreams together."""
        return self.count >= max(self._minimum, open_streams * _RETRY_SHARE)


class Member:
    """One upstream of the pool."""

    def __init__(self, config: UpstreamConfig, breakers: Breakers) -> None:
        self.config = config
        self.breakers = breakers
        self.pauses = Pauses()
        self.open_streams = 0
        self.spares: list[Spare] = []
        """The places of optional calls; they are not among the open streams."""
        self.last_resorts = 0
        """Calls as a last resort that have no output yet."""
        self.healthy = True
        self.key_refused = False
        self.cause: str | None = None
        """See UpstreamStatus.cause."""
        self.credit = 0
        """Its balance in the weighted round robin; see _choose."""
        self._serves = re.compile("|".join(translate(n.lower()) for n in config.names)).match

    @property
    def is_full(self) -> bool:
        limit = self.config.max_streams
        return limit is not None and self.open_streams >= limit

    def has_spare(self, call: CallKey, now: float) -> bool:
        """Whether a place is free for an optional call, and no breaker is open or on trial."""
        limit = self.config.max_streams
        if limit is not None and self.open_streams + len(self.spares) >= limit:
            return False
        return self.is_usable(call, now) and self.breakers.state(now) == "closed"

    def load(self, call: CallKey, now: float) -> float:
        """Open streams divided by the weight, which is reduced after a breaker has closed."""
        return self.open_streams / (self.config.weight * self.breakers.load_share(call, now))

    def serves(self, model: str) -> bool:
        """Whether one of its names or globs matches; every upstream serves the model ""."""
        return not model or self._serves(model.lower()) is not None

    def is_usable(self, call: CallKey, now: float) -> bool:
        """Whether it may be asked, apart from its stream limit."""
        is_out = self.pauses.find(call, now) is not None
        return self.healthy and not is_out and self.breakers.allows(call, now)

    def retry_in_s(self, call: CallKey, now: float) -> float:
        """Seconds until it may be usable again; an estimate if that is not known."""
        pause = self.pauses.find(call, now)
        known = max(pause.until - now if pause else 0.0, self.breakers.retry_in_s(call, now))
        return known if known > 0 and self.healthy else max(known, _SOON_S)

    def lease(
        self,
        model: str,
        call: CallKey,
        *,
        is_last_resort: bool = False,
        retries: Retries | None = None,
    ) -> "Lease":
        self.open_streams += 1
        limit = self.config.max_streams
        if self.spares and limit is not None and self.open_streams + len(self.spares) > limit:
            self.spares.pop().give_way()
        lease = Lease(self, call, self.config.own_name(model), self.breakers.begin(call))
        lease.count_as(is_last_resort, retries)
        return lease

    def status(self, now: float) -> UpstreamStatus:
        return UpstreamStatus(
            self.config.name,
            self.breakers.state(now),
            self.open_streams,
            self.healthy,
            self.key_refused,
            self.breakers.server.state(now) == "closed",
            model_statuses(self.breakers, self.pauses, now),
            self.config.shown_url,
            self.cause,
        )


class Lease:
    """The right to call an upstream once. It ends with the first of succeed, fail and drop."""

    def __init__(self, member: Member, call: CallKey, model: str, generation: int) -> None:
        self.upstream = member.config.name
        self.model = model
        """The upstream's name for the model."""
        self._call = call
        self.config = member.config
        self._member: Member | None = member
        self._generation = generation
        self.has_output = False
        """The model has begun to answer."""
        self._is_last_resort = False
        self._retries: Retries | None = None

    def count_as(self, is_last_resort: bool, retries: Retries | None) -> None:
        """Counts the call as a last resort, or among the retries, until it has output."""
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

    def spare(self, now: float, give_way: Callable[[], None]) -> "Spare | None":
        """Returns a place for an optional call at the same upstream, or None if none is free.

        No breaker counts the result of the call. give_way: called when a client's call takes the
        place.
        """
        member = self._member
        if member is None or not member.has_spare(self._call, now):
            return None
        return Spare(member, give_way)

    def note_output(self) -> None:
        """Notes that the model has begun to answer."""
        self.has_output = True
        if member := self._member:
            self._uncount(member)
            member.key_refused, member.cause = False, None
            member.breakers.note_output(self._call, self._generation)

    def succeed(self) -> None:
        """Ends the lease: the answer is complete."""
        if member := self._give_back():
            member.key_refused, member.cause = False, None
            member.breakers.succeed(self._call, self._generation)

    def fail(self, error: GatewayError, now: float) -> None:
        """Ends the lease: the call has failed. The error tells whether the upstream is at fault."""
        if not (member := self._give_back()):
            return
        if isinstance(error, UpstreamRefused):
            member.key_refused = member.key_refused or error.cause == "key"
            member.pauses.note(self._call, error, now)
        was_reached = isinstance(error, UpstreamError) and error.was_reached
        breakers, call, generation = member.breakers, self._call, self._generation
        if counts_as_failure(error):
            member.cause = error.message
            breakers.fail(call, generation, now, was_reached=was_reached)
        else:
            breakers.drop(call, generation, was_reached=was_reached)

    def drop(self) -> None:
        """Ends the lease: the answer is no longer needed."""
        if member := self._give_back():
            member.breakers.drop(self._call, self._generation)

    def _give_back(self) -> Member | None:
        member, self._member = self._member, None
        if member:
            member.open_streams -= 1
            self._uncount(member)
        return member


class Spare:
    """A place at an upstream for an optional call, such as that of a summary.

    A context manager: the place is held inside. A client's call may take it away.
    """

    def __init__(self, member: Member, give_way: Callable[[], None]) -> None:
        self._member = member
        self.give_way = give_way

    def __enter__(self) -> None:
        self._member.spares.append(self)

    def __exit__(self, *_: object) -> None:
        if self in self._member.spares:
            self._member.spares.remove(self)


def _choose(free: Sequence[Member], call: CallKey, now: float) -> Member:
    """Chooses among members in the order of their priority.

    Equals take turns by smooth weighted round robin, as in nginx: each is credited its weight, and
    the one with the most credit is chosen and pays the sum of all weights.
    """
    if len(free) == 1:
        return free[0]
    first = [member for member in free if member.config.priority == free[0].config.priority]
    loads = [member.load(call, now) for member in first]
    least = min(loads)
    equals = [member for member, load in zip(first, loads, strict=True) if load == least]
    for member in equals:
        member.credit += member.config.weight
    chosen = max(equals, key=lambda member: member.credit)
    chosen.credit -= sum(member.config.weight for member in equals)
    return chosen


def _unavailable(candidates: Sequence[Member], call: CallKey, now: float) -> GatewayError:
    """Returns the error for a request that no candidate can take, with the time until one may.

    If the first candidate to be back has asked to wait, the error is made from its own refusal.
    """
    first = min(candidates, key=lambda member: member.retry_in_s(call, now))
    retry_in_s = ceil(first.retry_in_s(call, now))
    pause = first.pauses.find(call, now)
    if pause is not None and first.breakers.allows(call, now):
        return pause.refusal.of_later_request(retry_in_s)
    return NoUpstream(retry_in_s)
