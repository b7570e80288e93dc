"""Converts the tools of the Responses API to functions, and the calls of these functions back.

Model servers only know functions. The API has other tools too, and Codex sends them with every
request:

- A namespace contains tools. Each becomes a function `namespace__name`; its call has the two names.
- A custom tool takes any text as its input. It becomes a function with one string, `input`.
- Tools that run at OpenAI, such as `web_search`, are left out.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.apis.json_texts import parse_object
from gateway.errors import BadRequest

_DEFAULT_NAMESPACE = "functions"
"""Codex's name for the tools without a namespace."""
_MAX_NAME_CHARS = 64
"""The longest name of a function that OpenAI accepts; other servers follow it."""
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_CUSTOM_PARAMETER = "input"


class Tool(msgspec.Struct, frozen=True):
    """The members of a tool that the gateway reads."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: dict[str, Any] | None = None
    """The form of a custom tool's input."""
    tools: list[dict[str, Any]] | None = None
    """The tools in a namespace."""


class ToolName(NamedTuple):
    """The API's name of a tool, whose function has another name."""

    namespace: str | None
    name: str
    is_custom: bool


class ToolNames:
    """Finds the tool that the model has called by the name of its function."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """tools: those of the request."""
        named = [ToolName(ns, tool["name"], tool["type"] == "custom") for ns, tool in _each(tools)]
        self._by_flat_name = {flat_name(tool.namespace, tool.name): tool for tool in named}
        self._namespaced = [tool for tool in named if tool.namespace is not None]

    def find(self, name: str) -> ToolName:
        """Returns the tool with this function name.

        Models leave the namespace out; that is accepted if the name is in only one namespace.
        """
        if name in self._by_flat_name:
            return self._by_flat_name[name]
        found = [tool for tool in self._namespaced if tool.name == name]
        return found[0] if len(found) == 1 else ToolName(None, name, False)


def flat_name(namespace: str | None, name: str) -> str:
    """Returns the function name of a tool."""
    if namespace in (None, "", _DEFAULT_NAMESPACE):
        return name
    joined = _NOT_IN_A_NAME.sub("_", f"{str(namespace).rstrip('_')}__{name}")
    if len(joined) <= _MAX_NAME_CHARS:
        return joined
    digest = hashlib.sha256(joined.encode()).hexdigest()[:8]
    return f"{joined[: _MAX_NAME_CHARS - 9]}_{digest}"


def custom_arguments(input: str) -> str:
    """Returns the function arguments of a custom tool's input."""
    return json.dumps({_CUSTOM_PARAMETER: input}, ensure_ascii=False)  # the model reads it


def custom_input(arguments: str) -> str:
    """Returns a custom tool's input from the arguments that the model wrote.

    If the model has ignored the function's schema, the arguments are the input.
    """
    value = (parse_object(arguments) or {}).get(_CUSTOM_PARAMETER)
    return value if isinstance(value, str) else arguments


def is_known(tool: Any) -> bool:
    """Returns whether a tool of the request can be offered to the model."""
    return not isinstance(tool, dict) or tool.get("type") in ("function", "custom", "namespace")


def chat_tools(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Returns the functions of the tools. Raises BadRequest for a tool without a name."""
    found: dict[str, dict[str, Any]] = {}
    for at, tool in enumerate(tools):
        path = f"tools[{at}]"
        if not tool.name:
            raise BadRequest(f"{path}.name: it is required.", param=f"{path}.name")
        raw = msgspec.structs.asdict(tool)
        for namespace, one in _each([raw]):
            function = _function(one) | {"name": flat_name(namespace, one["name"])}
            found.setdefault(function["name"], {"type": "function", "function": function})
    return list(found.values())


def _each(
    tools: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Yields the functions and custom tools with their namespaces."""
    for tool in tools:
        if tool.get("type") in ("function", "custom"):
            if isinstance(tool.get("name"), str):
                yield None, tool
        elif tool.get("type") == "namespace" and isinstance(namespace := tool.get("name"), str):
            inner = (one for one in tool.get("tools") or () if isinstance(one, dict))
            yield from ((namespace, one) for _, one in _each(list(inner)))


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    members = ("name", "description", "parameters", "strict")
    if tool["type"] == "custom":
        tool = {**tool, "parameters": _custom_parameters(tool.get("format")), "strict": None}
    return {name: tool[name] for name in members if tool.get(name) is not None}


def _custom_parameters(format: Any) -> dict[str, Any]:
    description = "The input of the tool, as it is."
    if isinstance(format, dict) and isinstance(grammar := format.get("definition"), str):
        syntax = format.get("syntax")
        description = (
            f"The input of the tool, as it is. It follows this {syntax} grammar:\n{grammar}"
        )
    return {
        "type": "object",
        "properties": {_CUSTOM_PARAMETER: {"type": "string", "description": description}},
        "required": [_CUSTOM_PARAMETER],
        "additionalProperties": False,
    }
