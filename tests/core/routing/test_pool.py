"""The pool chooses healthy upstreams by priority and load, and leaves out those that fail."""

from collections import Counter
from contextlib import suppress
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


def test_a_call_that_can_be_missed_takes_a_free_place_and_gives_way() -> None:
    pool = make_pool(upstream("one", max_streams=2))
    gave_way: list[bool] = []
    turn = pool.pick("m", 0)
    place = turn.spare(0, lambda: gave_way.append(True))
    assert place is not None
    with place:
        assert turn.spare(0, lambda: None) is None, "the upstream is full"
        other = pool.pick("m", 0)
        assert gave_way == [True]
    with pytest.raises(UpstreamsFull):
        pool.pick("m", 0)
    other.drop()
    assert turn.spare(0, lambda: None) is not None


def test_there_is_no_place_for_such_a_call_where_something_has_failed() -> None:
    pool = make_pool(upstream("one"), failures=1)
    turn = pool.pick("m", 0)
    pool.pick("m", 0).fail(DEAD, 0)
    assert turn.spare(0, lambda: None) is None
    assert turn.spare(OPEN_S, lambda: None) is None, "a trial is a client's"


def test_a_name_is_kept_where_the_key_covers_only_that() -> None:
    pool = make_pool(upstream("one"))
    assert pool.served_name("m:latest", lambda name: name == "m:latest") == "m:latest"
    assert pool.served_name("m", lambda name: name == "m:latest") == "m:latest"
    assert pool.served_name("m", lambda name: False) == "m"


def break_down(
    pool: Pool, now: float, failures: int = FAILURES, error: GatewayError = DEAD
) -> None:
    for _ in range(failures):
        pool.pick("m", now).fail(error, now)


def state_of(pool: Pool, now: float) -> str:
    return pool.statuses(now)[0].breaker


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
    with pytest.raises(UpstreamRefused) as caught:
        pool.pick("m", 103.5)
    assert "It said no" not in caught.value.message  # it said so to another caller
    assert (caught.value.upstream_status, caught.value.retry_after_s) == (503, 4)
    assert pool.statuses(103.5)[0].models == (("m", "closed", True, 1),)
    assert pool.pick("another", 103.5).upstream == "a"
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
    [status] = pool.statuses(0)
    assert (status.breaker, status.open_streams, status.cause) == ("closed", 0, None)


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
    break_down(pool, 0, error=refusal(500))
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
    break_down(pool, 0, error=refusal(500))
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


# --- Callers and models count apart ---------------------------------------------------------------


FAILURES_AT_A_MODEL = {
    "500": refusal(500),
    "broken off": UpstreamBroke(""),
    "silent": UpstreamTimeout("", code="upstream_first_byte_timeout"),
}


@pytest.mark.parametrize("error", FAILURES_AT_A_MODEL.values(), ids=FAILURES_AT_A_MODEL)
def test_the_failures_of_one_caller_open_no_breaker_for_the_others(error: GatewayError) -> None:
    pool = make_pool(upstream("a"))
    for _ in range(FAILURES):
        pool.pick("m", 0, caller="mallory").fail(error, 0)
    with pytest.raises(NoUpstream):
        pool.pick("m", 0, caller="mallory")
    [status] = pool.statuses(0)
    assert (status.breaker, status.reachable, status.models) == (
        *("open", True),
        (("m", "open", False, 1),),
    )
    for second in range(200):
        pool.pick("m", second, caller="alice").succeed()
        with suppress(GatewayError):
            pool.pick("m", second, caller="mallory").fail(error, second)


@pytest.mark.parametrize("error", FAILURES_AT_A_MODEL.values(), ids=FAILURES_AT_A_MODEL)
def test_the_failures_of_one_model_open_no_breaker_for_the_others(error: GatewayError) -> None:
    pool = make_pool(upstream("a"))
    for caller in ("alice", "bob"):
        for _ in range(FAILURES):
            pool.pick("m", 0, caller=caller).fail(error, 0)
    for caller in ("alice", "bob"):
        with pytest.raises(NoUpstream):
            pool.pick("M", 0, caller=caller)  # the same model
        pool.pick("another", 0, caller=caller).succeed()


