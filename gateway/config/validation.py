"""Explains in words what msgspec finds wrong with settings and request bodies."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_PATH = re.compile(r" - at (?:`(?P<key>key)` in )?`\$(?P<path>[^`]*)`\Z")
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)
_BAD_VALUE = re.compile(r"Invalid (?:enum )?value (?P<value>.*)\Z", re.DOTALL)
_MAX_VALUE_CHARS = 100


def explain(error: msgspec.ValidationError, expected: Any) -> tuple[str, str]:
    """Returns the path of the value that msgspec refused, "" for the top, and what is wrong there.

    expected: the type that was converted to. For a Literal, an enum or a tagged union, msgspec 0.22
    reports only the bad value; the allowed values are added from the type.

    "Expected `str`, got `int` - at `$.messages[0].role`" gives
    ("messages[0].role", "expected `str`, got `int`").
    """
    text = str(error)
    at = _PATH.search(text)
    what = text[: at.start()] if at else text
    path = at["path"].lstrip(".") if at else ""
    if unknown := _UNKNOWN_FIELD.match(what):
        name = unknown["name"]
        return f"{path}.{name}" if path else name, "unknown key"
    if bad := _BAD_VALUE.match(what):
        found = _choices(expected, at["path"] if at else "", bool(at and at["key"]))
        if choices := list(dict.fromkeys(found)):
            return path, f"{_shortened(bad['value'])} is not one of {', '.join(choices)}"
    return path, what[0].lower() + what[1:]


def _shortened(value: str) -> str:
    return value if len(value) <= _MAX_VALUE_CHARS else f"{value[:_MAX_VALUE_CHARS]}…"


def _choices(expected: Any, path: str, is_key: bool) -> Iterator[str]:
    """Yields the values that a type allows at a path, in the type's order.

    is_key: the value is a key of the dict at the path.
    """
    types = list(_alternatives([expected]))
    for step in _STEP.finditer(path):
        holders = types
        types = list(_alternatives(below for kind in holders for below in _below(kind, step)))
        if not types and step.end() == len(path):  # the tag of a union of structs is not a field
            yield from (kind.__struct_config__.tag for kind in holders if _is_struct(kind))
    if is_key:
        types = list(_alternatives(get_args(kind)[0] for kind in types if get_args(kind)))
    for kind in types:
        if get_origin(kind) is Literal:
            yield from (str(value) for value in get_args(kind) if value is not None)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            yield from (str(member.value) for member in kind)


def _alternatives(types: Iterable[Any]) -> Iterator[Any]:
    """Yields the types without Annotated, and the members of unions."""
    for kind in types:
        if get_origin(kind) in (Union, UnionType):
            yield from _alternatives(get_args(kind))
        elif get_origin(kind) is Annotated:
            yield from _alternatives(get_args(kind)[:1])
        else:
            yield kind


def _below(kind: Any, step: re.Match[str]) -> Iterator[Any]:
    """Yields the type of the field, the item or the dict's values to which a step leads, if any."""
    if step["field"] is not None:
        if _is_struct(kind):
            names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
            if step["field"] in names:
                yield get_type_hints(kind, include_extras=True)[names[step["field"]]]
        return
    origin, args = get_origin(kind), get_args(kind)
    if not isinstance(origin, type):
        return
    if issubclass(origin, Mapping):
        yield from args[1:]
    elif issubclass(origin, tuple) and args[-1] is not Ellipsis:
        yield from args[int(step["index"]) :][:1] if step["index"] != "..." else ()
    elif issubclass(origin, Sequence | AbstractSet):
        yield from args[:1]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
