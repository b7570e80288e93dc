"""Tool-call deltas: which call a delta belongs to, and joining deltas.

A delta is one item of a `tool_calls` list in a stream.
"""

from collections.abc import Sequence
from typing import Any

_MEMBERS_OF_ARGUMENTS = frozenset({"index", "id", "type", "function"})
"""A delta that only adds arguments has no other members."""


class ToolCallIndexer:
    """Gives each delta of one answer the index of its call, counted from 0.

    `index` should identify the call, but servers differ:

    - Some send no index. A name begins a call, an id that was seen before continues that call, and
      any other delta continues the last one.
    - Some send parallel calls with the same index and different ids.
    - Some make up an id for each delta. So a new id begins a call only along with a name.
    """

    def __init__(self) -> None:
        self._ids: list[Any] = []  # of the calls, in their order
        self._calls: dict[int, int] = {}  # the server's index → ours
        self._last: int | None = None

    def with_index(self, delta: dict[str, Any]) -> dict[str, Any]:
        """The delta with the index of its call."""
        index, id, function = delta.get("index"), delta.get("id"), delta.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        if isinstance(index, int):
            call = self._calls.get(index)
            if call is not None and named and id and id != self._ids[call]:
                call = None
        elif id and id in self._ids:
            call = self._ids.index(id)
        else:
            call = None if named else self._last
        if call is None:
            call = len(self._ids)
            self._ids.append(id)
        if isinstance(index, int):
            self._calls[index] = call
        self._last = call
        return delta if index == call else {**delta, "index": call}


def join_deltas(deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same calls in fewer deltas: neighbours that only add arguments to one call are joined."""
    runs: list[list[dict[str, Any]]] = []
    for delta in deltas:
        if runs and delta["index"] == runs[-1][0]["index"] and _can_join(runs[-1][0], delta):
            runs[-1].append(delta)
        else:
            runs.append([delta])
    return [_joined(run) if len(run) > 1 else run[0] for run in runs]


def _can_join(first: dict[str, Any], delta: dict[str, Any]) -> bool:
    """Whether a delta adds nothing but arguments, and the first of its run can take them."""
    function = delta.get("function")
    return (
        isinstance(function, dict)
        and isinstance(function.get("arguments"), str)
        and not function.get("name")
        and not delta.get("id")
        and delta.keys() <= _MEMBERS_OF_ARGUMENTS
        and isinstance(first.get("function"), dict)
        and isinstance(first["function"].get("arguments", ""), str)
    )


def _joined(run: list[dict[str, Any]]) -> dict[str, Any]:
    arguments = "".join(delta["function"].get("arguments", "") for delta in run)
    return {**run[0], "function": {**run[0]["function"], "arguments": arguments}}