def test_the_failures_of_several_callers_in_a_row_open_the_breaker_for_all() -> None:
    pool = make_pool(upstream("a"))
    for caller in ("alice", "bob"):
        pool.pick("m", 0, caller=caller).fail(refusal(500), 0)
    pool.pick("m", 0, caller="carol").succeed()
    for caller in ("alice", "bob", "bob"):
        pool.pick("m", 0, caller=caller).fail(refusal(500), 0)
    assert state_of(pool, 0) == "open"  # for bob, who has failed three times
    pool.pick("m", 0, caller="carol").fail(refusal(500), 0)
    with pytest.raises(NoUpstream):
        pool.pick("m", 0, caller="dave")
    assert pool.statuses(0)[0].models == (("m", "open", False, None),)


def test_a_caller_whose_trial_failed_leaves_the_next_one_to_others() -> None:
    pool = make_pool(upstream("a"))
    for caller in ("alice", "bob", "carol"):
        pool.pick("m", 0, caller=caller).fail(refusal(500), 0)
    pool.pick("m", OPEN_S, caller="mallory").fail(refusal(500), OPEN_S)
    with pytest.raises(NoUpstream):
        pool.pick("m", 2 * OPEN_S, caller="mallory")
    trial = pool.pick("m", 2 * OPEN_S, caller="alice")
    trial.succeed()
    for _ in range(FAILURES):
        with suppress(GatewayError):
            pool.pick("m", 2 * OPEN_S, caller="mallory").fail(refusal(500), 2 * OPEN_S)
    pool.pick("m", 2 * OPEN_S, caller="dave").succeed()


def test_a_server_that_cannot_be_reached_is_out_for_all_callers_and_models() -> None:
    pool = make_pool(upstream("a"))
    break_down(pool, 0)
    assert not pool.statuses(0)[0].reachable
    for model, caller in (("m", "alice"), ("another", "bob")):
        with pytest.raises(NoUpstream):
            pool.pick(model, 0, caller=caller)
    pool.pick("m", OPEN_S).fail(refusal(500), OPEN_S)  # it is there again
    assert pool.statuses(OPEN_S)[0].reachable
    pool.pick("m", OPEN_S, caller="alice").succeed()


def test_one_callers_retry_after_makes_no_other_caller_wait() -> None:
    pool = make_pool(upstream("a"))
    pool.pick("m", 0, caller="mallory").fail(refusal(429, 600), 0)
    with pytest.raises(UpstreamRefused):
        pool.pick("m", 1, caller="mallory")
    pool.pick("m", 1, caller="alice").fail(refusal(429, 10), 1)
    with pytest.raises(UpstreamRefused) as caught:
        pool.pick("m", 2, caller="bob")  # two callers had to wait: the model is overloaded
    assert caught.value.retry_after_s == 9
    assert pool.statuses(2)[0].models == (("m", "closed", True, None),)
    pool.pick("m", 11, caller="bob").succeed()
    with pytest.raises(UpstreamRefused):
        pool.pick("m", 11, caller="mallory")


