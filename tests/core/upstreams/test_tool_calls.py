"""Tool calls are told apart however servers number them."""

from typing import Any

import pytest

from gateway.core.events import ToolCallDelta
from tests.core.scripted import DONE, delta, finish, lines, make_turn, run


def piece(index: Any, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """An item of `tool_calls`; None: it has no such member."""
    function = {"name": name, "arguments": arguments}
    item = {"index": index, "id": id, "function": {k: v for k, v in function.items() if v}}
    return {k: v for k, v in item.items() if v is not None}


def events(*pieces: dict[str, Any], together: bool) -> list[dict[str, Any]]:
    """What the turn says of the pieces, which come in one read or in one each."""
    reads = [lines(delta(tool_calls=[item])) for item in pieces]
    reads.append(lines(finish("tool_calls"), DONE))
    said = run(make_turn(), *([[line for read in reads for line in read]] if together else reads))
    return [event.call for event in said if isinstance(event, ToolCallDelta)]


def called(*pieces: dict[str, Any], together: bool) -> list[tuple[str, str]]:
    """Name and arguments of each call, put together by the number of its pieces."""
    found: dict[int, tuple[str, str]] = {}
    for call in events(*pieces, together=together):
        name, arguments = found.get(call["index"], ("", ""))
        name += call["function"].get("name", "")
        found[call["index"]] = (name, arguments + call["function"].get("arguments", ""))
    assert list(found) == list(range(len(found))), "counted from 0, in the order of their beginning"
    return list(found.values())


TWO = [("f", '{"a":1}'), ("g", '{"b":2}')]


@pytest.mark.parametrize(
    "pieces",
    [
        # As it should be, one after the other and in turns.
        [
            piece(0, "x", "f", '{"a":'),
            piece(0, None, None, "1}"),
            piece(1, "y", "g", '{"b":'),
            piece(1, None, None, "2}"),
        ],
        [
            piece(0, "x", "f", '{"a":'),
            piece(1, "y", "g", '{"b":'),
            piece(0, None, None, "1}"),
            piece(1, None, None, "2}"),
        ],
        # Counted from 1.
        [piece(1, "x", "f", '{"a":1}'), piece(2, "y", "g", '{"b":2}')],
        # Without an index: a name begins a call, and an id says which one goes on.
        [
            piece(None, "x", "f", '{"a":'),
            piece(None, "y", "g", '{"b":'),
            piece(None, "x", None, "1}"),
            piece(None, "y", None, "2}"),
        ],
        [
            piece(None, "x", "f", '{"a":'),
            piece(None, None, None, "1}"),
            piece(None, "y", "g", '{"b":2}'),
        ],
        [piece(None, None, "f", '{"a":1}'), piece(None, None, "g", '{"b":2}')],
        # All with the same index, told apart by their ids.
        [
            piece(0, "x", "f", '{"a":1}'),
            piece(0, "y", "g", '{"b":'),
            piece(0, None, None, "2}"),
        ],
        # An id made up for each piece.
        [
            piece(0, "x", "f", '{"a":'),
            piece(0, "u", None, "1}"),
            piece(1, "y", "g", '{"b":'),
            piece(1, "v", None, "2}"),
        ],
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one read", "a read each"])
def test_two_calls(pieces: list[dict[str, Any]], together: bool) -> None:
    assert called(*pieces, together=together) == TWO


def test_a_piece_of_no_call_begins_one() -> None:
    assert called(piece(None, None, None, "{}"), together=True) == [("", "{}")]


def test_arguments_that_came_in_one_read_are_one_piece() -> None:
    begin = {"index": 0, "id": "x", "type": "function", "function": {"name": "f"}}
    again = {"index": 0, "id": None, "type": "function"}
    pieces = [{**again, "function": {"name": None, "arguments": text}} for text in '{"a":1}']
    whole = {**begin, "function": {"name": "f", "arguments": '{"a":1}'}}
    assert events(begin, *pieces, together=True) == [whole]
    assert len(events(begin, *pieces, together=False)) == 8


def test_what_else_a_piece_has_is_kept() -> None:
    signed = {**piece(0, None, None, "}"), "extra_content": {"signature": "s"}}
    odd = [{"index": 0, "function": 1}, {"index": 0, "function": {"arguments": 1}}, {"index": 0}]
    pieces = [piece(0, "x", "f", "{"), signed, *odd]
    assert events(*pieces, together=True) == pieces
