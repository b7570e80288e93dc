"""Builds the content parts of chat completion messages, for the other APIs' requests."""

from collections.abc import Sequence
from typing import Any

PARAGRAPH_BREAK = "\n\n"
"""Joins texts that were separate blocks or items."""


def text_part(text: str) -> dict[str, Any]:
    """Returns a part of the type `text`."""
    return {"type": "text", "text": text}


def message_content(parts: Sequence[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Returns the parts as a message's content.

    Text alone becomes one string, because every chat template accepts a string.
    """
    if all(part["type"] == "text" for part in parts):
        return PARAGRAPH_BREAK.join(part["text"] for part in parts)
    return list(parts)


def cannot_read(what: str, base64_data: str | None = None) -> str:
    """Returns a text in place of a part that the model can't read: `[PDF, 584 bytes: this …]`.

    what: the part's media type, or another name for it.
    """
    name = "PDF" if what == "application/pdf" else what
    if base64_data is None:
        return f"[{name}: this model cannot read it]"
    size = len(base64_data) * 3 // 4 - base64_data[-2:].count("=")
    return f"[{name}, {size} bytes: this model cannot read it]"


def cannot_read_named(kind: str, *names: Any) -> str:
    """Returns :func:`cannot_read` for a kind of part, and the first of the names that is a text."""
    name = next((name for name in names if isinstance(name, str) and name), "")
    return cannot_read(f"{kind} {name}".strip())


def tool_result_text(parts: Sequence[dict[str, Any]], attachments: list[dict[str, Any]]) -> str:
    """Returns the text of a tool's result, because the message of a result can hold only text.

    Images and files are appended to `attachments`, for a user message after the results. The text
    has their type and their number in that message in their place: `[image 1]`.
    """
    texts = []
    for part in parts:
        if part["type"] == "text":
            texts.append(part["text"])
        else:
            attachments.append(part)
            name = part["type"].removeprefix("input_").removesuffix("_url")
            texts.append(f"[{name} {len(attachments)}]")
    return PARAGRAPH_BREAK.join(texts)
