"""What dialects that build tool calls read of a piece of one."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """A piece of a tool call; "" for what it does not have."""

    id: str
    name: str
    arguments: str


def piece_of(call: Mapping[str, Any]) -> Piece:
    """Reads an item of `delta.tool_calls`. What should be text and is not counts as missing."""
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    return Piece(
        _text(call.get("id")), _text(function.get("name")), _text(function.get("arguments"))
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
