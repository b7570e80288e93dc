"""Tool-call deltas: which call a delta belongs to, what it adds, and joining deltas.

A delta is one item of a `tool_calls` list in a stream.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_CALLS = 1000
"""The most calls in one answer; each becomes an event of its own."""
_MAX_NAME_CHARS = 1000
"""A longer name is not compared any more."""
_MEMBERS_OF_ARGUMENTS = frozenset({"index", "id", "type", "function"})
"""A delta that only adds arguments has no other members."""


def clean_function(function: Mapping[str, Any]) -> dict[str, Any]:
    """A `function`, `function_call` or `custom` without empty members, its arguments as text.

    Some servers send the arguments as the object itself.
    """
    cleaned = {name: value for name, value in function.items() if value is not None}
    if cleaned.get("name") == "":
        del cleaned["name"]
    arguments = cleaned.get("arguments", "")
    if not isinstance(arguments, str):
        cleaned["arguments"] = json.dumps(arguments)
    return cleaned


class ToolCallIndexer:
    """Gives each delta of one answer the index of its call, counted from 0.

    It also takes out what a delta only repeats: some servers send the name in every delta, or empty
    ids and types, at which clients would put a wrong call together.

    `index` should identify the call, but servers differ:

    - Some send no index. A name begins a call, an id that was seen before continues that call, and
      any other delta continues the last one.
    - Some send parallel calls with the same index and different ids.
    - Some make up an id for each delta. So a new id begins a call only along with a name.
    """

    def __init__(self) -> None:
        self._ids: list[Any] = []  # of the calls, in their order
        self._call_of_id: dict[Any, int] = {}
        self._names: list[str] = []  # so far
        self._calls: dict[int, int] = {}  # the server's index → ours
        self._last: int | None = None

    @property
    def has_too_many(self) -> bool:
        """More calls than any model makes in one answer."""
        return len(self._ids) > MAX_CALLS

    def with_index(self, delta: dict[str, Any]) -> dict[str, Any]:
        """The delta with the index of its call."""
        delta = _without_empty_members(delta)
        index, id = delta.get("index"), delta.get("id")
        name = _name_of(delta)
        named = bool(name)
        if isinstance(index, int):
            call = self._calls.get(index)
            if call is not None and named and id and id != self._ids[call]:
                call = None
        elif id and (known := self._call_of_id.get(_hashable(id))) is not None:
            call = known
        else:
            call = None if named else self._last
        if call is None:
            call = len(self._ids)
            self._ids.append(id)
            self._names.append("")
        elif self._ids[call] is None:
            self._ids[call] = id
        if id and self._ids[call] == id:
            self._call_of_id.setdefault(_hashable(id), call)
        if isinstance(index, int):
            self._calls[index] = call
        self._last = call
        if name and name == self._names[call]:
            delta = _without_name(delta)
        elif len(self._names[call]) < _MAX_NAME_CHARS:
            self._names[call] += name
        return delta if index == call else {**delta, "index": call}


def _hashable(id: Any) -> Any:
    return id if isinstance(id, str | int) else str(id)


def _without_empty_members(delta: dict[str, Any]) -> dict[str, Any]:
    cleaned = {
        name: value
        for name, value in delta.items()
        if value is not None and not (value == "" and name in ("id", "type"))
    }
    for kind in ("function", "custom"):
        if isinstance(cleaned.get(kind), dict):
            cleaned[kind] = clean_function(cleaned[kind])
    return cleaned


def _name_of(delta: Mapping[str, Any]) -> str:
    for kind in ("function", "custom"):
        called = delta.get(kind)
        if isinstance(called, dict) and isinstance(called.get("name"), str):
            return str(called["name"])
    return ""


def _without_name(delta: dict[str, Any]) -> dict[str, Any]:
    kind = "function" if _name_of({"function": delta.get("function")}) else "custom"
    called = {name: value for name, value in delta[kind].items() if name != "name"}
    return {**delta, kind: called}


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
