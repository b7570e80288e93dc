"""Explains a mistake in the settings: the value given, what is allowed, the nearest known name."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

from gateway.config.file import Steps
from gateway.config.validation import explain
from gateway.errors import ConfigError

_STEP = re.compile(r"(?P<index>\[(?:\d+|\.\.\.)\])|[^.\[\]]+")
_MISSING = re.compile(r"object missing required field `(?P<name>[^`]+)`\Z")
_WHOLE = re.compile(r"[+-]?\d{1,18}\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\Z", re.IGNORECASE)
_SWITCH = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_CHOICES = re.compile(r" is not (one of .*)\Z", re.DOTALL)
_SECRETS = ("headers", "key", "api_key", "api_keys", "seal_key")
_MAX_SHOWN = 100
_ANY = "..."
"""msgspec 0.22 writes this in a path for a value of a table whose name it does not report."""


def steps_of(path: str) -> Steps:
    """Returns the steps of a path like `upstreams[0].headers`."""
    return tuple(
        int(found["index"][1:-1])
        if found["index"] and found["index"] != f"[{_ANY}]"
        else found[0].strip("[]")
        for found in _STEP.finditer(path)
    )


def path_of(steps: Steps) -> str:
    """Returns the steps as a path like `upstreams[0].headers`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".")


def parse_texts(value: Any, kind: inspect.Type) -> Any:
    """Returns the value with texts parsed where its type has numbers, switches or choices.

    The environment has only texts. A text that is no value of its type stays as it is, for msgspec
    to refuse. Choices may be in capitals.
    """
    types = list(_alternatives(kind))
    if isinstance(value, dict):
        for struct in types:
            if isinstance(struct, inspect.StructType):
                fields = {field.name: field.type for field in struct.fields}
                return {
                    name: parse_texts(inner, fields[name]) if name in fields else inner
                    for name, inner in value.items()
                }
    if isinstance(value, list):
        for array in types:
            if isinstance(array, inspect.VarTupleType):
                return [parse_texts(item, array.item_type) for item in value]
    if isinstance(value, str) and not any(isinstance(one, inspect.StrType) for one in types):
        return _parse_text(value, types)
    return value


def _parse_text(value: str, types: list[inspect.Type]) -> Any:
    text = value.strip()
    for kind in types:
        match kind:
            case inspect.IntType() if _WHOLE.match(text):
                return int(text)
            case inspect.FloatType() if _NUMBER.match(text):
                return float(text)
            case inspect.BoolType() if text.lower() in _SWITCH:
                return _SWITCH[text.lower()]
            case inspect.LiteralType(values) if text.lower() in values:
                return text.lower()
    return value


def to_config_error(
    error: msgspec.ValidationError, settings: dict[str, Any], kind: Any
) -> ConfigError:
    """Returns the error that names the value, what is allowed, and where the value is.

    The error's `setting` is a path that :func:`steps_of` reads. settings: what was converted to the
    type `kind`.
    """
    path, problem = explain(error, kind)
    steps = steps_of(path)
    if isinstance(cause := error.__cause__, ConfigError):
        return ConfigError(cause.what, setting=path_of((*steps, *steps_of(cause.setting))))
    types = inspect.type_info(kind)
    if problem == "unknown key":
        holder, name = steps[:-1], str(steps[-1])
        struct = next(
            one
            for one in _alternatives(_below(types, holder))
            if isinstance(one, inspect.StructType)
        )
        what = _unknown(name, struct, _value(settings, steps), types)
        return ConfigError(what, setting=path)
    if missing := _MISSING.match(problem):
        return ConfigError(f"{missing['name']} is missing", setting=path)
    if _ANY in steps:
        steps = next(_exact(settings, types, steps), steps)
    allowed = list(_alternatives(_below(types, steps)))
    value = _value(settings, steps)
    choices = _CHOICES.search(problem)  # has the order of the type, unlike inspect's LiteralType
    words = choices[1] if choices else _words(allowed)
    shown = "the value" if _is_secret(steps) else _shown(value)
    if isinstance(value, float) and words.startswith("a whole number"):
        shown = repr(value)  # 8080.0, and not 8080, is no whole number
    what = f"{shown} is not {words}{_hint(value, allowed, steps)}"
    return ConfigError(what, setting=path_of(steps))


def nearest(name: str, names: list[str]) -> str | None:
    """Returns the known name that is most like this one, or None."""
    plain = name.lower().replace("-", "_")
    if plain in names:
        return plain
    longer = [known for known in names if len(plain) > 3 and known.startswith(plain)]
    return next(iter(longer + get_close_matches(plain, names, 1, 0.7)), None)


