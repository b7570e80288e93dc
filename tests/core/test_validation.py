"""A fault that msgspec finds is explained with its path, and a bad value with those that exist."""

import re
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import msgspec.inspect
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from gateway.apis.chat.request import ChatBody
from gateway.apis.messages.request import MessagesBody
from gateway.apis.responses.request import ResponsesBody
from gateway.config import Config
from gateway.config.validation import explain


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Circle(msgspec.Struct, tag="circle"):
    color: Color | None = None


class Square(msgspec.Struct, tag="square"):
    corners: Literal["round", "sharp"] = "sharp"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    mode: Literal["slow", "fast"] | None = None
    level: Literal[3, 1, 2] | Literal["all"] = 1


class Body(msgspec.Struct, rename={"renamed": "new-name"}):
    """One field for each kind of place that a Literal can be in."""

    renamed: Annotated[Literal["b", "a"], Meta(description="Not in order.")] = "a"
    items: list[Inner] = []
    many: tuple[Inner, ...] = ()
    pair: tuple[int, Inner] | None = None
    by_name: dict[str, Inner] = {}
    keys: dict[Literal["x", "y"], int] = {}
    names: set[Literal["m", "n"]] | None = None
    shape: Circle | Square | None = None
    text_or_shapes: str | list[Circle | Square] = ""


def explained(body: Any, expected: Any = Body) -> tuple[str, str]:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(body, expected)
    return explain(caught.value, expected)


@pytest.mark.parametrize(
    ("body", "path", "what"),
    [
        ({"new-name": "c"}, "new-name", "'c' is not one of b, a"),
        ({"items": [{}, {"mode": "off"}]}, "items[1].mode", "'off' is not one of slow, fast"),
        ({"items": [{"level": 9}]}, "items[0].level", "9 is not one of 3, 1, 2, all"),
        ({"items": [{"mode": "it's"}]}, "items[0].mode", '"it\'s" is not one of slow, fast'),
        ({"many": [{"mode": "off"}]}, "many[0].mode", "'off' is not one of slow, fast"),
        ({"pair": [1, {"mode": "off"}]}, "pair[1].mode", "'off' is not one of slow, fast"),
        (
            {"by_name": {"k": {"mode": "off"}}},
            "by_name[...].mode",
            "'off' is not one of slow, fast",
        ),
        ({"keys": {"z": 1}}, "keys", "'z' is not one of x, y"),
        ({"names": ["o"]}, "names[0]", "'o' is not one of m, n"),
        ({"shape": {"type": "oval"}}, "shape.type", "'oval' is not one of circle, square"),
        (
            {"shape": {"type": "circle", "color": "green"}},
            "shape.color",
            "'green' is not one of red, blue",
        ),
        (
            {"text_or_shapes": [{"type": "square", "corners": "cut"}]},
            "text_or_shapes[0].corners",
            "'cut' is not one of round, sharp",
        ),
        (
            {"text_or_shapes": [{"type": "oval"}]},
            "text_or_shapes[0].type",
            "'oval' is not one of circle, square",
        ),
        ({"items": [{"mode": 7}]}, "items[0].mode", "expected `str | null`, got `int`"),
        ({"items": [{"made_up": 7}]}, "items[0].made_up", "unknown key"),
        (
            {"items": [{"mode": "off - at `$.elsewhere`"}]},
            "items[0].mode",
            "'off - at `$.elsewhere`' is not one of slow, fast",
        ),
        ([], "", "expected `object`, got `array`"),
    ],
)
def test_faults_are_explained_with_path_and_choices(body: Any, path: str, what: str) -> None:
    assert explained(body) == (path, what)


def test_a_literal_at_the_top() -> None:
    assert explained("c", Literal["b", "a"]) == ("", "'c' is not one of b, a")


def test_a_long_value_is_cut() -> None:
    _, what = explained({"new-name": "x" * 10_000_000})
    assert what.endswith("…' is not one of b, a") or what.endswith("… is not one of b, a")
    assert len(what) < 200


@given(st.text())
def test_any_value_is_shown_in_one_sentence(value: str) -> None:
    path, what = explained({"items": [{"mode": "=" + value}]})
    assert path == "items[0].mode"
    assert what.endswith(" is not one of slow, fast")


@pytest.mark.parametrize("root", [Config, ChatBody, MessagesBody, ResponsesBody])
def test_every_literal_of_settings_and_bodies_has_its_choices(root: type[msgspec.Struct]) -> None:
    """Puts a bad value into each field that holds a Literal, as deep as structs go."""
    found = list(literal_fields(root))
    assert found
    for path, choices in found:
        error = msgspec.ValidationError(f"Invalid enum value 'nope' - at `${path}`")
        _, what = explain(error, root)
        assert what == f"'nope' is not one of {', '.join(choices)}", path


def literal_fields(kind: Any, path: str = "") -> list[tuple[str, list[str]]]:
    """The paths of all fields with a Literal of strings, and its values, by msgspec's own view.

    msgspec sorts the values; they are returned in the order of the source.
    """
    found: list[tuple[str, list[str]]] = []

    def walk(info: Any, path: str, source: str) -> None:
        match info:
            case msgspec.inspect.Metadata(type=inner):
                walk(inner, path, source)
            case msgspec.inspect.UnionType(types=types):
                for one in types:
                    walk(one, path, source)
            case msgspec.inspect.StructType(cls=cls, fields=fields):
                for field in fields:
                    hint = str(cls.__annotations__[field.name])
                    walk(field.type, f"{path}.{field.encode_name}", hint)
            case (
                msgspec.inspect.ListType(item_type=item)
                | msgspec.inspect.VarTupleType(item_type=item)
            ):
                walk(item, f"{path}[0]", source)
            case msgspec.inspect.LiteralType(values=values):
                found.append((path, sorted(map(str, values), key=source.index)))

    walk(msgspec.inspect.type_info(kind), path, "")
    return found


def test_the_message_of_msgspec_is_still_understood() -> None:
    """explain() parses messages that msgspec documents nowhere."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"items": [{"mode": "off"}]}, Body)
    assert re.fullmatch(r"Invalid enum value 'off' - at `\$\.items\[0\]\.mode`", str(caught.value))
