"""Which call a piece of a tool call belongs to."""

from typing import Any


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