def _unknown(name: str, struct: inspect.StructType, value: Any, root: inspect.Type) -> str:
    """Returns what is wrong with an unknown key of a struct. root: the type of all settings."""
    names = [field.name for field in struct.fields]
    tables = dict(_tables(root))
    is_root = struct is root or struct == root
    outer = [field.name for field in root.fields] if isinstance(root, inspect.StructType) else []
    plain = name.lower()
    if plain in names:
        return f"no such setting; in the file it is {plain}"
    if not is_root and plain in outer:
        return f"no such key; the setting {plain} must stand above the first table"
    if is_root and isinstance(value, dict) and any(key.lower() in names for key in value):
        return "no such table; the gateway's settings stand above all tables, in none"
    likely = list(tables) if is_root and isinstance(value, dict | list) else names
    if found := nearest(name, likely) or nearest(name, names):
        meant = f"[[{found}]]" if is_root and found in tables else found
        return f"no such setting; did you mean {meant}?"
    owners = [f"[[{table}]]" for table, keys in tables.items() if plain in keys]
    if is_root and owners:
        return f"no such setting; it belongs in a table: {' or '.join(owners)}"
    if is_root:
        return "no such setting"
    return f"no such key; these exist: {', '.join(names)}"


def _tables(root: inspect.Type) -> Iterator[tuple[str, list[str]]]:
    """Yields the name and the keys of each array of tables."""
    if isinstance(root, inspect.StructType):
        for field in root.fields:
            for kind in _alternatives(field.type):
                if isinstance(kind, inspect.VarTupleType):
                    for item in _alternatives(kind.item_type):
                        if isinstance(item, inspect.StructType):
                            yield field.name, [inner.name for inner in item.fields]


def _hint(value: Any, allowed: list[inspect.Type], steps: Steps) -> str:
    for kind in allowed:
        if isinstance(kind, inspect.LiteralType) and isinstance(value, str):
            choices = [str(choice) for choice in kind.values]
            if found := nearest(value, choices):
                return f"; did you mean {found}?"
        is_tables = isinstance(kind, inspect.VarTupleType) and _is_struct(kind.item_type)
        if is_tables and isinstance(value, dict):
            return f"; give it two brackets, as in [[{steps[-1]}]]"
    return ""


def _words(allowed: list[inspect.Type]) -> str:
    """Returns what the types allow, in words."""
    found = [_word(kind) for kind in allowed if not isinstance(kind, inspect.NoneType)]
    return " or ".join(found)


def _word(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType() | inspect.FloatType():
            return _number(kind)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.StrType(pattern="^/"):
            return "text that begins with /"
        case inspect.StrType(min_length=at_least, max_length=at_most):
            size = (
                f" of {at_least} to {at_most} characters" if at_most else " of a character or more"
            )
            return "text" + size * bool(at_least)
        case inspect.VarTupleType(item_type=item, min_length=at_least):
            items = "tables" if _is_struct(item) else "texts"
            return f"a list of {'one or more ' * bool(at_least)}{items}"
        case inspect.DictType():
            return "a table of names and texts"
    return "a table"


def _number(kind: inspect.IntType | inspect.FloatType) -> str:
    word = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
    above = kind.gt
    lowest = above + 1 if above is not None and word != "a number" else kind.ge
    if lowest is not None and kind.le is not None:
        return f"{word} from {lowest:g} to {kind.le:g}"
    if lowest is not None:
        return f"{word} of {lowest:g} or more"
    bounds = [f"above {above:g}"] if above is not None else []
    bounds += [f"at most {kind.le:g}"] if kind.le is not None else []
    return " ".join([word, " and ".join(bounds)]).strip()


def _shown(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.15g}"
        case str():
            text = repr(value)
            return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…'"
        case []:
            return "an empty list"
        case list():
            return "a list"
        case dict():
            return "a table"
    return f"the date {value}"


def _is_struct(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StructType)


def _is_secret(steps: Steps) -> bool:
    return any(step in _SECRETS or str(step).endswith("_api_key") for step in steps)


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yields the members of a union, or the type itself, without Metadata."""
    match kind:
        case inspect.UnionType(types):
            for one in types:
                yield from _alternatives(one)
        case inspect.Metadata(type=inner):
            yield from _alternatives(inner)
        case _:
            yield kind


def _below(kind: inspect.Type, steps: Steps) -> inspect.Type:
    """Returns the type at a path."""
    for step in steps:
        for one in _alternatives(kind):
            match one:
                case inspect.StructType(fields=fields):
                    kind = next(field.type for field in fields if field.name == step)
                case inspect.VarTupleType(item_type=inner) | inspect.DictType(value_type=inner):
                    kind = inner
                case _:
                    continue
            break
    return kind


def _value(settings: Any, steps: Steps) -> Any:
    for step in steps:
        settings = settings[step]
    return settings


def _exact(settings: Any, types: inspect.Type, steps: Steps) -> Iterator[Steps]:
    """Yields the paths of the invalid values that `[...]` may stand for; see _ANY."""
    table = steps[: steps.index(_ANY)]
    held = _value(settings, table)
    for name, value in held.items() if isinstance(held, Mapping) else ():
        for kind in _alternatives(_below(types, (*table, name))):
            if isinstance(kind, inspect.StrType) and not _is_text(value, kind.min_length or 0):
                yield (*table, name)


def _is_text(value: Any, min_length: int) -> bool:
    return isinstance(value, str) and len(value) >= min_length