def test_what_is_remembered_of_failures_is_bounded_and_forgotten() -> None:
    pool = make_pool(upstream("a"))
    for number in range(3000):
        pool.pick(f"m{number}", 0, caller=f"c{number}").fail(refusal(500, 5), 0)
    breakers, pauses = pool._by_name["a"].breakers, pool._by_name["a"].pauses
    for known in (breakers._own, breakers._shared, pauses._by_model):
        assert len(known) == 1000
    pool = make_pool(upstream("a"), failures=1)
    pool.pick("m", 0).fail(refusal(500), 0)
    assert state_of(pool, 2 * OPEN_S) == "half_open"
    assert state_of(pool, 3 * OPEN_S) == "closed"  # nobody has asked for the model since


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
class ExpectedBreaker:
    """An independent record of one breaker. shared: failures of one caller count once."""

    shared: bool = False
    generation: int = 0
    """Openings of the upstream's breakers up to its own last one."""
    failures: list[str] = field(default_factory=list)
    """The callers of the failures in a row."""
    opened_at: float | None = None
    trial: int | None = None
    excluded: str | None = None
    """The caller whose trial has failed."""

    def state(self, now: float) -> str:
        if self.opened_at is None:
            return "closed"
        return "open" if now - self.opened_at < OPEN_S else "half_open"

    def allows(self, caller: str, now: float) -> bool:
        if self.state(now) != "half_open":
            return self.state(now) == "closed"
        mine_again = self.excluded == caller and now - (self.opened_at or 0) < 2 * OPEN_S
        return self.trial is None and not mine_again

    def is_forgotten(self, now: float) -> bool:
        if self.opened_at is None:
            return not self.failures
        return self.trial is None and now - self.opened_at >= 3 * OPEN_S

    def close(self) -> None:
        self.opened_at = self.trial = self.excluded = None
        self.failures = []

    def fail(self, caller: str) -> bool:
        """Returns whether it has opened."""
        on_trial = self.trial is not None
        if on_trial and self.shared:
            self.excluded = caller
        self.failures.append(caller)
        found = set(self.failures) if self.shared else self.failures
        return on_trial or len(found) >= FAILURES

    def open(self, generation: int, now: float) -> None:
        self.generation, self.opened_at, self.trial = generation, now, None
        self.failures = [] if self.shared else self.failures


@dataclass
class Expected:
    """An independent record of one upstream's state; the pool must agree with it."""

    config: UpstreamConfig
    healthy: bool = True
    paused_until: dict[tuple[str, str], float] = field(default_factory=dict)
    """By model and caller."""
    leases: set[int] = field(default_factory=set)
    openings: int = 0
    server: ExpectedBreaker = field(default_factory=ExpectedBreaker)
    others: dict[tuple[str, str], ExpectedBreaker] = field(default_factory=dict)
    """By model and caller; the caller "" stands for all."""

    def of_model(self, model: str, caller: str) -> list[ExpectedBreaker]:
        return [self.others[key] for key in ((model, ""), (model, caller)) if key in self.others]

    def breakers(self, model: str, caller: str) -> list[ExpectedBreaker]:
        return [self.server, *self.of_model(model, caller)]

    def state(self, now: float) -> str:
        states = {breaker.state(now) for breaker in (self.server, *self.others.values())}
        return next(state for state in ("open", "half_open", "closed") if state in states)

    def free(self, model: str, caller: str, now: float) -> bool:
        room = self.config.max_streams is None or len(self.leases) < self.config.max_streams
        return room and self.usable(model, caller, now)

    def usable(self, model: str, caller: str, now: float) -> bool:
        allowed = all(breaker.allows(caller, now) for breaker in self.breakers(model, caller))
        return self.healthy and not self.paused(model, caller, now) and allowed

    def waiting(self, model: str, now: float) -> set[str]:
        return {c for (m, c), until in self.paused_until.items() if m == model and now < until}

    def paused(self, model: str, caller: str, now: float) -> bool:
        waiting = self.waiting(model, now)
        return caller in waiting or len(waiting) > 1

    def fail(self, breaker: ExpectedBreaker, caller: str, generation: int, now: float) -> None:
        if generation >= breaker.generation and breaker.fail(caller):
            self.openings += 1
            breaker.open(self.openings, now)

    def forget(self, now: float) -> None:
        self.others = {k: b for k, b in self.others.items() if not b.is_forgotten(now)}

    def models_out(self, now: float) -> dict[str, bool]:
        """Model → whether for all callers."""
        found = {
            m: len(self.waiting(m, now)) > 1 for m, c in self.paused_until if self.waiting(m, now)
        }
        for (model, caller), breaker in self.others.items():
            if breaker.state(now) != "closed":
                found[model] = found.get(model, False) or not caller
        return found


