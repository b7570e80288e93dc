"""Reads the deltas of tool calls, for the APIs with tool calls of another form."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class CallDelta(NamedTuple):
    """What one delta adds to a tool call; "" for a member that it does not have."""

    id: str
    name: str
    arguments: str


def read_call_delta(call: Mapping[str, Any]) -> CallDelta:
    """Reads an item of `delta.tool_calls`. A member that is no string counts as missing."""
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    return CallDelta(
        _string(call.get("id")), _string(function.get("name")), _string(function.get("arguments"))
    )


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
