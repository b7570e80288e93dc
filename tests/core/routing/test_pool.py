"""The pool chooses healthy upstreams by priority and load, and leaves out those that fail."""

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
from gateway.routing.pool import Lease, Pool, counts_as_failure, may_retry

FAILURES = 3
OPEN_S = 30.0
DEAD = UpstreamUnreachable("It is not there.")


def upstream(name: str, **settings: Any) -> UpstreamConfig:
    return UpstreamConfig(name=name, url=f"http://{name}.test", **settings)


def make_pool(
    *upstreams: UpstreamConfig, failures: int = FAILURES, last: int = 0, retries: int = 10**6
) -> Pool:
    """last: calls at once to an upstream that is out, when all are. retries: always allowed."""
    return Pool(
        upstreams,
        breaker_failures=failures,
        breaker_open_s=OPEN_S,
        last_resort_calls=last,
        min_retries=retries,
    )


def refusal(status: int, retry_after_s: int | None = None) -> UpstreamRefused:
    return UpstreamRefused(status, "It said no.", retry_after_s=retry_after_s)


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("m", "m"),
        ("m:latest", "m"),
        ("tagged", "tagged:latest"),
        ("tagged:latest", "tagged:latest"),
        ("short:latest", "short:latest"),
        ("m:8b", "m:8b"),
        ("unknown:latest", "unknown:latest"),
        ("", ""),
        (":latest", ":latest"),
    ],
)
def test_a_name_with_the_tag_latest_is_the_name_without_it(asked: str, served: str) -> None:
    one = upstream("one", models=("m", "m:*", "tagged:latest"))
    pool = make_pool(one, upstream("two", models=("sho*",), rename={"short:latest": "own"}))
    assert pool.served_name(asked, lambda name: True) == served


def test_a_name_is_kept_where_the_key_covers_only_that() -> None:
    pool = make_pool(upstream("one"))
    assert pool.served_name("m:latest", lambda name: name == "m:latest") == "m:latest"
    assert pool.served_name("m", lambda name: name == "m:latest") == "m:latest"
    assert pool.served_name("m", lambda name: False) == "m"


def break_down(pool: Pool, now: float, failures: int = FAILURES) -> None:
    for _ in range(failures):
        pool.pick("m", now).fail(DEAD, now)


# --- Choosing -------------------------------------------------------------------------------------


def test_the_lowest_priority_is_picked_first() -> None:
    pool = make_pool(upstream("b", priority=2), upstream("a", priority=1))
    assert [pool.pick("m", 0).upstream for _ in range(5)] == ["a"] * 5
    assert pool.pick("m", 0, {"a"}).upstream == "b"


def test_equal_upstreams_take_turns_by_weight() -> None:
    pool = make_pool(upstream("a", weight=3), upstream("b"))
    order = []
    for _ in range(8):
        lease = pool.pick("m", 0)
        order.append(lease.upstream)
        lease.succeed()
    assert order == list("aabaaaba")


def test_equal_upstreams_share_open_streams_by_weight() -> None:
    pool = make_pool(upstream("a", weight=3), upstream("b"))
    assert Counter(pool.pick("m", 0).upstream for _ in range(80)) == {"a": 60, "b": 20}


def test_the_least_busy_upstream_is_picked() -> None:
    pool = make_pool(upstream("a"), upstream("b"))
    leases = [pool.pick("m", 0) for _ in range(6)]
    for lease in leases:
        if lease.upstream == "b":
            lease.succeed()
    assert [pool.pick("m", 0).upstream for _ in range(3)] == ["b"] * 3


def test_an_upstream_that_recovers_is_not_flooded() -> None:
    pool = make_pool(upstream("a"), upstream("b"))
    pool.set_healthy("b", False)
    for _ in range(100):
        pool.pick("m", 0).succeed()
    pool.set_healthy("b", True)
    order = []
    for _ in range(10):
        lease = pool.pick("m", 0)
        order.append(lease.upstream)
        lease.succeed()
    assert Counter(order) == {"a": 5, "b": 5}


def test_models_match_globs_in_any_case() -> None:
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


