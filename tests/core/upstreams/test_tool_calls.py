"""Tool calls are told apart, however servers number them."""

from typing import Any

import pytest

from gateway.core.events import ToolCallDelta
from tests.core.scripted import DONE, delta, finish, lines, make_turn, run


def call_delta(index: Any, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """An item of a `tool_calls` list. A member that is None is left out."""
    function = {"name": name, "arguments": arguments}
    item = {"index": index, "id": id, "function": {k: v for k, v in function.items() if v}}
    return {k: v for k, v in item.items() if v is not None}


def deltas_out(*deltas: dict[str, Any], one_read: bool) -> list[dict[str, Any]]:
    """The deltas of the turn's events, for deltas that arrive in one read or in one read each."""
    reads = [lines(delta(tool_calls=[item])) for item in deltas]
    reads.append(lines(finish("tool_calls"), DONE))
    events = run(make_turn(), *([[line for read in reads for line in read]] if one_read else reads))
    return [event.call for event in events if isinstance(event, ToolCallDelta)]


def calls_out(*deltas: dict[str, Any], one_read: bool) -> list[tuple[str, str]]:
    """The name and arguments of each call, put together by index as a client does."""
    calls: dict[int, tuple[str, str]] = {}
    for item in deltas_out(*deltas, one_read=one_read):
        name, arguments = calls.get(item["index"], ("", ""))
        name += item["function"].get("name", "")
        calls[item["index"]] = (name, arguments + item["function"].get("arguments", ""))
    assert list(calls) == list(range(len(calls))), "indexes count from 0, in order"
    return list(calls.values())


TWO = [("f", '{"a":1}'), ("g", '{"b":2}')]


@pytest.mark.parametrize(
    "deltas",
    [
        # As specified, one call after the other and interleaved.
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(0, None, None, "1}"),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(1, None, None, "2}"),
        ],
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(0, None, None, "1}"),
            call_delta(1, None, None, "2}"),
        ],
        # Counted from 1.
        [call_delta(1, "x", "f", '{"a":1}'), call_delta(2, "y", "g", '{"b":2}')],
        # Without an index: a name begins a call, and an id continues one.
        [
            call_delta(None, "x", "f", '{"a":'),
            call_delta(None, "y", "g", '{"b":'),
            call_delta(None, "x", None, "1}"),
            call_delta(None, "y", None, "2}"),
        ],
        [
            call_delta(None, "x", "f", '{"a":'),
            call_delta(None, None, None, "1}"),
            call_delta(None, "y", "g", '{"b":2}'),
        ],
        [call_delta(None, None, "f", '{"a":1}'), call_delta(None, None, "g", '{"b":2}')],
        # The same index for all, with different ids.
        [
            call_delta(0, "x", "f", '{"a":1}'),
            call_delta(0, "y", "g", '{"b":'),
            call_delta(0, None, None, "2}"),
        ],
        # A new id for each delta.
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(0, "u", None, "1}"),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(1, "v", None, "2}"),
        ],
    ],
)
@pytest.mark.parametrize("one_read", [True, False], ids=["one read", "a read each"])
def test_two_calls(deltas: list[dict[str, Any]], one_read: bool) -> None:
    assert calls_out(*deltas, one_read=one_read) == TWO


def test_a_delta_without_a_call_begins_one() -> None:
    assert calls_out(call_delta(None, None, None, "{}"), one_read=True) == [("", "{}")]


def test_arguments_from_one_read_are_joined_into_one_delta() -> None:
    begin = {"index": 0, "id": "x", "type": "function", "function": {"name": "f"}}
    again = {"index": 0, "id": None, "type": "function"}
    deltas = [{**again, "function": {"name": None, "arguments": text}} for text in '{"a":1}']
    whole = {**begin, "function": {"name": "f", "arguments": '{"a":1}'}}
    assert deltas_out(begin, *deltas, one_read=True) == [whole]
    assert len(deltas_out(begin, *deltas, one_read=False)) == 8


def test_deltas_with_other_members_are_not_joined() -> None:
    signed = {**call_delta(0, None, None, "}"), "extra_content": {"signature": "s"}}
    odd = [{"index": 0, "function": 1}, {"index": 0, "function": {"arguments": 1}}, {"index": 0}]
    deltas = [call_delta(0, "x", "f", "{"), signed, *odd]
    assert deltas_out(*deltas, one_read=True) == deltas
