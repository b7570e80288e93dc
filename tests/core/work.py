"""Measures how work grows with its size."""

import gc
from collections.abc import Callable
from time import process_time
from typing import TypeVar

T = TypeVar("T")

_RUNS = 7


def fastest(work: Callable[[T], object], *inputs: T) -> list[float]:
    """Returns the CPU seconds that the fastest run took for each input, measured in turn.

    Other processes slow some runs down. Collections of garbage are held back: they visit everything
    that the tests before have left in memory, and fall into the same input's runs each time.
    """
    gc.collect()
    gc.disable()
    try:
        rounds = [[_seconds(work, given) for given in inputs] for _ in range(_RUNS)]
    finally:
        gc.enable()
    return [min(times) for times in zip(*rounds, strict=True)]


def _seconds(work: Callable[[T], object], given: T) -> float:
    began = process_time()
    work(given)
    return process_time() - began