def test_the_error_for_an_unknown_model_lists_the_known_ones() -> None:
    pool = make_pool(
        upstream("a", models=("qwen3-*", "r1")), upstream("b", models=("r1",), rename={"fast": "x"})
    )
    with pytest.raises(UnknownModel) as caught:
        pool.pick("gpt-5", 0)
    assert caught.value.message == (
        "No upstream serves the model 'gpt-5'; available: qwen3-*, r1, fast."
    )
    assert (caught.value.status, caught.value.param) == (404, "model")
    with pytest.raises(UnknownModel) as caught:
        pool.pick("x" * 5000, 0)
    assert len(caught.value.message) < 300


def test_a_model_can_be_renamed_for_an_upstream() -> None:
    pool = make_pool(upstream("a", models=("m",), rename={"fast": "org/Model-1"}))
    assert pool.pick("fast", 0).model == "org/Model-1"
    assert pool.pick("Fast", 0).model == "org/Model-1"
    assert pool.pick("m", 0).model == "m"


def test_a_request_without_a_model_goes_to_the_first_upstream() -> None:
    pool = make_pool(upstream("b", models=("x",)), upstream("c"), upstream("a", priority=0))
    assert [pool.pick("", 0).upstream for _ in range(3)] == ["a"] * 3
    assert pool.pick("", 0, {"a"}).upstream == "b"
    assert pool.pick("", 0).model == ""


def test_full_upstreams_are_skipped() -> None:
    pool = make_pool(upstream("a", max_streams=2, priority=0), upstream("b", max_streams=1))
    leases = [pool.pick("m", 0) for _ in range(3)]
    assert [lease.upstream for lease in leases] == ["a", "a", "b"]
    with pytest.raises(UpstreamsFull) as caught:
        pool.pick("m", 0)
    assert caught.value.status == 503
    assert caught.value.retry_after_s
    leases[1].drop()
    assert pool.pick("m", 0).upstream == "a"


def test_retry_after_is_obeyed() -> None:
    pool = make_pool(upstream("a"), upstream("b", models=("x",)))
    pool.pick("m", 100).fail(refusal(503, 7), 100)
    for model in ("m", "another"):
        with pytest.raises(UpstreamRefused) as caught:
            pool.pick(model, 103.5)
        assert "It said no" not in caught.value.message  # it said so to another caller
        assert (caught.value.upstream_status, caught.value.retry_after_s) == (503, 4)
    assert pool.pick("x", 103.5).upstream == "b"
    assert pool.pick("m", 107).upstream == "a"


def test_a_rate_limit_applies_to_one_model() -> None:
    pool = make_pool(upstream("a"))
    pool.pick("m", 100).fail(refusal(429, 7), 100)
    with pytest.raises(UpstreamRefused) as caught:
        pool.pick("m", 106)
    assert (caught.value.status, caught.value.retry_after_s) == (429, 1)
    assert pool.pick("another", 101).upstream == "a"
    assert pool.has_usable(101)
    assert pool.pick("m", 107).upstream == "a"


def test_a_bad_request_pauses_no_upstream() -> None:
    pool = make_pool(upstream("a"))
    for status in (400, 404, 422):
        pool.pick("m", 100).fail(refusal(status, 7), 100)
    assert pool.pick("m", 100).upstream == "a"


def test_the_number_of_remembered_rate_limits_is_bounded() -> None:
    pool = make_pool(upstream("a"))
    for number in range(2000):
        pool.pick(f"m{number}", 0).fail(refusal(429, 7), 0)
    assert pool.pick("m0", 0).upstream == "a"
    with pytest.raises(UpstreamRefused):
        pool.pick("m1999", 0)


def test_retry_after_is_capped() -> None:
    pool = make_pool(upstream("a"))
    pool.pick("m", 0).fail(refusal(503, 10**9), 0)
    assert pool.pick("m", 3600).upstream == "a"


def test_an_upstream_that_fails_its_health_check_is_not_picked() -> None:
    pool = make_pool(upstream("a"), upstream("b", priority=5))
    assert pool.set_healthy("a", False)
    assert not pool.set_healthy("a", False)
    assert pool.pick("m", 0).upstream == "b"
    pool.set_healthy("b", False)
    assert not pool.has_usable(0)
    with pytest.raises(NoUpstream) as caught:
        pool.pick("m", 0)
    assert caught.value.retry_after_s
    assert pool.set_healthy("a", True)
    assert pool.pick("m", 0).upstream == "a"


def test_only_the_first_end_of_a_lease_counts() -> None:
    pool = make_pool(upstream("a"), failures=1)
    lease = pool.pick("m", 0)
    lease.succeed()
    lease.fail(DEAD, 0)
    lease.drop()
    lease.note_output()
    assert pool.statuses(0) == [("a", "closed", 0, True, False)]


