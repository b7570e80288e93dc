"""Tool-call deltas: which call a delta belongs to, what it adds, and joining deltas.

A delta is one item of a `tool_calls` list in a stream.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.core.json_depth import JsonDepth

MAX_CALLS = 1000
"""The most calls in one answer; each becomes an event of its own."""
_MAX_NAME_CHARS = 1000
"""A longer name is not compared any more."""
_MEMBERS_OF_ARGUMENTS = frozenset({"index", "id", "type", "function"})
"""A delta that only adds arguments has no other members."""
_OTHER_ARGUMENTS = ("parameters", "input", "args")
"""Other names of the arguments, where a function has none of that name."""
_FUNCTION = ("name", "arguments", *_OTHER_ARGUMENTS)
"""Members that some servers put into the call itself, without a `function`."""
_EMPTY_OBJECT = "{}"
_MAX_INDEX_DIGITS = 9
_MAX_HELD_CHARS = 1000
"""Arguments without a name wait for it up to this length."""


class ToolCallReader:
    """Gives each delta of one answer the index of its call, counted from 0.

    It also takes out what a delta only repeats, at which clients would put a wrong call together:
    an empty id or type, any id but the first, the name so far, and the whole arguments.

    `index` should identify the call, but servers differ:

    - Some send no index. A name begins a call, an id that was seen before continues that call, and
      any other delta continues the last one.
    - Some send parallel calls with the same index, and with different ids or none.
    - Some make up an id for each delta. So a new id begins a call only along with a name, and not
      while the arguments of a call with this name are incomplete.

    Some begin the arguments with an empty object in place of nothing. So an empty object waits for
    the end of the answer: other arguments that follow take its place.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}  # the server's index
        self._by_id: dict[str, _Call] = {}
        self._last: _Call | None = None

    @property
    def has_too_many(self) -> bool:
        """More calls than any model makes in one answer."""
        return len(self._calls) > MAX_CALLS

    @property
    def is_within_arguments(self) -> bool:
        """The arguments of a call have begun and not ended."""
        return any(call.length and not call.is_whole() for call in self._calls)

    def read(self, delta: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the delta as OpenAI would send it, or None if it says nothing now."""
        read = _in_openais_form(delta)
        index, id, name = read.get("index"), read.get("id"), _name_of(read)
        call = self._find(index, id, name, _arguments_of(read))
        if call is None:
            if not _says_something(read):
                return None
            call = _Call(len(self._calls))
            self._calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        if id and call.id is None:
            self._by_id.setdefault(id, call)
        self._last = call
        return call.add(read)

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yields what is left of the calls."""
        for call in self._calls:
            yield from call.finish()

    def _find(self, index: Any, id: str | None, name: str, arguments: str) -> "_Call | None":
        """Returns the call that a delta belongs to; None: it begins one."""
        if isinstance(index, int):
            call = self._by_index.get(index)
        elif id and id in self._by_id:
            call = self._by_id[id]
        elif name:
            call = self._last
            return call if call and not id and call.is_continued_by(name) else None
        else:
            return self._last
        return None if call and name and call.is_followed_by(id, name, arguments) else call


class _Call:
    """What one call has said so far."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id: str | None = None
        self.length = 0
        """Of the arguments."""
        self._name = ""
        self._has_type = False
        self._has_empty_object = False
        """It has sent an empty object, which other arguments may follow."""
        self._arguments: list[str] = []
        self._held: dict[str, Any] | None = None
        """What came before its name."""
        self._searched = 0
        """Pieces of the arguments in which the brackets are counted."""
        self._depth = JsonDepth()

    def is_continued_by(self, name: str) -> bool:
        """Whether the name is repeated in the middle of the arguments."""
        return self._repeats(name) and self.length > 0 and not self.is_whole()

    def is_followed_by(self, id: str | None, name: str, arguments: str) -> bool:
        """Whether a delta with a name begins another call, though it has this one's index or id."""
        if not self._name:
            return False
        if id and id != self.id:
            return not self.is_continued_by(name)
        if not (self._has_empty_object or self.is_whole()):
            return False
        if not self._repeats(name):
            return True
        return bool(arguments and self.length) and not self._repeats_arguments(arguments)

    def is_whole(self) -> bool:
        """Whether the arguments are a whole object or list, by their brackets."""
        for piece in self._arguments[self._searched :]:
            self._depth.add(piece)
        self._searched = len(self._arguments)
        return self.length > 0 and self._depth.depth == 0 and not self._depth.in_string

    def add(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """Returns what the delta adds, or None if it is held until the call has a name."""
        if self._held is not None:
            delta, self._held = _with_held(self._held, delta), None
        is_short = len(_arguments_of(delta)) < _MAX_HELD_CHARS
        if not self._name and not _name_of(delta) and is_short:
            self._held = delta
            return None
        if (id := delta.get("id")) is not None:
            if self.id is not None:
                del delta["id"]
            self.id = self.id or id
        if "type" in delta:
            if self._has_type:
                del delta["type"]
            self._has_type = True
        self._take_name(delta)
        self._take_arguments(delta)
        delta["index"] = self.number
        return delta

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yields what is left."""
        if self._held is not None:
            held, self._held = self._held, None
            self._take_arguments(held)
            yield {**held, "index": self.number}
        if not self.length and self._has_empty_object:
            self.length = 2
            yield {"index": self.number, "function": {"arguments": "{}"}}

    def _take_name(self, delta: dict[str, Any]) -> None:
        name = _name_of(delta)
        if not name:
            return
        if self._repeats(name):
            called = delta["function" if isinstance(delta.get("function"), dict) else "custom"]
            called["name"] = name[len(self._name) :]
            self._name = name
            if not called["name"]:
                del called["name"]
        elif len(self._name) < _MAX_NAME_CHARS:
            self._name += name

    def _take_arguments(self, delta: dict[str, Any]) -> None:
        if not (arguments := _arguments_of(delta)):
            return
        if not self.length and arguments.strip() == _EMPTY_OBJECT:
            self._has_empty_object = True
        elif self._repeats_arguments(arguments):
            pass
        else:
            self._arguments.append(arguments)
            self.length += len(arguments)
            return
        delta["function"]["arguments"] = ""

    def _repeats(self, name: str) -> bool:
        """Whether a name is the name so far, or begins with it as where a server sends it whole."""
        return self._name != "" and name.startswith(self._name)

    def _repeats_arguments(self, arguments: str) -> bool:
        same = len(arguments) == self.length and arguments == "".join(self._arguments)
        return same and self.is_whole()


def _clean(function: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a `function` or `custom` without empty members, its arguments or its input as text.

    Some servers send the arguments as the object itself.
    """
    cleaned = {name: value for name, value in function.items() if value is not None}
    if cleaned.get("name") == "":
        del cleaned["name"]
    for name in ("arguments", "input"):
        if not isinstance(value := cleaned.get(name, ""), str):
            cleaned[name] = json.dumps(value)
    return cleaned


def _in_openais_form(delta: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy without empty members: the id a text, the index a number if it can be one."""
    cleaned = {
        name: value
        for name, value in delta.items()
        if value is not None and not (value == "" and name in ("id", "type"))
    }
    if cleaned.keys().isdisjoint(("function", "custom")) and not cleaned.keys().isdisjoint(
        _FUNCTION
    ):
        cleaned["function"] = {name: cleaned.pop(name) for name in _FUNCTION if name in cleaned}
        cleaned["type"] = "function"
    if isinstance(function := cleaned.get("function"), dict):
        cleaned["function"] = _clean(_renamed(function))
    if isinstance(custom := cleaned.get("custom"), dict):
        cleaned["custom"] = _clean(custom)
    if "id" in cleaned:
        cleaned["id"] = str(cleaned["id"])
    match cleaned.get("index"):
        case str(text) if text.isdecimal():
            cleaned["index"] = int(text[:_MAX_INDEX_DIGITS])
        case float(number) if number.is_integer():
            cleaned["index"] = int(number)
    return cleaned


def _renamed(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a function with its arguments by that name."""
    if function.get("arguments") is None:
        for name in _OTHER_ARGUMENTS:
            if (arguments := function.get(name)) is not None:
                others = {member: value for member, value in function.items() if member != name}
                return {**others, "arguments": arguments}
    return function


def _says_something(delta: Mapping[str, Any]) -> bool:
    """Whether a delta can begin a call; some servers send empty ones in every chunk."""
    if delta.keys() <= {"index", "type", "function"}:
        return bool(_name_of(delta) or _arguments_of(delta))
    return True


def _name_of(delta: Mapping[str, Any]) -> str:
    for kind in ("function", "custom"):
        called = delta.get(kind)
        if isinstance(called, dict) and isinstance(called.get("name"), str):
            return str(called["name"])
    return ""


def _arguments_of(delta: Mapping[str, Any]) -> str:
    function = delta.get("function")
    return str(function.get("arguments", "")) if isinstance(function, dict) else ""


def _with_held(held: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """Returns one delta for two, the arguments joined."""
    first, second = held.get("function"), delta.get("function")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return {**held, **delta}
    arguments = _arguments_of(held) + _arguments_of(delta)
    return {**held, **delta, "function": {**first, **second, "arguments": arguments}}


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
