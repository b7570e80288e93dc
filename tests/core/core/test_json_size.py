"""JSON texts with too many values are recognized before they are decoded."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import json_size
from gateway.core.json_size import has_too_many_values
from tests.core.work import assert_grows

LIMIT = 50
VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a",[{}]:\\\n', max_size=80),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=100,
)


def values_in(value: Any) -> int:
    if isinstance(value, list):
        return 1 + sum(map(values_in, value))
    if isinstance(value, dict):
        return 1 + sum(map(values_in, value.values()))
    return 1


def strings_in(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(strings_in, value))
    if isinstance(value, dict):
        return len(value) + sum(map(strings_in, value.values()))
    return isinstance(value, str)


@given(VALUES)
def test_texts_count_as_one_value_whatever_they_hold(value: Any) -> None:
    data = json.dumps(value, separators=(",", ":")).encode()
    if values_in(value) > 2 * LIMIT + 1:
        assert has_too_many_values(data, LIMIT)
    if 2 * values_in(value) <= LIMIT and strings_in(value) <= LIMIT:
        assert not has_too_many_values(data, LIMIT)


@given(VALUES, st.integers(1, 20))
def test_the_slices_of_a_text_change_nothing(value: Any, size: int) -> None:
    data = json.dumps(value, separators=(",", ":")).encode()
    pauses: list[None] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_size, "_SLICE_BYTES", size)
        found = has_too_many_values(data, LIMIT, lambda: pauses.append(None))
    assert found == has_too_many_values(data, LIMIT)
    if not found and len(data) > LIMIT:
        assert len(pauses) == -(-len(data) // size)


SHAPES: dict[str, Callable[[int], bytes]] = {
    "empty lists": lambda size: b"[" + b"[]," * (size // 3) + b"1]",
    "strings": lambda size: b"[" + b'"",' * (size // 3) + b"1]",
    "commas in a text": lambda size: b'"' + b"," * size + b'"',
    "quotes in a text": lambda size: b'"' + b'\\"' * (size // 2) + b'"',
    "backslashes in a text": lambda size: b'"' + b"\\\\," * (size // 3) + b'"',
    "an open text": lambda size: b'["' + b'\\",' * (size // 3),
}


@pytest.mark.work
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_bytes_take_twice_the_time(shape: str) -> None:
    make = SHAPES[shape]
    half, whole = make(2_000_000), make(4_000_000)
    assert_grows(has_too_many_values, half, whole, times=3.5, more_s=0.002)
