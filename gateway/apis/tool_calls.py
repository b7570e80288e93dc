"""Reads the deltas of tool calls, for APIs whose tool calls have another form.

Three kinds of calls become one: function calls, custom calls, whose input is free text, and
`function_call`, OpenAI's old form.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.core.sse import dumps


class CallDelta(NamedTuple):
    """The piece of a tool call in one delta; "" for a member that the delta does not have."""

    id: str
    name: str
    arguments: str
    input: str | None = None
    """A piece of the input of a custom call; None for other calls."""


def read_call_delta(call: Mapping[str, Any]) -> CallDelta:
    """Reads an item of `delta.tool_calls`. A member that is no string counts as missing."""
    id = _string(call.get("id"))
    if isinstance(custom := call.get("custom"), Mapping):
        return CallDelta(id, _string(custom.get("name")), "", _string(custom.get("input")))
    function = call.get("function")
    function = function if isinstance(function, Mapping) else {}
    return CallDelta(id, _string(function.get("name")), _string(function.get("arguments")))


def legacy_call(delta: Mapping[str, Any], *, tools: bool = True) -> dict[str, Any] | None:
    """Returns the `function_call` of a delta as an item of `tool_calls`; None if it has none.

    tools: the request offers tools. Otherwise its client expects no calls, and the result is None.
    """
    function = delta.get("function_call")
    if isinstance(function, Mapping) and tools:
        return {"index": 0, "function": function}
    return None


def input_as_arguments(input: str) -> str:
    """Returns the complete input of a custom call as the arguments of a function call."""
    return dumps({"input": input})


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