def test_a_refused_key_shows_until_the_upstream_accepts_a_request() -> None:
    pool = make_pool(upstream("a"))

    def refused() -> bool:
        [status] = pool.statuses(0)
        return status.key_refused

    pool.pick("m", 0).fail(refusal(401), 0)
    assert refused()
    pool.pick("m", 0).fail(refusal(500), 0)
    assert refused()
    pool.pick("m", 0).note_output()
    assert not refused()


def test_upstreams_that_share_a_key() -> None:
    keys = {"a": "k", "b": "k", "c": "other", "d": None}
    pool = make_pool(*(upstream(name, api_key=key) for name, key in keys.items()))
    assert pool.sharing_key("a") == ["a", "b"]
    assert pool.sharing_key("c") == ["c"]
    assert pool.sharing_key("d") == []


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
        (UpstreamRefused(403, "", cause="content"), False, False),
        (BadRequest(""), False, False),
        (ClientLeft(""), False, False),
    ],
)
def test_which_errors_are_retried_and_counted(
    error: GatewayError, retried: bool, counted: bool
) -> None:
    assert (may_retry(error), counts_as_failure(error)) == (retried, counted)


# --- The breaker ----------------------------------------------------------------------------------


def test_failures_in_a_row_open_the_breaker_for_a_while() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0, FAILURES - 1)
    pool.pick("m", 0).succeed()
    break_down(pool, 0, FAILURES - 1)
    assert pool.statuses(0)[0].breaker == "closed"
    break_down(pool, 10, 1)
    assert pool.statuses(10)[0].breaker == "open"
    with pytest.raises(NoUpstream) as caught:
        pool.pick("m", 10.5)
    assert caught.value.retry_after_s == 30
    assert not pool.has_usable(39.9)
    assert pool.has_usable(40)
    assert pool.statuses(40)[0].breaker == "half_open"


def test_a_half_open_breaker_lets_one_trial_through() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    with pytest.raises(NoUpstream):
        pool.pick("m", OPEN_S)
    assert pool.has_usable(OPEN_S)
    trial.succeed()
    assert pool.statuses(OPEN_S)[0].breaker == "closed"
    break_down(pool, OPEN_S, FAILURES - 1)
    assert pool.statuses(OPEN_S)[0].breaker == "closed"


def test_a_failed_trial_opens_the_breaker_again() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    pool.pick("m", OPEN_S).fail(DEAD, OPEN_S + 5)
    assert pool.statuses(2 * OPEN_S + 4.9)[0].breaker == "open"
    assert pool.statuses(2 * OPEN_S + 5)[0].breaker == "half_open"


@pytest.mark.parametrize("error", [None, refusal(429), refusal(400)])
def test_a_trial_without_a_verdict_lets_another_begin(error: GatewayError | None) -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    if error is None:
        trial.drop()
    else:
        trial.fail(error, OPEN_S)
    assert pool.statuses(OPEN_S)[0].breaker == "half_open"
    pool.pick("m", OPEN_S)
    with pytest.raises(NoUpstream):
        pool.pick("m", OPEN_S)


def test_output_of_the_trial_lets_others_through_until_it_fails() -> None:
    """A trial may take minutes: others need not wait for its end, but its failure still counts."""
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    trial = pool.pick("m", OPEN_S)
    trial.note_output()
    other = pool.pick("m", OPEN_S)
    trial.fail(UpstreamBroke(""), OPEN_S)
    assert pool.statuses(OPEN_S)[0].breaker == "open"
    other.succeed()
    assert pool.statuses(OPEN_S)[0].breaker == "open"


def test_results_from_before_the_last_opening_are_ignored() -> None:
    pool = make_pool(upstream("a"))
    old = [pool.pick("m", 0) for _ in range(FAILURES + 3)]
    for lease in old[:FAILURES]:
        lease.fail(DEAD, 0)
    old[-1].succeed()
    assert pool.statuses(0)[0].breaker == "open"
    pool.pick("m", OPEN_S).succeed()
    for lease in old:
        lease.fail(DEAD, OPEN_S)
    assert pool.statuses(OPEN_S)[0].breaker == "closed"


