"""Replaces blocks of a Messages request that a chat server can't read, by text or by nothing.

The newest message of the user stays as it is: if it can't be read, the request is refused. A
message with tool results is changed, because the user did not write it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.apis.content import cannot_read, cannot_read_named, text_part
from gateway.apis.history import newest_of_user, valid_arguments
from gateway.apis.json_texts import parse_object
from gateway.apis.messages.input_blocks import (
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    MediaBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from gateway.core.sse import dumps

_ROLES = ("user", "assistant", "system")
_OTHER_ROLES = {"developer": "system", "tool": "user", "function": "user"}
"""Roles of OpenAI's API → the same in Anthropic's."""
_BLOCKS: dict[str, Any] = {
    "user": MediaBlock | ToolResultBlock,
    "assistant": TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock,
    "system": TextBlock,
}
"""Role → the types of blocks that its messages can contain."""


def readable_messages(messages: Sequence[Any]) -> list[tuple[int, Any]]:
    """Returns the messages that can be read, each with its number in the request.

    If no message can be read, all are returned, so that the error names their faults.
    """
    newest = newest_of_user(messages, _is_users)
    found = [
        (at, message if at == newest else _readable(message)) for at, message in enumerate(messages)
    ]
    return [(at, message) for at, message in found if message is not None] or [*enumerate(messages)]


def readable_system(blocks: list[Any]) -> list[dict[str, Any]]:
    """Returns the blocks of the system prompt as texts."""
    return _readable_blocks(blocks, TextBlock)


def _is_users(message: Any) -> bool:
    """Returns whether the user wrote the message, not an agent with the results of its tools."""
    if not isinstance(message, dict):
        return True
    if message.get("role") in ("assistant", "system"):
        return False
    content = message.get("content")
    return not (isinstance(content, list) and any(map(_is_result, content)))


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_result"


def _readable(message: Any) -> dict[str, Any] | None:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in _ROLES:
        role = _OTHER_ROLES.get(role) if isinstance(role, str) else None
    if role is None:
        return None
    content = message.get("content")
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, str):
        return {"role": role, "content": content} if content else None
    if not isinstance(content, list):
        return None
    blocks = _readable_blocks(content, _BLOCKS[role])
    return {"role": role, "content": blocks} if blocks else None


def _readable_blocks(blocks: list[Any], allowed: Any) -> list[dict[str, Any]]:
    found = (_readable_block(block, allowed) for block in blocks)
    return [block for block in found if block is not None]


def _readable_block(block: Any, allowed: Any) -> dict[str, Any] | None:
    """Returns the block if it can be read, else a text in its place, or None."""
    if not isinstance(block, dict):
        return text_part(block) if isinstance(block, str) else None
    if _is_result(block) and isinstance(block.get("content"), list):
        block = {**block, "content": _readable_blocks(block["content"], MediaBlock)}
    elif _is_result(block) and not isinstance(block.get("content"), str | None):
        block = {**block, "content": dumps(block["content"])}
    elif block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
        block = {**block, "input": parse_object(valid_arguments(block.get("input")))}
    try:
        value = msgspec.convert(block, allowed)
    except msgspec.ValidationError:
        return _text_in_place(block)
    return block if _can_be_sent(value) else _text_in_place(block)


def _can_be_sent(block: Any) -> bool:
    match block:
        case ImageBlock(FileSource()):
            return False
        case DocumentBlock(ContentSource(list() as blocks)):
            return all(map(_can_be_sent, blocks))
        case DocumentBlock(source):
            return isinstance(source, TextSource | ContentSource)
    return True


def _text_in_place(block: dict[str, Any]) -> dict[str, Any] | None:
    """Returns a text block with the text or the name of an unreadable block; None: it has none."""
    type = block.get("type")
    if type in ("document", "image"):
        source = block.get("source")
        source = source if isinstance(source, dict) else {}
        data = source.get("data")
        if not isinstance(data, str):
            names = (block.get("title"), source.get("url"), source.get("file_id"))
            return text_part(cannot_read_named(type, *names))
        return text_part(cannot_read(str(source.get("media_type") or type), data))
    if type == "tool_reference":
        return text_part(f"[tool: {block.get('tool_name')}]")
    text = _text(block.get("text")) or _text(block.get("content"))
    return text_part(text) if text else None


def _text(value: Any) -> str:
    """Returns the text in a value: a text itself, a list of blocks, or a block."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = (item.get("text") for item in value if isinstance(item, dict))
        return "\n\n".join(text for text in texts if isinstance(text, str))
    if isinstance(value, dict):  # the output of a tool that ran at Anthropic
        outputs = (value.get(name) for name in ("text", "stdout", "stderr"))
        return "\n".join(text for text in outputs if isinstance(text, str) and text)
    return ""
