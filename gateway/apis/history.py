"""Removes the reasoning that clients send back with a conversation.

It is usually a summary that the gateway wrote, not the model's own words. A model that reads
summaries as its own reasoning learns to answer in summaries.
"""

from collections.abc import Sequence
from typing import Any

from gateway.apis.chat.phased import PHASE_END, PROMPT_LABEL, SUMMARY_LABEL

_REASONING_MEMBERS = frozenset(
    {
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "reasoning_summary",
        "reasoning_text",
        "thinking",
        "thinking_blocks",
    }
)
"""Of an assistant message."""
_REASONING_PARTS = frozenset(
    {"reasoning", "reasoning_text", "redacted_thinking", "summary_text", "thinking"}
)
"""Types of content parts."""


def without_reasoning(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages with the reasoning removed from those of the assistant.

    An assistant message that held only reasoning, because its turn was stopped, is left out:
    servers refuse an empty assistant message, and the whole conversation with it.
    """
    cleaned = ((message, _clean(message)) for message in messages)
    return [kept for message, kept in cleaned if kept == message or _has_content(kept)]


def strip_summaries(text: str) -> str:
    """Returns the text without the summaries that the format `phased` puts before the answer."""
    for label in (PROMPT_LABEL, SUMMARY_LABEL):
        if text.startswith(label):
            text = text.partition(PHASE_END)[2]
    return text


def _has_content(message: dict[str, Any]) -> bool:
    return any(value for name, value in message.items() if name not in ("role", "name"))


def _clean(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("role") != "assistant":
        return message
    kept = {name: value for name, value in message.items() if name not in _REASONING_MEMBERS}
    content = message.get("content")
    answer: str | list[dict[str, Any]]
    if isinstance(content, str):
        answer = strip_summaries(content)
    elif isinstance(content, list):
        answer = _clean_parts(content)
    else:
        return kept
    if answer != content:
        # Servers refuse an empty list. A message with tool calls needs no text.
        kept["content"] = answer or (None if kept.get("tool_calls") else "")
    return kept


def _clean_parts(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [part for part in parts if part.get("type") not in _REASONING_PARTS]
    for at, part in enumerate(kept):
        if isinstance(text := part.get("text"), str):
            # Only the first text can begin with the labels of `phased`.
            answer = strip_summaries(text)
            kept[at : at + 1] = [{**part, "text": answer}] if answer or not text else []
            break
    return kept
