"""Checks how work grows with its size."""

import gc
from collections.abc import Callable
from time import process_time
from typing import TypeVar

T = TypeVar("T")

_MOST_RUNS = 7
_MARGIN = 0.8


def assert_grows(
    work: Callable[[T], object], smaller: T, larger: T, *, times: float, more_s: float = 0
) -> None:
    """Fails if the larger input takes more than so many times the smaller one's CPU time.

    more_s: what it may take beside. The fastest run of each counts, because other processes slow
    some runs down. The first run has to show with a margin that the work grows as it should; else
    more runs follow, up to seven. The larger input comes first: what only a first run takes counts
    against it. No garbage is collected meanwhile: a collection visits everything that the tests
    before have left in memory, and falls into the same input's runs each time.
    """
    runs: list[tuple[float, float]] = []
    gc.disable()
    try:
        while len(runs) < _MOST_RUNS:
            runs.append((_seconds(work, larger), _seconds(work, smaller)))
            other, one = map(min, zip(*runs, strict=True))
            if other < times * one * (_MARGIN if len(runs) == 1 else 1) + more_s:
                return
    finally:
        gc.enable()
    raise AssertionError(f"{other:.3f} s, after {one:.3f} s for the smaller input")


def _seconds(work: Callable[[T], object], given: T) -> float:
    began = process_time()
    work(given)
    return process_time() - began
