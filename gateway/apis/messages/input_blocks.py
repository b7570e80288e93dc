"""Converts the messages of Anthropic's API, which hold content blocks, to chat messages."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from gateway.apis.content import PARAGRAPH_BREAK, message_content, text_part, tool_result_text
from gateway.apis.history import hand_back, note_shown
from gateway.config import ReasoningMode
from gateway.core.thoughts import Shown, ThoughtRecord
from gateway.errors import BadRequest


class TextBlock(msgspec.Struct, frozen=True, tag="text"):
    text: str


class Base64Source(msgspec.Struct, frozen=True, tag="base64"):
    media_type: str
    data: str


class UrlSource(msgspec.Struct, frozen=True, tag="url"):
    url: str


class FileSource(msgspec.Struct, frozen=True, tag="file"):
    file_id: str


class TextSource(msgspec.Struct, frozen=True, tag="text"):
    data: str


class ImageBlock(msgspec.Struct, frozen=True, tag="image"):
    source: Base64Source | UrlSource | FileSource


class ContentSource(msgspec.Struct, frozen=True, tag="content"):
    content: str | list[TextBlock | ImageBlock]


DocumentSource = TextSource | ContentSource | Base64Source | UrlSource | FileSource


class DocumentBlock(msgspec.Struct, frozen=True, tag="document"):
    source: DocumentSource
    title: str | None = None
    context: str | None = None


class SearchResultBlock(msgspec.Struct, frozen=True, tag="search_result"):
    source: str
    title: str
    content: list[TextBlock]


class ThinkingBlock(msgspec.Struct, frozen=True, tag="thinking"):
    """Its text is the gateway's summary, or the trace if the client asked for it."""

    thinking: str | None = None
    signature: str | None = None
    """The model's own thoughts, sealed."""


