"""Reasoning that clients hand back is taken out of the conversation before it goes on.

What the gateway gave out is a summary that it wrote itself, never what the model thought, unless
the trace was asked for. A model that reads it as its own words learns to answer in summaries.
"""

from collections.abc import Sequence
from typing import Any

from gateway.apis.chat.phased import PHASE_END, PROMPT_LABEL, SUMMARY_LABEL

_FIELDS = frozenset(
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
"""Members of an assistant's message."""
_PARTS = frozenset({"reasoning", "reasoning_text", "redacted_thinking", "summary_text", "thinking"})
"""Types of content parts."""


def without_reasoning(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages, those of the assistant without their reasoning, all others as they are.

    One that held nothing else, as after a turn that was stopped, is left out: servers refuse an
    assistant that says nothing, and with it the rest of the conversation.
    """
    cleaned = ((message, _cleaned(message)) for message in messages)
    return [kept for message, kept in cleaned if kept == message or _says_anything(kept)]


def answer_of(text: str) -> str:
    """A text without the two summaries that the format `phased` puts before the answer."""
    for label in (PROMPT_LABEL, SUMMARY_LABEL):
        if text.startswith(label):
            text = text.partition(PHASE_END)[2]
    return text


def _says_anything(message: dict[str, Any]) -> bool:
    return any(value for name, value in message.items() if name not in ("role", "name"))


def _cleaned(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("role") != "assistant":
        return message
    kept = {name: value for name, value in message.items() if name not in _FIELDS}
    match message.get("content"):
        case str(said):
            content: str | list[dict[str, Any]] = answer_of(said)
        case list(said):
            content = _without_thoughts(said)
        case said:
            return kept
    if content != said:
        # Not an empty list, which servers refuse; and beside calls there need be no text.
        kept["content"] = content or (None if kept.get("tool_calls") else "")
    return kept


def _without_thoughts(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts that are no thoughts; our labels can only stand in the first text."""
    kept = [part for part in parts if part.get("type") not in _PARTS]
    for at, part in enumerate(kept):
        if isinstance(text := part.get("text"), str):
            answer = answer_of(text)
            kept[at : at + 1] = [{**part, "text": answer}] if answer or not text else []
            break
    return kept
