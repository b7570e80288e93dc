"""Replaces items of a Responses request that a chat server can't read, by text or by nothing.

The newest message of the user stays as it is: if it can't be read, the request is refused.

Calls of other tools become function calls if they have a `call_id` and a separate item with the
result, such as `local_shell_call` and `local_shell_call_output`. Items that do not help a model are
left out: web searches, generated images, lists of tools.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.apis.content import cannot_read, cannot_read_named
from gateway.apis.history import newest_of_user, valid_arguments
from gateway.apis.responses.compaction import message_of
from gateway.apis.responses.input_items import (
    InputFile,
    InputImage,
    InputPart,
    ReasoningText,
    SummaryText,
)
from gateway.core.sse import dumps

_OTHER_ROLES = ("assistant", "system", "developer")
_NOT_ARGUMENTS = frozenset({"id", "type", "call_id", "status", "name"})
"""Members of a call that are not arguments."""
_RAN_AT_OPENAI = {
    "code_interpreter_call": ("code", "outputs"),
    "file_search_call": ("queries", "results"),
}
"""Type of a call that contains its result → its member with the arguments, and with the result."""


def readable_items(items: Sequence[Any]) -> list[tuple[int, Any]]:
    """Returns the items that can be read, each with its number in the request.

    If no item can be read, all are returned, so that the error names their faults.
    """
    newest = newest_of_user(items, _is_users)
    found = [
        (at, readable)
        for at, item in enumerate(items)
        for readable in ([item] if at == newest else _readable(item))
    ]
    return found or [*enumerate(items)]


def _is_users(item: Any) -> bool:
    if not isinstance(item, dict):
        return True
    return (item.get("type") or "message") == "message" and item.get("role") not in _OTHER_ROLES


def _readable(item: Any) -> Iterator[dict[str, Any]]:
    """Yields the item itself, items with the same content, or nothing."""
    if not isinstance(item, dict):
        return
    type = item.get("type") or "message"
    call_id = item.get("call_id") or item.get("id")
    if type in ("reasoning", "item_reference"):
        yield item
    elif (summary := message_of(item)) is not None:
        yield summary
    elif type == "message":
        content = _readable_content(item.get("content"))
        role = item.get("role")
        if isinstance(role, str) and content:
            known = role if role in _OTHER_ROLES else "user"
            texts_only = known != "user"
            yield {**item, "role": known, "content": _texts(content) if texts_only else content}
    elif type == "mcp_call":
        yield from _mcp_call(item)
    elif type in _RAN_AT_OPENAI:
        yield from _hosted_call(item, *_RAN_AT_OPENAI[type])
    elif not isinstance(type, str) or not isinstance(call_id, str):
        return
    elif type == "function_call":
        if isinstance(item.get("name"), str):
            arguments = valid_arguments(item.get("arguments"))
            yield {**item, "call_id": call_id, "arguments": arguments}
    elif type == "custom_tool_call":
        if isinstance(item.get("name"), str):
            yield {**item, "call_id": call_id, "input": _text(item.get("input"))}
    elif type.endswith("_output") and item.get("call_id"):
        yield {"type": "function_call_output", "call_id": call_id, "output": _output(item)}
    elif type.endswith("_call") and item.get("call_id"):
        yield _call_of(item, type.removesuffix("_call"), call_id)


def _mcp_call(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the call and the result of an MCP tool, which ran at OpenAI."""
    id, name = item.get("id"), item.get("name")
    if isinstance(id, str) and isinstance(name, str):
        arguments = valid_arguments(item.get("arguments"))
        yield {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}
        result = _text(item.get("output") or item.get("error"))
        yield {"type": "function_call_output", "call_id": id, "output": result}


def _hosted_call(item: dict[str, Any], asked: str, given: str) -> Iterator[dict[str, Any]]:
    """Yields the call and the result of a tool that ran at OpenAI, if there is a result."""
    id, result = item.get("id"), item.get(given)
    if isinstance(id, str) and result:
        name = str(item["type"]).removesuffix("_call")
        arguments = valid_arguments({asked: item.get(asked)})
        yield {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}
        yield {"type": "function_call_output", "call_id": id, "output": _text(result)}


def _call_of(item: dict[str, Any], default_name: str, call_id: str) -> dict[str, Any]:
    name = item.get("name")
    arguments = {key: value for key, value in item.items() if key not in _NOT_ARGUMENTS}
    return {
        "type": "function_call",
        "call_id": call_id,
        "name": name if isinstance(name, str) and name else default_name,
        "arguments": valid_arguments(arguments),
    }


def _output(item: dict[str, Any]) -> str | list[dict[str, Any]]:
    output = item.get("output")
    if isinstance(output, list):
        return _readable_parts(output) or (_text(output) if output else "")
    if isinstance(output, dict) and isinstance(url := output.get("image_url"), str):
        return [{"type": "input_image", "image_url": url}]
    return _text(output)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value)


def _readable_content(content: Any) -> Any:
    return _readable_parts(content) if isinstance(content, list) else _text(content)


def _readable_parts(parts: list[Any]) -> list[dict[str, Any]]:
    found = (_readable_part(part) for part in parts)
    return [part for part in found if part is not None]


def _readable_part(part: Any) -> dict[str, Any] | None:
    """Returns the part if it can be read, else a text in its place, or None."""
    if not isinstance(part, dict):
        return _input_text(part) if isinstance(part, str) else None
    try:
        value = msgspec.convert(part, InputPart)
    except msgspec.ValidationError:
        return _text_in_place(part)
    match value:
        case InputImage(None) | InputFile(None, _, None, _) | InputFile(_, _, _, str()):
            return _text_in_place(part)
        case ReasoningText() | SummaryText():
            return None
    return part


def _text_in_place(part: dict[str, Any]) -> dict[str, Any] | None:
    """Returns a text part with the text or the name of an unreadable part; None if it has none."""
    text = part.get("text")
    if isinstance(text, str):
        return _input_text(text)
    type = part.get("type")
    if not isinstance(type, str) or not type.startswith("input_"):
        return None
    names = (part.get("filename"), part.get("file_url"), part.get("file_id"))
    return _input_text(cannot_read_named(type.removeprefix("input_"), *names))


def _texts(content: Any) -> Any:
    """Returns content with only text parts: a text in place of each other part."""
    if isinstance(content, str):
        return content
    return [
        part
        if "text" in part or "refusal" in part
        else _input_text(cannot_read(str(part["type"]).removeprefix("input_")))
        for part in content
    ]


def _input_text(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}
