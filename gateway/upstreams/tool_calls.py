"""Tool calls in pieces: which call a piece belongs to, and pieces put together."""

from collections.abc import Sequence
from typing import Any

_OF_ARGUMENTS = frozenset({"index", "id", "type", "function"})
"""The members of a piece that brings no more than arguments."""


class Calls:
    """Numbers the tool calls of one answer from 0.

    Servers should put the number into `index`. Some leave it out, and some give calls that come
    side by side the same one, and tell them apart by their ids. Some make up an id for each piece,
    so that a new id alone begins no call: its name must be there too.
    """

    def __init__(self) -> None:
        self._ids: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._last: int | None = None

    def number(self, call: dict[str, Any]) -> dict[str, Any]:
        """The piece with its call's number as its index."""
        index, id, function = call.get("index"), call.get("id"), call.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        if isinstance(index, int):
            number = self._numbers.get(index)
            if number is not None and named and id and id != self._ids[number]:
                number = None
        elif id and id in self._ids:
            number = self._ids.index(id)
        else:
            number = None if named else self._last
        if number is None:
            number = len(self._ids)
            self._ids.append(id)
        if isinstance(index, int):
            self._numbers[index] = number
        self._last = number
        return call if index == number else {**call, "index": number}


def join_calls(pieces: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same calls with neighbouring pieces of one call's arguments as one."""
    runs: list[list[dict[str, Any]]] = []
    for piece in pieces:
        if runs and piece["index"] == runs[-1][0]["index"] and _can_join(runs[-1][0], piece):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    return [_joined(run) if len(run) > 1 else run[0] for run in runs]


def _can_join(first: dict[str, Any], piece: dict[str, Any]) -> bool:
    """Does a piece only bring arguments, to one that has a place for them?"""
    function = piece.get("function")
    return (
        isinstance(function, dict)
        and isinstance(function.get("arguments"), str)
        and not function.get("name")
        and not piece.get("id")
        and piece.keys() <= _OF_ARGUMENTS
        and isinstance(first.get("function"), dict)
        and isinstance(first["function"].get("arguments", ""), str)
    )


def _joined(run: list[dict[str, Any]]) -> dict[str, Any]:
    arguments = "".join(piece["function"].get("arguments", "") for piece in run)
    return {**run[0], "function": {**run[0]["function"], "arguments": arguments}}
