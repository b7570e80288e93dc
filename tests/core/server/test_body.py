"""The limit on the bodies that are read at the same time."""

from io import BytesIO

import pytest

from gateway.errors import BadRequest, Full
from gateway.server.body import BodyBudget, read_body

KIB = 1024


def read(body: bytes, budget: BodyBudget, length: int | None = None) -> bytes:
    with budget.hold() as grow:
        return read_body(BytesIO(body), length or len(body), 10**9, 5, grow)


def test_bodies_are_read_one_after_the_other_without_end() -> None:
    budget = BodyBudget(1000 * KIB)
    for _ in range(5):
        assert len(read(b"x" * 800 * KIB, budget)) == 800 * KIB


def test_a_body_is_refused_while_others_hold_the_memory() -> None:
    budget = BodyBudget(1000 * KIB)
    with budget.hold() as grow:
        grow(800 * KIB)
        with pytest.raises(Full) as refused:
            read(b"x" * 400 * KIB, budget)
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
    assert len(read(b"x" * 400 * KIB, budget)) == 400 * KIB


def test_small_bodies_are_always_read() -> None:
    budget = BodyBudget(1000 * KIB)
    with budget.hold() as grow:
        grow(1064 * KIB)
        assert len(read(b"x" * 64 * KIB, budget)) == 64 * KIB


def test_what_has_not_arrived_does_not_count() -> None:
    budget = BodyBudget(1000 * KIB)
    with pytest.raises(BadRequest):
        read(b"x" * 70 * KIB, budget, 10**8)
    assert len(read(b"x" * 1000 * KIB, budget)) == 1000 * KIB
