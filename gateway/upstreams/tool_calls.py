"""Tool-call deltas: finds the call of a delta, removes repetitions, and joins deltas.

A delta is one item of a `tool_calls` list in a stream.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.core.json_depth import JsonDepth

MAX_CALLS = 1000
"""The most calls in one answer. Each becomes its own event."""
_MAX_NAME_CHARS = 1000
"""A name that grows beyond this is no longer compared with later ones."""
_MEMBERS_OF_ARGUMENTS = frozenset({"index", "id", "type", "function"})
"""The only members of a delta that only adds arguments."""
_OTHER_ARGUMENTS = ("parameters", "input", "args")
"""Other names of a function's member `arguments`."""
_FUNCTION = ("name", "arguments", *_OTHER_ARGUMENTS)
"""Members that some servers put into the call itself, without a `function`."""
_EMPTY_OBJECT = "{}"
_MAX_INDEX_DIGITS = 9
_MAX_HELD_CHARS = 1000
"""A call whose name has not arrived is held while its arguments are shorter than this."""


class ToolCallReader:
    """Gives each delta of one answer the index of its call, counted from 0.

    It also removes repetitions, because clients append each delta to the call: an empty id or type,
    any id after the first, the name so far, and the complete arguments.

    `index` should identify the call, but servers differ:

    - Some send no index. A name begins a call, an id that was seen before continues that call, and
      any other delta continues the last one.
    - Some send parallel calls with the same index, and with different ids or none.
    - Some make up a new id for each delta. So a new id begins a call only together with a name, and
      not while the arguments of a call with that name are incomplete.

    Some send an empty object before the real arguments. So an empty object is held until the end of
    the answer, and is dropped if other arguments follow.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}  # the server's index
        self._by_id: dict[str, _Call] = {}
        self._last: _Call | None = None

    @property
    def has_too_many(self) -> bool:
        """The answer has more than MAX_CALLS calls."""
        return len(self._calls) > MAX_CALLS

    @property
    def is_within_arguments(self) -> bool:
        """The arguments of a call have begun and not ended."""
        return any(call.length and not call.is_complete() for call in self._calls)

    def read(self, delta: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the delta as OpenAI would send it, or None if it adds nothing or is held."""
        read = _in_openais_form(delta)
        index, id, name = read.get("index"), read.get("id"), _name_of(read)
        call = self._find(index, id, name, _arguments_of(read))
        if call is None:
            if not _can_begin_call(read):
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
        """Yields the deltas that were held, at the end of the answer."""
        for call in self._calls:
            yield from call.finish()

    def _find(self, index: Any, id: str | None, name: str, arguments: str) -> "_Call | None":
        """Returns the call that a delta belongs to; None: it begins a new call."""
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
    """One call, with its deltas so far."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id: str | None = None
        self.length = 0
        """The number of characters of the arguments."""
        self._name = ""
        self._has_type = False
        self._has_empty_object = False
        """An empty object was sent and is held; other arguments may follow."""
        self._arguments: list[str] = []
        self._held: dict[str, Any] | None = None
        """The deltas before the name, joined to one."""
        self._searched = 0
        """The number of pieces of the arguments whose brackets are counted."""
        self._depth = JsonDepth()

    def is_continued_by(self, name: str) -> bool:
        """Whether a delta with this name only repeats it, in the middle of the arguments."""
        return self._repeats(name) and self.length > 0 and not self.is_complete()

    def is_followed_by(self, id: str | None, name: str, arguments: str) -> bool:
        """Whether a delta with a name begins another call, although it has the same index or id."""
        if not self._name:
            return False
        if id and id != self.id:
            return not self.is_continued_by(name)
        if not (self._has_empty_object or self.is_complete()):
            return False
        if not self._repeats(name):
            return True
        return bool(arguments and self.length) and not self._repeats_arguments(arguments)

    def is_complete(self) -> bool:
        """Whether all brackets of the arguments are closed."""
        for piece in self._arguments[self._searched :]:
            self._depth.add(piece)
        self._searched = len(self._arguments)
        return self.length > 0 and self._depth.depth == 0 and not self._depth.in_string

    def add(self, delta: dict[str, Any]) -> dict[str, Any] | None:
        """Returns the delta without repetitions; None if it is held until the call has a name."""
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
        """Yields the deltas that were held, at the end of the answer."""
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
        """Whether a name begins with the name so far: some servers send the whole name again."""
        return self._name != "" and name.startswith(self._name)

    def _repeats_arguments(self, arguments: str) -> bool:
        same = len(arguments) == self.length and arguments == "".join(self._arguments)
        return same and self.is_complete()


def _clean(function: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a `function` or `custom` without empty members.

    Its arguments or its input are a text: some servers send an object.
    """
    cleaned = {name: value for name, value in function.items() if value is not None}
    if cleaned.get("name") == "":
        del cleaned["name"]
    for name in ("arguments", "input"):
        if not isinstance(value := cleaned.get(name, ""), str):
            cleaned[name] = json.dumps(value)
    return cleaned


def _in_openais_form(delta: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a delta in the form of OpenAI's API.

    It has no empty members. The id is a text, and the index a number if it can be one.
    """
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
    """Returns a function with its arguments in the member `arguments`."""
    if function.get("arguments") is None:
        for name in _OTHER_ARGUMENTS:
            if (arguments := function.get(name)) is not None:
                others = {member: value for member, value in function.items() if member != name}
                return {**others, "arguments": arguments}
    return function


def _can_begin_call(delta: Mapping[str, Any]) -> bool:
    """Whether a delta can begin a call: some servers send an empty one in every chunk."""
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
    """Returns one delta for two, with their arguments joined."""
    first, second = held.get("function"), delta.get("function")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return {**held, **delta}
    arguments = _arguments_of(held) + _arguments_of(delta)
    return {**held, **delta, "function": {**first, **second, "arguments": arguments}}


def join_deltas(deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns fewer deltas of the same calls: neighbours that only add arguments are joined."""
    runs: list[list[dict[str, Any]]] = []
    for delta in deltas:
        if runs and delta["index"] == runs[-1][0]["index"] and _can_join(runs[-1][0], delta):
            runs[-1].append(delta)
        else:
            runs.append([delta])
    return [_joined(run) if len(run) > 1 else run[0] for run in runs]


def _can_join(first: dict[str, Any], delta: dict[str, Any]) -> bool:
    """Whether a delta only adds arguments, and the first delta of the run can take them."""
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
