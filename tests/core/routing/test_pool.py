"""Which upstream is asked: whoever is well, in turn, and nobody who has failed too often."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from gateway.config import UpstreamConfig
from gateway.errors import (
    BadRequest,
    ClientLeft,
    GatewayError,
    NoUpstream,
    UnknownModel,
    UpstreamBroke,
    UpstreamRefused,
    UpstreamsFull,
    UpstreamTimeout,
    UpstreamTotalTimeout,
    UpstreamUnreachable,
)
from gateway.routing.breaker import Breaker
from gateway.routing.pool import Lease, Pool, counts, may_retry

FAILURES = 3
OPEN_S = 30.0
DEAD = UpstreamUnreachable("It is not there.")


def upstream(name: str, **settings: Any) -> UpstreamConfig:
    return UpstreamConfig(name=name, url=f"http://{name}.test", **settings)


def make_pool(*upstreams: UpstreamConfig, failures: int = FAILURES) -> Pool:
    return Pool(upstreams, breaker_failures=failures, breaker_open_s=OPEN_S)


def refusal(status: int, retry_after_s: int | None = None) -> UpstreamRefused:
    return UpstreamRefused(status, "It said no.", retry_after_s=retry_after_s)


def break_down(pool: Pool, now: float, failures: int = FAILURES) -> None:
    for _ in range(failures):
        pool.pick("m", now).fail(DEAD, now)


# --- Choosing -------------------------------------------------------------------------------------


def test_the_lowest_priority_first() -> None:
    pool = make_pool(upstream("b", priority=2), upstream("a", priority=1))
    assert [pool.pick("m", 0).upstream for _ in range(5)] == ["a"] * 5
    assert pool.pick("m", 0, {"a"}).upstream == "b"


def test_equals_share_one_after_the_other_by_weight() -> None:
    pool = make_pool(upstream("a", weight=3), upstream("b"))
    order = []
    for _ in range(8):
        lease = pool.pick("m", 0)
        order.append(lease.upstream)
        lease.succeed()
    assert order == list("aabaaaba")


def test_equals_share_at_the_same_time_by_weight() -> None:
    pool = make_pool(upstream("a", weight=3), upstream("b"))
    assert Counter(pool.pick("m", 0).upstream for _ in range(80)) == {"a": 60, "b": 20}


def test_the_least_busy_is_next() -> None:
    pool = make_pool(upstream("a"), upstream("b"))
    leases = [pool.pick("m", 0) for _ in range(6)]
    for lease in leases:
        if lease.upstream == "b":
            lease.succeed()
    assert [pool.pick("m", 0).upstream for _ in range(3)] == ["b"] * 3


def test_who_comes_back_is_not_flooded() -> None:
    pool = make_pool(upstream("a"), upstream("b"))
    pool.mark("b", healthy=False)
    for _ in range(100):
        pool.pick("m", 0).succeed()
    pool.mark("b", healthy=True)
    order = []
    for _ in range(10):
        lease = pool.pick("m", 0)
        order.append(lease.upstream)
        lease.succeed()
    assert Counter(order) == {"a": 5, "b": 5}


def test_models_are_found_by_glob_in_any_case() -> None:
    pool = make_pool(
        upstream("a", models=("qwen3-*", "deepseek-r1")), upstream("b", models=("openai/*",))
    )
    for model, expected in (
        ("qwen3-8b", "a"),
        ("Qwen3-235B", "a"),
        ("deepseek-r1", "a"),
        ("openai/gpt-oss-20b", "b"),
    ):
        assert pool.pick(model, 0).upstream == expected


def test_an_unknown_model_is_told_what_there_is() -> None:
    pool = make_pool(
        upstream("a", models=("qwen3-*", "r1")), upstream("b", models=("r1",), rename={"fast": "x"})
    )
    with pytest.raises(UnknownModel) as caught:
        pool.pick("gpt-5", 0)
    assert caught.value.message == (
        "No upstream serves the model 'gpt-5'; there is qwen3-*, r1, fast."
    )
    assert (caught.value.status, caught.value.param) == (404, "model")
    with pytest.raises(UnknownModel) as caught:
        pool.pick("x" * 5000, 0)
    assert len(caught.value.message) < 300


def test_a_model_can_have_another_name_upstream() -> None:
    pool = make_pool(upstream("a", models=("m",), rename={"fast": "org/Model-1"}))
    assert pool.pick("fast", 0).model == "org/Model-1"
    assert pool.pick("Fast", 0).model == "org/Model-1"
    assert pool.pick("m", 0).model == "m"


def test_without_a_model_the_first_in_order_is_asked() -> None:
    pool = make_pool(upstream("b", models=("x",)), upstream("c"), upstream("a", priority=0))
    assert [pool.pick("", 0).upstream for _ in range(3)] == ["a"] * 3
    assert pool.pick("", 0, {"a"}).upstream == "b"
    assert pool.pick("", 0).model == ""


def test_who_is_full_is_passed_over() -> None:
    pool = make_pool(upstream("a", max_streams=2, priority=0), upstream("b", max_streams=1))
    leases = [pool.pick("m", 0) for _ in range(3)]
    assert [lease.upstream for lease in leases] == ["a", "a", "b"]
    with pytest.raises(UpstreamsFull) as caught:
        pool.pick("m", 0)
    assert caught.value.status == 503
    assert caught.value.retry_after_s
    leases[1].drop()
    assert pool.pick("m", 0).upstream == "a"


def test_a_retry_after_is_obeyed() -> None:
    pool = make_pool(upstream("a"), upstream("b", models=("x",)))
    pool.pick("m", 100).fail(refusal(503, 7), 100)
    for model in ("m", "another"):
        with pytest.raises(UpstreamRefused, match="It said no") as caught:
            pool.pick(model, 103.5)
        assert (caught.value.upstream_status, caught.value.retry_after_s) == (503, 4)
    assert pool.pick("x", 103.5).upstream == "b"
    assert pool.pick("m", 107).upstream == "a"


def test_a_rate_limit_is_of_one_model() -> None:
    pool = make_pool(upstream("a"))
    pool.pick("m", 100).fail(refusal(429, 7), 100)
    with pytest.raises(UpstreamRefused) as caught:
        pool.pick("m", 106)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 1)
    assert pool.pick("another", 101).upstream == "a"
    assert pool.usable(101)
    assert pool.pick("m", 107).upstream == "a"


def test_the_callers_faults_pause_nobody() -> None:
    pool = make_pool(upstream("a"))
    for status in (400, 404, 422):
        pool.pick("m", 100).fail(refusal(status, 7), 100)
    assert pool.pick("m", 100).upstream == "a"


def test_not_every_limited_model_is_remembered() -> None:
    pool = make_pool(upstream("a"))
    for number in range(2000):
        pool.pick(f"m{number}", 0).fail(refusal(429, 7), 0)
    assert pool.pick("m0", 0).upstream == "a"
    with pytest.raises(UpstreamRefused):
        pool.pick("m1999", 0)


def test_a_retry_after_does_not_last_for_ever() -> None:
    pool = make_pool(upstream("a"))
    pool.pick("m", 0).fail(refusal(503, 10**9), 0)
    assert pool.pick("m", 3600).upstream == "a"


def test_who_fails_its_health_check_is_not_asked() -> None:
    pool = make_pool(upstream("a"), upstream("b", priority=5))
    assert pool.mark("a", healthy=False)
    assert not pool.mark("a", healthy=False)
    assert pool.pick("m", 0).upstream == "b"
    pool.mark("b", healthy=False)
    assert not pool.usable(0)
    with pytest.raises(NoUpstream) as caught:
        pool.pick("m", 0)
    assert caught.value.retry_after_s
    assert pool.mark("a", healthy=True)
    assert pool.pick("m", 0).upstream == "a"


def test_a_lease_ends_once() -> None:
    pool = make_pool(upstream("a"), failures=1)
    lease = pool.pick("m", 0)
    lease.succeed()
    lease.fail(DEAD, 0)
    lease.drop()
    lease.hear()
    assert pool.standings(0) == [("a", "closed", 0, True)]


# --- Blame ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "retried", "counted"),
    [
        (UpstreamUnreachable(""), True, True),
        (UpstreamTimeout("", code="upstream_connect_timeout"), True, True),
        (UpstreamTimeout("", code="upstream_first_byte_timeout"), True, True),
        (UpstreamTotalTimeout(""), False, True),
        (UpstreamBroke(""), True, True),
        *[(refusal(status), True, True) for status in (500, 502, 503, 504, 529)],
        *[(refusal(status), True, False) for status in (302, 401, 402, 403, 408, 429)],
        *[(refusal(status), False, False) for status in (400, 404, 409, 413, 422)],
        (BadRequest(""), False, False),
        (ClientLeft(""), False, False),
    ],
)
def test_each_error_is_somebodys(error: GatewayError, retried: bool, counted: bool) -> None:
    assert (may_retry(error), counts(error)) == (retried, counted)


# --- The breaker ----------------------------------------------------------------------------------


def test_failures_in_a_row_open_the_breaker_for_a_while() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0, FAILURES - 1)
    pool.pick("m", 0).succeed()
    break_down(pool, 0, FAILURES - 1)
    assert pool.standings(0)[0].breaker == "closed"
    break_down(pool, 10, 1)
    assert pool.standings(10)[0].breaker == "open"
    with pytest.raises(NoUpstream) as caught:
        pool.pick("m", 10.5)
    assert caught.value.retry_after_s == 30
    assert not pool.usable(39.9)
    assert pool.usable(40)
    assert pool.standings(40)[0].breaker == "half_open"


def test_then_one_may_try() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    with pytest.raises(NoUpstream):
        pool.pick("m", OPEN_S)
    assert pool.usable(OPEN_S)
    trial.succeed()
    assert pool.standings(OPEN_S)[0].breaker == "closed"
    break_down(pool, OPEN_S, FAILURES - 1)
    assert pool.standings(OPEN_S)[0].breaker == "closed"


def test_a_trial_that_fails_opens_it_again() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    pool.pick("m", OPEN_S).fail(DEAD, OPEN_S + 5)
    assert pool.standings(2 * OPEN_S + 4.9)[0].breaker == "open"
    assert pool.standings(2 * OPEN_S + 5)[0].breaker == "half_open"


@pytest.mark.parametrize("error", [None, refusal(429), refusal(400)])
def test_a_trial_that_shows_nothing_lets_another_try(error: GatewayError | None) -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    if error is None:
        trial.drop()
    else:
        trial.fail(error, OPEN_S)
    assert pool.standings(OPEN_S)[0].breaker == "half_open"
    pool.pick("m", OPEN_S)
    with pytest.raises(NoUpstream):
        pool.pick("m", OPEN_S)


def test_once_the_trial_is_answered_others_may_come_until_it_fails() -> None:
    """A trial whose answer takes minutes keeps nobody waiting, but it stays the judge."""
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    trial.hear()
    other = pool.pick("m", OPEN_S)
    trial.fail(UpstreamBroke(""), OPEN_S)
    assert pool.standings(OPEN_S)[0].breaker == "open"
    other.succeed()
    assert pool.standings(OPEN_S)[0].breaker == "open"


def test_what_comes_late_is_not_heard() -> None:
    pool = make_pool(upstream("a"))
    old = [pool.pick("m", 0) for _ in range(FAILURES + 3)]
    for lease in old[:FAILURES]:
        lease.fail(DEAD, 0)
    old[-1].succeed()
    assert pool.standings(0)[0].breaker == "open"
    pool.pick("m", OPEN_S).succeed()
    for lease in old:
        lease.fail(DEAD, OPEN_S)
    assert pool.standings(OPEN_S)[0].breaker == "closed"


def test_a_breaker_serves_without_a_pool() -> None:
    breaker = Breaker(failures=1, open_s=2)
    breaker.fail(breaker.enter(), 0)
    assert (breaker.admits(1.9), breaker.opens_in_s(0.5)) == (False, 1.5)
    opening = breaker.enter() if breaker.admits(2) else -1
    assert not breaker.admits(2)
    breaker.succeed(opening)
    assert breaker.state(2) == "closed"


# --- As a state machine ---------------------------------------------------------------------------


@dataclass
class Told:
    """What an upstream has gone through, kept by rules of its own; the pool must agree."""

    config: UpstreamConfig
    healthy: bool = True
    paused_until: dict[str, float] = field(default_factory=dict)
    """By model; "*" for all."""
    leases: set[int] = field(default_factory=set)
    period: int = 0
    """How often the breaker has opened."""
    in_a_row: int = 0
    opened_at: float | None = None
    trial: int | None = None

    def state(self, now: float) -> str:
        if self.opened_at is None:
            return "closed"
        return "open" if now - self.opened_at < OPEN_S else "half_open"

    def free(self, model: str, now: float) -> bool:
        room = self.config.max_streams is None or len(self.leases) < self.config.max_streams
        return room and self.usable(model, now)

    def usable(self, model: str, now: float) -> bool:
        admitted = self.state(now) == "closed" or (
            self.state(now) == "half_open" and not self.trial
        )
        return self.healthy and not self.paused(model, now) and admitted

    def paused(self, model: str, now: float) -> bool:
        return any(now < self.paused_until.get(of, 0) for of in (model, "*"))

    def fail(self, now: float) -> None:
        self.in_a_row += 1
        if self.trial or self.in_a_row >= FAILURES:
            self.period, self.opened_at, self.trial = self.period + 1, now, None


@dataclass(frozen=True)
class Held:
    number: int
    lease: Lease
    model: str
    period: int


ENDS: dict[str, GatewayError | None] = {
    "succeed": None,
    "drop": None,
    "dead": DEAD,
    "broke": UpstreamBroke(""),
    "500": refusal(500),
    "503, come later": refusal(503, 20),
    "429": refusal(429),
    "429, come later": refusal(429, 5),
    "400": refusal(400),
}
configs = st.builds(
    dict,
    priority=st.integers(0, 1),
    weight=st.integers(1, 3),
    max_streams=st.sampled_from([None, 1, 3]),
    models=st.sampled_from([("*",), ("a*",), ("b", "a1")]),
)


class AnyPool(RuleBasedStateMachine):
    """Whatever happens in whatever order, the pool keeps its promises."""

    held = Bundle("held")

    @initialize(settings=st.lists(configs, min_size=1, max_size=4))
    def begin(self, settings: list[dict[str, Any]]) -> None:
        upstreams = [upstream(f"u{n}", **s) for n, s in enumerate(settings)]
        self.pool = make_pool(*upstreams)
        self.told = {u.name: Told(u) for u in upstreams}
        self.now = 1000.0
        self.count = 0

    @rule(target=held, model=st.sampled_from(["a1", "a2", "b", ""]), tried=st.sets(
        st.sampled_from(["u0", "u1", "u2", "u3"]), max_size=2
    ))  # fmt: skip
    def pick(self, model: str, tried: set[str]) -> Any:
        serving = [t for t in self.told.values() if serves(t.config, model)]
        asked = [t for t in serving if t.config.name not in tried]
        try:
            lease = self.pool.pick(model, self.now, tried)
        except GatewayError as error:
            self.check_refused(error, model, serving, asked)
            return multiple()
        free = [t for t in asked if t.free(model, self.now)]
        chosen = self.told[lease.upstream]
        assert chosen in free
        first = [t for t in free if t.config.priority == min(f.config.priority for f in free)]
        assert chosen in first
        if model:
            assert load(chosen) == min(map(load, first))
        else:
            assert chosen is first[0]
        self.count += 1
        chosen.leases.add(self.count)
        if chosen.state(self.now) == "half_open":
            chosen.trial = self.count
        return Held(self.count, lease, model, chosen.period)

    def check_refused(
        self, error: GatewayError, model: str, serving: list[Told], asked: list[Told]
    ) -> None:
        assert not any(told.free(model, self.now) for told in asked)
        if isinstance(error, UpstreamsFull):
            assert any(told.usable(model, self.now) for told in asked)
        elif isinstance(error, NoUpstream | UpstreamRefused):
            assert not any(told.usable(model, self.now) for told in asked)
            assert error.retry_after_s in range(1, int(OPEN_S) + 1)
            if isinstance(error, UpstreamRefused):
                assert any(told.paused(model, self.now) for told in serving)
        else:
            assert isinstance(error, UnknownModel)
            assert not serving

    @rule(held=consumes(held), how=st.sampled_from(sorted(ENDS)))
    def end(self, held: Held, how: str) -> None:
        told = self.told[held.lease.upstream]
        told.leases.remove(held.number)
        error = ENDS[how]
        if isinstance(error, UpstreamRefused) and error.retry_after_s:
            of = held.model if error.upstream_status == 429 else "*"
            told.paused_until[of] = self.now + error.retry_after_s
        if held.period == told.period:
            if how == "succeed":
                told.in_a_row, told.opened_at, told.trial = 0, None, None
            elif error is not None and counts(error):
                told.fail(self.now)
            elif told.trial == held.number:
                told.trial = None
        if error is not None:
            held.lease.fail(error, self.now)
        elif how == "succeed":
            held.lease.succeed()
        else:
            held.lease.drop()

    @rule(held=held)
    def hear(self, held: Held) -> None:
        told = self.told[held.lease.upstream]
        if told.trial == held.number:
            told.trial, told.opened_at, told.in_a_row = None, None, FAILURES - 1
        held.lease.hear()

    @rule(seconds=st.sampled_from([0.5, 4, 12, OPEN_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=st.integers(0, 3), healthy=st.booleans())
    def check_health(self, which: int, healthy: bool) -> None:
        told = list(self.told.values())[which % len(self.told)]
        assert self.pool.mark(told.config.name, healthy=healthy) is (told.healthy is not healthy)
        told.healthy = healthy

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "pool"):
            return
        assert self.pool.standings(self.now) == [
            (name, told.state(self.now), len(told.leases), told.healthy)
            for name, told in self.told.items()
        ]
        assert self.pool.usable(self.now) is any(
            told.healthy and told.state(self.now) != "open" and not told.paused("*", self.now)
            for told in self.told.values()
        )


def serves(config: UpstreamConfig, model: str) -> bool:
    return not model or any(
        model == glob or (glob.endswith("*") and model.startswith(glob[:-1]))
        for glob in config.models
    )


def load(told: Told) -> float:
    return len(told.leases) / told.config.weight


TestAnyPool = AnyPool.TestCase
TestAnyPool.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
