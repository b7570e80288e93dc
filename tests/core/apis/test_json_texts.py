"""JSON in texts: checked without an object for each value, and complete when it is."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis.json_texts import ObjectPieces, is_json, is_object, parse_object
from gateway.core.json_size import MAX_VALUES

TEXTS = st.text('a"\\{}[]\n\u2028', max_size=5)
VALUES = st.none() | TEXTS | st.lists(TEXTS, max_size=3) | st.dictionaries(TEXTS, TEXTS, max_size=3)


@pytest.mark.parametrize("text", ['{"a": [1, "\\ud83d"]}', ' {"a": "\\\\ud83d"} ', '{"\ud83d": 1}'])
def test_lone_surrogates_are_json(text: str) -> None:
    assert is_object(text)


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', '{"a": 1} x', "{'a': 1}", '{"a":' * 5000])
def test_what_is_no_json(text: str) -> None:
    assert not is_json(text)


def test_a_list_is_no_object() -> None:
    assert is_json("[1]")
    assert not is_object("[1]")
    assert parse_object("[1]") is None


def test_checking_makes_no_object_of_a_value() -> None:
    text = '{"a": [' + "{}," * 300_000 + "{}]}"
    tracemalloc.start()
    try:
        assert is_object(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(text)


def test_an_object_with_too_many_values_is_not_read() -> None:
    assert parse_object('{"a": [' + "{}," * MAX_VALUES + "{}]}") is None


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.integers(1, 5), st.booleans())
def test_an_object_is_complete_with_its_last_piece(
    value: dict[str, object], size: int, ascii: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii)
    pieces = ObjectPieces()
    for at in range(0, len(text), size):
        assert not pieces.is_complete()
        pieces.append(text[at : at + size])
    assert pieces.is_complete()
    assert pieces.text() == text


@pytest.mark.parametrize("pieces", [["{}", "{}"], ["}", "{"], ["[", "]"], ['"{', '}"'], ["{", "]"]])
def test_what_is_no_object_is_never_complete(pieces: list[str]) -> None:
    found = ObjectPieces()
    for piece in pieces:
        found.append(piece)
    assert not found.is_complete()
