"""Ways to cut a text, bytes or a list into pieces, for properties that no cut may change."""

import itertools
from collections.abc import Iterator
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T", str, bytes, list[Any])


def cut(whole: T, places: list[int]) -> list[T]:
    """The pieces between the places, which may repeat and be in any order."""
    at = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(at)]


def cuts_in_two(whole: T) -> Iterator[list[T]]:
    """Whole, one by one, and into two at every place."""
    yield [whole]
    yield [whole[i : i + 1] for i in range(len(whole))]
    for i in range(1, len(whole)):
        yield [whole[:i], whole[i:]]


def every_cut(whole: T) -> Iterator[list[T]]:
    """Whole, one by one, into two at every place, and into three at many."""
    yield from cuts_in_two(whole)
    step = max(1, len(whole) // 12)
    for i in range(0, len(whole), step):
        for j in range(i, len(whole), step):
            yield [whole[:i], whole[i:j], whole[j:]]


places = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)
