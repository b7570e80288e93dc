"""Limits and ends the thinking of runs, in the ways that the kind of each upstream has.

It remembers what each model on an upstream has refused, so that this is tried only once.
"""

from typing import Any
from urllib.parse import urljoin

from msgspec.structs import replace

from gateway.config import Config
from gateway.core.call import Call
from gateway.core.choices import Choices
from gateway.core.continuation import BrokenIn, answer_limits
from gateway.core.families import Families
from gateway.core.thinking import with_slack
from gateway.core.turn import Turn
from gateway.errors import GatewayError, UpstreamRefused
from gateway.relay.handed_back import body_for, wanted_back, with_stand_ins
from gateway.relay.run import Run
from gateway.routing.kinds import KnownKinds
from gateway.routing.pool import Lease
from gateway.upstreams import CHAT, Kind, Way
from gateway.upstreams.stand_ins import lost_in
from gateway.upstreams.thinking import (
    can_take_over,
    first_body,
    prefilled_body,
    restarted_body,
    taken_over_body,
)

_MAX_REFUSALS = 1000
_NOT_ABOUT_THE_REQUEST = frozenset({401, 402, 403, 407, 408, 429})


class CutThinking(Exception):
    """Ends the read of a first answer in the middle of its thinking; a second answer follows."""


