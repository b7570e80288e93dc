"""The places in a delta where different servers put texts and reasoning. Pure."""

from typing import Any

LABELLED = (
    *("reasoning_content", "reasoning", "reasoning_text", "thinking"),
    *("thinking_content", "thought", "thoughts"),
)
"""Fields with reasoning. Servers repeat one text in several of them, so only the first that is not
empty counts."""
MIRRORS = ("reasoning_details", "thinking_blocks")
"""Lists that repeat the reasoning. They count if none of the fields has any."""
LITELLMS = "provider_specific_fields"
"""LiteLLM's object with the same fields. It counts if there is no reasoning outside of it."""
_THOUGHT_TYPES = frozenset(
    {"thinking", "reasoning", "reasoning_text", "reasoning_content", "thought", "summary_text"}
)
"""Types of the items of a content list that hold reasoning."""
_TEXTS = ("text", "content", "refusal", "value", "parts")
"""Members of an object that may hold its text."""
_THOUGHT_TEXTS = ("thinking", "reasoning", "summary", *_TEXTS)
"""Members of an object that may hold its reasoning."""
_MAX_DEPTH = 4


def reasoning_of(delta: dict[str, Any]) -> tuple[str, str]:
    """Returns the reasoning in a delta: its field, or "" if it is in a list, and its text."""
    for field in LABELLED:
        value = delta.get(field)
        if value and (text := value if isinstance(value, str) else thought_in(value)):
            return field, text
    details = delta.get("reasoning_details")
    listed = (
        joined_texts(details, "text")
        or joined_texts(details, "summary")
        or joined_texts(delta.get("thinking_blocks"), "thinking")
    )
    if not listed and isinstance(inner := delta.get(LITELLMS), dict):
        return reasoning_of({name: value for name, value in inner.items() if name != LITELLMS})
    return "", listed


def joined_texts(items: Any, member: str) -> str:
    """Returns the joined texts in one member of a list's items. A text in place of the list is
    returned as it is."""
    if isinstance(items, str):
        return items
    if not isinstance(items, list):
        return ""
    texts = (item.get(member) for item in items if isinstance(item, dict))
    return "".join(text for text in texts if isinstance(text, str))


def text_in(value: Any) -> str:
    """Returns the text in a value: a text itself, an object with a text, or a list of these."""
    return _text_in(value, _TEXTS, 0)


def thought_in(value: Any) -> str:
    """Returns the reasoning in a value, like :func:`text_in`."""
    return _text_in(value, _THOUGHT_TEXTS, 0)


def _text_in(value: Any, members: tuple[str, ...], depth: int) -> str:
    if isinstance(value, str):
        return value
    if depth >= _MAX_DEPTH:
        return ""
    if isinstance(value, list):
        return "".join(_text_in(item, members, depth + 1) for item in value)
    if isinstance(value, dict):
        texts = (_text_in(value.get(name), members, depth + 1) for name in members)
        return next(filter(None, texts), "")
    return ""


def is_thought(item: Any) -> bool:
    """Whether an item of a content list holds reasoning."""
    type = item.get("type") if isinstance(item, dict) else None
    return isinstance(type, str) and type in _THOUGHT_TYPES


def is_flagged_thought(delta: dict[str, Any]) -> bool:
    """Whether Google flags the content of a delta as thoughts.

    With a signature beside it, the flag belongs to the first text of the answer.
    """
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return (
        isinstance(google, dict)
        and google.get("thought") is True
        and not google.get("thought_signature")
    )
