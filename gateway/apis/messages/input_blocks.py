"""The messages of Anthropic's API, made of blocks, as those of a chat completion request."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from gateway.apis.content import PARAGRAPHS, content_of, result_text, text_part
from gateway.errors import BadRequest


class Text(msgspec.Struct, frozen=True, tag="text"):
    text: str


class Base64(msgspec.Struct, frozen=True, tag="base64"):
    media_type: str
    data: str


class Url(msgspec.Struct, frozen=True, tag="url"):
    url: str


class File(msgspec.Struct, frozen=True, tag="file"):
    file_id: str


class Plain(msgspec.Struct, frozen=True, tag="text"):
    data: str


class Image(msgspec.Struct, frozen=True, tag="image"):
    source: Base64 | Url | File


class Inner(msgspec.Struct, frozen=True, tag="content"):
    content: str | list[Text | Image]


class Document(msgspec.Struct, frozen=True, tag="document"):
    source: Plain | Inner | Base64 | Url | File
    title: str | None = None
    context: str | None = None


class SearchResult(msgspec.Struct, frozen=True, tag="search_result"):
    source: str
    title: str
    content: list[Text]


class Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    """Handed back by the client; it is not part of the conversation."""


class RedactedThinking(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    """As above."""


class ToolUse(msgspec.Struct, frozen=True, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


Shown = Text | Image | Document | SearchResult
"""What a user or a tool can show to the model."""


class ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    tool_use_id: str
    content: str | list[Shown] | None = None
    is_error: bool | None = None


Block = Shown | Thinking | RedactedThinking | ToolUse | ToolResult


class Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


def chat_messages(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """The messages for a chat completion request. Raises BadRequest with the path of the fault."""
    for number, message in enumerate(messages):
        path = f"messages.{number}.content"
        if isinstance(message.content, str):
            yield {"role": message.role, "content": message.content}
        elif message.role == "user":
            yield from _of_user(message.content, path)
        elif message.role == "assistant":
            yield _of_assistant(message.content, path)
        else:
            yield {"role": "system", "content": _of_system(message.content, path)}


def _of_user(blocks: list[Block], path: str) -> Iterator[dict[str, Any]]:
    """Results of tools come first, since they must follow their calls; then what the user says."""
    said: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    results = 0
    for place, block in _placed(blocks, path):
        if isinstance(block, ToolResult):
            results += 1
            text = _of_result(block, f"{place}.content", shown)
            yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}
        elif isinstance(block, ToolUse):
            raise _misplaced(place, "user", "tool_use")
        elif isinstance(block, Text | Image | Document | SearchResult):
            said += _parts(block, place)
    if said or shown or not results:
        yield {"role": "user", "content": content_of([*shown, *said])}


def _of_assistant(blocks: list[Block], path: str) -> dict[str, Any]:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for place, block in _placed(blocks, path):
        match block:
            case Text(text):
                texts.append(text)
            case ToolUse(id, name, input):
                # Not in ASCII: the model reads it.
                function = {"name": name, "arguments": json.dumps(input, ensure_ascii=False)}
                calls.append({"id": id, "type": "function", "function": function})
            case Image() | Document() | SearchResult() | ToolResult():
                raise _misplaced(place, "assistant", str(block.__struct_config__.tag))
            case Thinking() | RedactedThinking():
                pass
    message = {"role": "assistant", "content": "".join(texts)}
    if not calls:
        return message
    return message | {"content": "".join(texts) or None, "tool_calls": calls}


def _of_system(blocks: list[Block], path: str) -> str:
    texts = []
    for place, block in _placed(blocks, path):
        if not isinstance(block, Text):
            raise _misplaced(place, "system", str(block.__struct_config__.tag))
        texts.append(block.text)
    return PARAGRAPHS.join(texts)


def _of_result(result: ToolResult, path: str, shown: list[dict[str, Any]]) -> str:
    content = result.content or ""
    blocks: list[Shown] = [Text(content)] if isinstance(content, str) else content
    parts = [part for place, block in _placed(blocks, path) for part in _parts(block, place)]
    text = result_text(parts, shown)
    return f"Error: {text}" if result.is_error else text


def _parts(block: Shown, path: str) -> list[dict[str, Any]]:
    match block:
        case Text(text):
            return [text_part(text)]
        case Image(source):
            return [{"type": "image_url", "image_url": {"url": _address(source, f"{path}.source")}}]
        case SearchResult(source, title, content):
            return [text_part(PARAGRAPHS.join([title, source, *(text.text for text in content)]))]
        case Document(source, title, context):
            head = [text_part(text) for text in (title, context) if text]
            return head + _of_document(source, f"{path}.source")


def _of_document(source: Plain | Inner | Base64 | Url | File, path: str) -> list[dict[str, Any]]:
    match source:
        case Plain(data):
            return [text_part(data)]
        case Inner(str() as text):
            return [text_part(text)]
        case Inner(list() as blocks):
            inner = _placed(blocks, f"{path}.content")
            return [part for place, block in inner for part in _parts(block, place)]
    raise fault(path, "the model server can't read files; send the document as text")


def _address(source: Base64 | Url | File, path: str) -> str:
    match source:
        case Base64(media_type, data):
            return f"data:{media_type};base64,{data}"
        case Url(url):
            return url
    raise fault(path, "the gateway keeps no files; send the image as base64 or by its url")


def _placed(blocks: Sequence[Any], path: str) -> Iterator[tuple[str, Any]]:
    return ((f"{path}.{index}", block) for index, block in enumerate(blocks))


def _misplaced(path: str, role: str, type: str) -> BadRequest:
    return fault(path, f"a message of the role {role} can't hold {type}")


def fault(path: str, what: str) -> BadRequest:
    """The error for a fault at a path, in the form of Anthropic's own."""
    return BadRequest(f"{path}: {what}.", param=path)