class ThinkingControl:
    """Makes the bodies of requests, and chooses the ways to end the thinking."""

    def __init__(self, config: Config, kinds: KnownKinds, families: Families) -> None:
        self._models = [entry for entry in config.models if entry.thinking_budget is not None]
        self._kinds = kinds
        self._families = families
        self._refused: dict[tuple[str, str, str], None] = {}
        """Upstream, model, and what they have refused: a way, `budget` (its member in a request) or
        `lost` (a conversation without the model's thoughts)."""

    def first_call_body(self, run: Run) -> dict[str, Any]:
        """Returns the body of a run's first request to the leased upstream; sets the turn's limit.

        If there is a budget, it may wait until the kind of the upstream is known.
        """
        lease, turn = run.lease, run.turn
        body = self._body(run)
        budget = self.budget(run)
        kind = self._kinds.find(lease.upstream) if budget else self._kinds.get(lease.upstream)
        takes_budget = not (run.drops_budget or self._has_refused(lease, "budget"))
        takes_budget = takes_budget and bool(kind.budget)
        run.sent_budget = bool(budget) and takes_budget
        self._arm(run, kind)
        if isinstance(turn, Turn):
            may_keep_it = takes_budget or kind is CHAT
            turn.limit.set_limit(with_slack(budget) if budget and may_keep_it else budget or None)
        return first_body(kind, body, budget, takes_budget=takes_budget)

    def budget(self, run: Run) -> int | None:
        """Returns the tokens that a run may think; None: no limit."""
        if run.request.thinking_budget is not None:
            return run.request.thinking_budget
        for entry in self._models:
            if entry.matches(run.lease.model) or entry.matches(run.request.model):
                return entry.thinking_budget
        return None

    def refresh_ways(self, run: Run) -> None:
        """Finds the ways again if the kind of the upstream was not known yet. May wait."""
        if self._kinds.known(run.lease.upstream) is None:
            self._kinds.find(run.lease.upstream)
            run.ways_left = self._ways(run)

    def second_call(self, run: Run, way: Way, call: Call) -> Call:
        """Returns the call for this way: some servers take a prefill at another path."""
        path = self._kinds.get(run.lease.upstream).prefill_path
        return replace(call, url=urljoin(call.url, path)) if path and way == "prefill" else call

    def second_body(self, run: Run, way: Way) -> dict[str, Any]:
        """Returns the body of a run's second request, after its thinking was cut."""
        lease, turn = run.lease, run.turn
        assert isinstance(turn, Turn), "several choices are never cut"
        kind, body = self._unlimited(run)
        limits = answer_limits(body, turn.cut_after)
        if way == "prefill":
            return prefilled_body(kind, body, turn.thoughts_back, limits)
        return restarted_body(kind, body, limits, can_be_off=not self._is_harmony(lease))

    def can_take_over(self, run: Run, lease: Lease, broken_in: BrokenIn) -> bool:
        """Whether another upstream can continue where a run's has broken off. May wait."""
        kind = self._kinds.find(lease.upstream)
        in_thinking = broken_in == "thinking"
        is_able = can_take_over(kind, run.request.body, in_thinking=in_thinking)
        return is_able and not self._is_harmony(lease) and not self._has_refused(lease, "prefill")

    def taken_over_body(self, run: Run) -> dict[str, Any]:
        """Returns the body of the request to the upstream that continues a broken answer."""
        turn = run.turn
        assert isinstance(turn, Turn), "several choices are never continued"
        kind, body = self._unlimited(run)
        self._arm(run, kind)
        limits = answer_limits(body, turn.cut_after, reserves=False)
        return taken_over_body(kind, body, turn.thoughts_back, turn.answer_back, limits)

    def can_replace_thoughts(self, run: Run) -> bool:
        """Whether the leased upstream may have refused the request because thoughts are lost."""
        lease, request = run.lease, run.request
        wanted = wanted_back(lease.config, lease.model or request.model)
        if wanted is None or self._replaces_thoughts(run):
            return False
        kind = self._kinds.get(lease.upstream)
        return bool(lost_in(body_for(request, lease.config, lease.model, kind), wanted))

    def note_thoughts_needed(self, run: Run) -> None:
        """The upstream has accepted a request with stand-ins that it had refused without."""
        self._note(run.lease, "lost")

    def note_budget_refused(self, run: Run) -> None:
        """The upstream has accepted a request without the budget that it had refused with it."""
        self._note(run.lease, "budget")

    def note_way_refused(self, run: Run, way: Way) -> None:
        """The upstream has refused the second request of this way."""
        self._note(run.lease, way)

    def _unlimited(self, run: Run) -> tuple[Kind, dict[str, Any]]:
        """Returns the kind of the leased upstream, and the body for it without a budget."""
        lease = run.lease
        kind = self._kinds.get(lease.upstream)
        return kind, first_body(kind, self._body(run), None, takes_budget=False)

    def _body(self, run: Run) -> dict[str, Any]:
        """Returns the body for the leased upstream, with the thoughts that its model wants back."""
        lease, request, kind = run.lease, run.request, self._kinds.get(run.lease.upstream)
        body = body_for(request, lease.config, lease.model, kind)
        wanted = wanted_back(lease.config, lease.model or request.model)
        run.thoughts_replaced = 0
        if wanted is None or not self._replaces_thoughts(run):
            return body
        body, run.thoughts_replaced = with_stand_ins(body, request, wanted, kind)
        return body

    def _replaces_thoughts(self, run: Run) -> bool:
        """Whether the leased upstream has refused a conversation without the model's thoughts."""
        return run.lost_thoughts_at == run.lease.upstream or self._has_refused(run.lease, "lost")

    def _arm(self, run: Run, kind: Kind) -> None:
        """Prepares the run for a call of the leased upstream. kind: of the upstream."""
        run.is_armed = bool(kind.always)
        run.ways_left = self._ways(run)

    def _ways(self, run: Run) -> list[Way]:
        if isinstance(run.turn, Choices):
            return []
        ways: list[Way] = []
        for way in self._kinds.get(run.lease.upstream).ways:
            is_possible = {
                "control": run.is_armed,
                "prefill": not self._is_harmony(run.lease),
                "restart": True,
            }
            if is_possible[way] and not self._has_refused(run.lease, way):
                ways.append(way)
        return ways

    def _is_harmony(self, lease: Lease) -> bool:
        """Whether the model is of gpt-oss's family: a chat message can't contain its markers, and
        its thinking can't be turned off."""
        return self._families.find(lease.model).name == "harmony"

    def _note(self, lease: Lease, what: str) -> None:
        if len(self._refused) >= _MAX_REFUSALS:
            self._refused.pop(next(iter(self._refused)))
        self._refused[lease.upstream, lease.model, what] = None

    def _has_refused(self, lease: Lease, what: str) -> bool:
        return (lease.upstream, lease.model, what) in self._refused


def is_about_the_request(error: GatewayError) -> bool:
    """Whether an upstream refuses the request itself, not the key, the rate or the time."""
    return (
        isinstance(error, UpstreamRefused)
        and 400 <= error.upstream_status < 500
        and error.upstream_status not in _NOT_ABOUT_THE_REQUEST
        and error.cause == "other"
    )
