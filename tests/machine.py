"""Time limits of tests, for a machine of any speed.

A test states its limit for a quiet machine of two cores. A slower or busier machine gets more time:
as much more as it needs for a fixed piece of work, measured when the limit is checked.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_S = 60.0
"""How long a test waits for what must happen. It limits a hang, and costs nothing otherwise."""

REFERENCE_S = 0.008
"""How long the fixed piece of work takes on a quiet machine."""

MARGIN = 2.0
"""A limit allows for this much bad luck beside the slowness."""


def allowed(seconds: float) -> float:
    """Returns a limit for this machine, from the one for a quiet machine. Any unit will do."""
    return seconds * MARGIN * slowness()


def slowness() -> float:
    """Returns how many times longer this machine takes at present. At least 1.

    The larger of a few measurements counts: on a busy machine a short one may find a free core.
    """
    return max(1.0, *(_work_s() / REFERENCE_S for _ in range(3)))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails if the block takes longer than this on the wall clock."""
    with _limited(seconds, time.monotonic, "s"):
        yield


@contextmanager
def cpu_within(seconds: float) -> Iterator[None]:
    """Fails if the block takes more CPU time of this process than this."""
    with _limited(seconds, time.process_time, "s of CPU time"):
        yield


@contextmanager
def _limited(seconds: float, clock: Callable[[], float], unit: str) -> Iterator[None]:
    before = slowness()
    began = clock()
    yield
    took = clock() - began
    limit = seconds * MARGIN * max(before, slowness())
    assert took < limit, f"took {took:.3f} {unit}, of {limit:.3f} allowed on this machine"


def _work_s() -> float:
    """Does the fixed piece of work: integers, strings and a dict, as most of our code does."""
    began = time.perf_counter()
    seen: dict[str, int] = {}
    for number in range(80_000):
        key = str(number % 977)
        seen[key] = seen.get(key, 0) + number
    return time.perf_counter() - began