@dataclass(frozen=True)
class Held:
    number: int
    lease: Lease
    model: str
    caller: str
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

    @rule(
        target=held,
        model=st.sampled_from(["a1", "a2", "b", ""]),
        caller=st.sampled_from(["x", "y", "z"]),
        tried=st.sets(st.sampled_from(["u0", "u1", "u2", "u3"]), max_size=2),
    )
    def pick(self, model: str, caller: str, tried: set[str]) -> Any:
        serving = [t for t in self.expected.values() if serves(t.config, model)]
        asked = [t for t in serving if t.config.name not in tried]
        try:
            lease = self.pool.pick(model, self.now, tried, caller)
        except GatewayError as error:
            self.check_refused(error, model, caller, serving, asked)
            return multiple()
        free = [t for t in asked if t.free(model, caller, self.now)]
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
        for breaker in chosen.breakers(model, caller):
            if breaker.state(self.now) == "half_open":
                breaker.trial = self.count
        return Held(self.count, lease, model, caller, chosen.openings)

    def check_refused(
        self,
        error: GatewayError,
        model: str,
        caller: str,
        serving: list[Expected],
        asked: list[Expected],
    ) -> None:
        assert not any(expected.free(model, caller, self.now) for expected in asked)
        if isinstance(error, UpstreamsFull):
            assert any(expected.usable(model, caller, self.now) for expected in asked)
        elif isinstance(error, NoUpstream | UpstreamRefused):
            assert not any(expected.usable(model, caller, self.now) for expected in asked)
            assert error.retry_after_s in range(1, int(OPEN_S) + 1)
            if isinstance(error, UpstreamRefused):
                assert any(expected.paused(model, caller, self.now) for expected in serving)
        else:
            assert isinstance(error, UnknownModel)
            assert not serving

    @rule(held=consumes(held), how=st.sampled_from(sorted(ENDS)))
    def end(self, held: Held, how: str) -> None:
        expected = self.expected[held.lease.upstream]
        expected.leases.remove(held.number)
        error = ENDS[how]
        model, caller = held.model, held.caller
        if isinstance(error, UpstreamRefused) and error.retry_after_s:
            expected.paused_until[model, caller] = self.now + error.retry_after_s
        current = [
            breaker
            for breaker in expected.breakers(model, caller)
            if held.generation >= breaker.generation
        ]
        fails = error is not None and counts_as_failure(error)
        if fails and error is not DEAD:
            expected.others.setdefault((model, ""), ExpectedBreaker(shared=True))
            expected.others.setdefault((model, caller), ExpectedBreaker())
        for breaker in current:
            if how == "succeed" or (breaker is expected.server and how not in ("drop", "dead")):
                breaker.close()
            elif breaker.trial == held.number and not (
                fails and (breaker is expected.server) is (error is DEAD)
            ):
                breaker.trial = None
        if fails:
            failed = [expected.server] if error is DEAD else expected.of_model(model, caller)
            for breaker in failed:
                expected.fail(breaker, caller, held.generation, self.now)
        if error is not None:
            held.lease.fail(error, self.now)
        elif how == "succeed":
            held.lease.succeed()
        else:
            held.lease.drop()

    @rule(held=held)
    def note_output(self, held: Held) -> None:
        expected = self.expected[held.lease.upstream]
        for breaker in expected.breakers(held.model, held.caller):
            if breaker.trial == held.number:
                breaker.close()
                breaker.failures = [] if breaker.shared else ["?"] * (FAILURES - 1)
        held.lease.note_output()

    @rule(model=st.sampled_from(["a1", "b"]), how=st.sampled_from(["500", "broke", "dead"]))
    def fail_for_all(self, model: str, how: str) -> None:
        for caller in ("x", "y", "z"):
            held = self.pick(model=model, caller=caller, tried=set())
            if isinstance(held, Held):
                self.end(held=held, how=how)

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
        for expected in self.expected.values():
            expected.forget(self.now)
        statuses = self.pool.statuses(self.now)
        assert [status[:6] for status in statuses] == [
            (
                *(name, expected.state(self.now), len(expected.leases), expected.healthy, False),
                expected.server.state(self.now) == "closed",
            )
            for name, expected in self.expected.items()
        ]
        assert [{m.model: m.callers is None for m in status.models} for status in statuses] == [
            expected.models_out(self.now) for expected in self.expected.values()
        ]
        assert self.pool.has_usable(self.now) is any(
            expected.healthy and expected.server.state(self.now) != "open"
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
TestAnyPool.settings = settings(stateful_step_count=40)