def test_the_breaker_works_without_a_pool() -> None:
    breaker = Breaker(failures=1, open_s=2)
    breaker.fail(breaker.begin(), 0)
    assert (breaker.allows(1.9), breaker.retry_in_s(0.5)) == (False, 1.5)
    generation = breaker.begin() if breaker.allows(2) else -1
    assert not breaker.allows(2)
    breaker.succeed(generation)
    assert breaker.state(2) == "closed"


# --- The last resort, retries, slow start ---------------------------------------------------------


def test_the_last_upstream_is_tried_although_its_breaker_is_open() -> None:
    pool = make_pool(upstream("a"), last=2)
    break_down(pool, 0)
    assert pool.statuses(1)[0].breaker == "open"
    first, second = pool.pick("m", 1), pool.pick("m", 1)
    with pytest.raises(NoUpstream):
        pool.pick("m", 1)  # no more at once
    first.fail(DEAD, 1)
    third = pool.pick("m", 1)
    third.note_output()
    assert pool.statuses(1)[0].breaker == "closed"
    for lease in (second, third):
        lease.drop()
    assert [pool.pick("m", 1).upstream for _ in range(9)] == ["a"] * 9


def test_one_callers_retry_after_keeps_nobody_from_the_last_upstream() -> None:
    pool = make_pool(upstream("a"), last=5)
    pool.pick("m", 0).fail(refusal(429, 600), 0)
    assert pool.pick("m", 1).upstream == "a"
    assert pool.has_usable(1)


def test_of_several_upstreams_the_one_that_is_back_first_is_the_last_resort() -> None:
    pool = make_pool(upstream("a"), upstream("b", priority=2), upstream("c", priority=3), last=1)
    break_down(pool, 0)
    assert {pool.pick("m", 1).upstream for _ in range(3)} == {"b"}
    break_down(pool, 10)
    break_down(pool, 20)
    assert [pool.pick("m", 21).upstream for _ in range(3)] == ["a", "b", "c"]


def test_a_last_resort_is_no_second_attempt_and_never_unhealthy_or_full() -> None:
    pool = make_pool(upstream("a", max_streams=1), last=5)
    break_down(pool, 0, FAILURES)
    with pytest.raises(NoUpstream):
        pool.pick("m", 1, ["b"])
    held = pool.pick("m", 1)
    with pytest.raises(NoUpstream):
        pool.pick("m", 1)
    held.drop()
    pool.set_healthy("a", False)
    with pytest.raises(NoUpstream):
        pool.pick("m", 1)
    assert not pool.has_usable(1)


def test_second_attempts_are_a_fifth_of_the_open_streams_at_most() -> None:
    pool = make_pool(upstream("a"), upstream("b"), retries=10)
    first = [pool.pick("m", 0) for _ in range(100)]
    retries = [pool.pick("m", 0, ["a"]) for _ in range(25)]  # of 125
    with pytest.raises(NoUpstream):
        pool.pick("m", 0, ["a"])
    retries[0].note_output()
    retries[1].drop()
    retries += [pool.pick("m", 0, ["a"]) for _ in range(2)]
    for lease in [*first, *retries]:
        lease.drop()
    assert all(pool.pick("m", 0, ["a"]) for _ in range(10))


def test_the_load_on_an_upstream_grows_slowly_after_its_breaker_has_closed() -> None:
    pool = Pool(
        [upstream("a"), upstream("b")],
        breaker_failures=1,
        breaker_open_s=OPEN_S,
        slow_start_s=OPEN_S,
    )
    pool.pick("m", 0).fail(DEAD, 0)
    pool.pick("m", 1).drop()
    pool.pick("m", OPEN_S).drop()
    trial = pool.pick("m", OPEN_S)
    trial.note_output()
    leases = [pool.pick("m", OPEN_S) for _ in range(100)]
    assert sum(lease.upstream == "a" for lease in leases) <= 12
    for lease in [trial, *leases]:
        lease.drop()
    later = [pool.pick("m", 2.5 * OPEN_S).upstream for _ in range(100)]
    assert Counter(later) == {"a": 50, "b": 50}


# --- As a state machine ---------------------------------------------------------------------------


@dataclass
class Expected:
    """An independent record of one upstream's state; the pool must agree with it."""

    config: UpstreamConfig
    healthy: bool = True
    paused_until: dict[str, float] = field(default_factory=dict)
    """By model; "*" for all."""
    leases: set[int] = field(default_factory=set)
    generation: int = 0
    """Openings of the breaker so far."""
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
            self.generation, self.opened_at, self.trial = self.generation + 1, now, None


