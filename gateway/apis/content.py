"""The parts that the messages of a chat completion request are made of."""

from collections.abc import Sequence
from typing import Any

PARAGRAPHS = "\n\n"
"""Between texts that were blocks or items of their own."""


def text_part(text: str) -> dict[str, Any]:
    """A text as a part."""
    return {"type": "text", "text": text}


def content_of(parts: Sequence[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Parts as a message's content; text alone as one string, as every chat template takes it."""
    if all(part["type"] == "text" for part in parts):
        return PARAGRAPHS.join(part["text"] for part in parts)
    return list(parts)


def result_text(parts: Sequence[dict[str, Any]], shown: list[dict[str, Any]]) -> str:
    """The text of a tool's result, whose message can hold nothing else.

    Its images and files are added to `shown`, for a user's message behind the results; in the text
    stand their kinds and their numbers in that message.
    """
    texts = []
    for part in parts:
        if part["type"] == "text":
            texts.append(part["text"])
        else:
            shown.append(part)
            kind = part["type"].removeprefix("input_").removesuffix("_url")
            texts.append(f"[{kind} {len(shown)}]")
    return PARAGRAPHS.join(texts)
