"""Checks how work grows with its size."""

import gc
from collections.abc import Callable
from time import process_time
from typing import TypeVar

T = TypeVar("T")

_LEAST_RUNS, _MOST_RUNS = 3, 7


def assert_grows(
    work: Callable[[T], object], smaller: T, larger: T, *, times: float, more_s: float = 0
) -> None:
    """Fails if the larger input takes more than so many times the smaller one's CPU time.

    more_s: what it may take beside. The fastest run of each counts, because other processes slow
    some runs down. Work that grows as it should is measured three times, and up to seven times only
    if the first runs do not show it. No garbage is collected meanwhile: a collection visits
    everything that the tests before have left in memory, and falls into the same input's runs each
    time.
    """
    runs: list[tuple[float, float]] = []
    gc.disable()
    try:
        while len(runs) < _MOST_RUNS:
            runs.append((_seconds(work, smaller), _seconds(work, larger)))
            one, other = map(min, zip(*runs, strict=True))
            if len(runs) >= _LEAST_RUNS and other < times * one + more_s:
                return
    finally:
        gc.enable()
    raise AssertionError(f"{other:.3f} s, after {one:.3f} s for the smaller input")


def _seconds(work: Callable[[T], object], given: T) -> float:
    began = process_time()
    work(given)
    return process_time() - began