@dataclass(frozen=True)
class Held:
    number: int
    lease: Lease
    model: str
    generation: int


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
    """Any sequence of calls leaves the pool in the expected state."""

    held = Bundle("held")

    @initialize(settings=st.lists(configs, min_size=1, max_size=4))
    def begin(self, settings: list[dict[str, Any]]) -> None:
        upstreams = [upstream(f"u{n}", **s) for n, s in enumerate(settings)]
        self.pool = make_pool(*upstreams)
        self.expected = {u.name: Expected(u) for u in upstreams}
        self.now = 1000.0
        self.count = 0

    @rule(target=held, model=st.sampled_from(["a1", "a2", "b", ""]), tried=st.sets(
        st.sampled_from(["u0", "u1", "u2", "u3"]), max_size=2
    ))  # fmt: skip
    def pick(self, model: str, tried: set[str]) -> Any:
        serving = [t for t in self.expected.values() if serves(t.config, model)]
        asked = [t for t in serving if t.config.name not in tried]
        try:
            lease = self.pool.pick(model, self.now, tried)
        except GatewayError as error:
            self.check_refused(error, model, serving, asked)
            return multiple()
        free = [t for t in asked if t.free(model, self.now)]
        chosen = self.expected[lease.upstream]
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
        return Held(self.count, lease, model, chosen.generation)

    def check_refused(
        self, error: GatewayError, model: str, serving: list[Expected], asked: list[Expected]
    ) -> None:
        assert not any(expected.free(model, self.now) for expected in asked)
        if isinstance(error, UpstreamsFull):
            assert any(expected.usable(model, self.now) for expected in asked)
        elif isinstance(error, NoUpstream | UpstreamRefused):
            assert not any(expected.usable(model, self.now) for expected in asked)
            assert error.retry_after_s in range(1, int(OPEN_S) + 1)
            if isinstance(error, UpstreamRefused):
                assert any(expected.paused(model, self.now) for expected in serving)
        else:
            assert isinstance(error, UnknownModel)
            assert not serving

    @rule(held=consumes(held), how=st.sampled_from(sorted(ENDS)))
    def end(self, held: Held, how: str) -> None:
        expected = self.expected[held.lease.upstream]
        expected.leases.remove(held.number)
        error = ENDS[how]
        if isinstance(error, UpstreamRefused) and error.retry_after_s:
            of = held.model if error.upstream_status == 429 else "*"
            expected.paused_until[of] = self.now + error.retry_after_s
        if held.generation == expected.generation:
            if how == "succeed":
                expected.in_a_row, expected.opened_at, expected.trial = 0, None, None
            elif error is not None and counts_as_failure(error):
                expected.fail(self.now)
            elif expected.trial == held.number:
                expected.trial = None
        if error is not None:
            held.lease.fail(error, self.now)
        elif how == "succeed":
            held.lease.succeed()
        else:
            held.lease.drop()

    @rule(held=held)
    def note_output(self, held: Held) -> None:
        expected = self.expected[held.lease.upstream]
        if expected.trial == held.number:
            expected.trial, expected.opened_at, expected.in_a_row = None, None, FAILURES - 1
        held.lease.note_output()

    @rule(seconds=st.sampled_from([0.5, 4, 12, OPEN_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=st.integers(0, 3), healthy=st.booleans())
    def check_health(self, which: int, healthy: bool) -> None:
        expected = list(self.expected.values())[which % len(self.expected)]
        assert self.pool.set_healthy(expected.config.name, healthy) is (
            expected.healthy is not healthy
        )
        expected.healthy = healthy

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "pool"):
            return
        assert self.pool.statuses(self.now) == [
            (name, expected.state(self.now), len(expected.leases), expected.healthy, False)
            for name, expected in self.expected.items()
        ]
        assert self.pool.has_usable(self.now) is any(
            expected.healthy
            and expected.state(self.now) != "open"
            and not expected.paused("*", self.now)
            for expected in self.expected.values()
        )


def serves(config: UpstreamConfig, model: str) -> bool:
    return not model or any(
        model == glob or (glob.endswith("*") and model.startswith(glob[:-1]))
        for glob in config.models
    )


def load(expected: Expected) -> float:
    return len(expected.leases) / expected.config.weight


TestAnyPool = AnyPool.TestCase
TestAnyPool.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