class RedactedThinkingBlock(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    """Accepted, and not sent to the model."""


class ToolUseBlock(msgspec.Struct, frozen=True, tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


MediaBlock = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
"""The blocks that both a user's message and a tool's result can contain."""


class ToolResultBlock(msgspec.Struct, frozen=True, tag="tool_result"):
    tool_use_id: str
    content: str | list[MediaBlock] | None = None
    is_error: bool | None = None


InputBlock = MediaBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock


class InputMessage(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | list[InputBlock]


def chat_messages(
    messages: Sequence[tuple[int, InputMessage]],
    open_seal: Callable[[str], ThoughtRecord | None],
    mode: ReasoningMode,
) -> Iterator[dict[str, Any]]:
    """Yields the chat messages. Raises BadRequest with the path of the faulty member.

    messages: with their numbers in the request. open_seal: see Sealer.open. mode: the reasoning
    that the client was shown.
    """
    for number, message in messages:
        path = f"messages.{number}.content"
        if isinstance(message.content, str):
            yield {"role": message.role, "content": message.content}
        elif message.role == "user":
            yield from _user_messages(message.content, path)
        elif message.role == "assistant":
            seals = [b.signature or "" for b in message.content if isinstance(b, ThinkingBlock)]
            thoughts = next(filter(None, map(open_seal, reversed(seals))), None)
            for chat_message in _assistant_messages(message.content, path):
                hand_back(chat_message, thoughts)
                note_shown(chat_message, _shown(message.content, mode))
                yield chat_message
        else:
            yield {"role": "system", "content": _system_text(message.content, path)}


def _shown(blocks: list[InputBlock], mode: ReasoningMode) -> Shown:
    texts = [b.thinking for b in blocks if isinstance(b, ThinkingBlock) and b.thinking]
    if mode == "both" and len(texts) > 1:
        return Shown("".join(texts[:-1]), texts[-1])
    return Shown.of("".join(texts), mode)


def _user_messages(blocks: list[InputBlock], path: str) -> Iterator[dict[str, Any]]:
    """Yields the tool results first, because they must follow their calls, then the rest."""
    parts: list[dict[str, Any]] = []
    attachments: list[dict[str, Any]] = []
    has_results = False
    for block_path, block in _with_paths(blocks, path):
        if isinstance(block, ToolResultBlock):
            has_results = True
            text = _result_text(block, f"{block_path}.content", attachments)
            yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}
        elif isinstance(block, ToolUseBlock):
            raise _misplaced(block_path, "user", "tool_use")
        elif isinstance(block, TextBlock | ImageBlock | DocumentBlock | SearchResultBlock):
            parts += _parts(block, block_path)
    if parts or attachments or not has_results:
        yield {"role": "user", "content": message_content([*attachments, *parts])}


def _assistant_messages(blocks: list[InputBlock], path: str) -> Iterator[dict[str, Any]]:
    """Yields the message; none if it contains only thinking: servers refuse an empty message."""
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block_path, block in _with_paths(blocks, path):
        match block:
            case TextBlock(text):
                texts.append(text)
            case ToolUseBlock(id, name, input):
                # Not escaped to ASCII, because the model reads it.
                function = {"name": name, "arguments": json.dumps(input, ensure_ascii=False)}
                calls.append({"id": id, "type": "function", "function": function})
            case ImageBlock() | DocumentBlock() | SearchResultBlock() | ToolResultBlock():
                raise _misplaced(block_path, "assistant", str(block.__struct_config__.tag))
            case ThinkingBlock() | RedactedThinkingBlock():
                pass
    text = "".join(texts)
    if calls:
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
    elif text or not blocks:
        yield {"role": "assistant", "content": text}


def _system_text(blocks: list[InputBlock], path: str) -> str:
    texts = []
    for block_path, block in _with_paths(blocks, path):
        if not isinstance(block, TextBlock):
            raise _misplaced(block_path, "system", str(block.__struct_config__.tag))
        texts.append(block.text)
    return PARAGRAPH_BREAK.join(texts)


def _result_text(result: ToolResultBlock, path: str, attachments: list[dict[str, Any]]) -> str:
    content = result.content or ""
    blocks: list[MediaBlock] = [TextBlock(content)] if isinstance(content, str) else content
    text = tool_result_text(_parts_of_all(blocks, path), attachments)
    return f"Error: {text}" if result.is_error else text


def _parts_of_all(blocks: Sequence[MediaBlock], path: str) -> list[dict[str, Any]]:
    with_paths = _with_paths(blocks, path)
    return [part for block_path, block in with_paths for part in _parts(block, block_path)]


def _parts(block: MediaBlock, path: str) -> list[dict[str, Any]]:
    match block:
        case TextBlock(text):
            return [text_part(text)]
        case ImageBlock(source):
            url = _image_url(source, f"{path}.source")
            return [{"type": "image_url", "image_url": {"url": url}}]
        case SearchResultBlock(source, title, content):
            texts = [title, source, *(text.text for text in content)]
            return [text_part(PARAGRAPH_BREAK.join(texts))]
        case DocumentBlock(source, title, context):
            head = [text_part(text) for text in (title, context) if text]
            return head + _document_parts(source, f"{path}.source")


def _document_parts(source: DocumentSource, path: str) -> list[dict[str, Any]]:
    match source:
        case TextSource(data):
            return [text_part(data)]
        case ContentSource(str() as text):
            return [text_part(text)]
        case ContentSource(list() as blocks):
            return _parts_of_all(blocks, f"{path}.content")
    raise invalid(path, "the model server can't read files; send the document as text")


def _image_url(source: Base64Source | UrlSource | FileSource, path: str) -> str:
    match source:
        case Base64Source(media_type, data):
            return f"data:{media_type};base64,{data}"
        case UrlSource(url):
            return url
    raise invalid(path, "the gateway stores no files; send the image as base64 or by its URL")


def _with_paths(blocks: Sequence[Any], path: str) -> Iterator[tuple[str, Any]]:
    return ((f"{path}.{index}", block) for index, block in enumerate(blocks))


def _misplaced(path: str, role: str, type: str) -> BadRequest:
    return invalid(path, f"a message with the role {role} can't hold {type}")


def invalid(path: str, problem: str) -> BadRequest:
    """Returns the error for a fault at this path, in Anthropic's wording."""
    return BadRequest(f"{path}: {problem}.", param=path)
