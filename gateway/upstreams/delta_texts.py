"""Where the deltas of different servers hold texts and reasoning. Pure."""

from typing import Any

LABELLED = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""The fields in which servers put reasoning; the first that is not empty counts, once."""
MIRRORS = ("reasoning_details", "thinking_blocks")
"""Lists in which servers repeat it; they count where there is no such field."""


def reasoning_of(delta: dict[str, Any]) -> tuple[str, str]:
    """Returns what a delta labels as reasoning: the field, or "" where it is in a list, and the
    text, "" if there is none."""
    for field in LABELLED:
        text = delta.get(field)
        if text and isinstance(text, str):
            return field, text
    details = delta.get("reasoning_details")
    return "", (
        joined_texts(details, "text")
        or joined_texts(details, "summary")
        or joined_texts(delta.get("thinking_blocks"), "thinking")
    )


def joined_texts(items: Any, member: str) -> str:
    """Returns the texts in this member of the items of a list, or a text in the list's place."""
    if isinstance(items, str):
        return items
    if not isinstance(items, list):
        return ""
    texts = (item.get(member) for item in items if isinstance(item, dict))
    return "".join(text for text in texts if isinstance(text, str))


def is_flagged_thought(delta: dict[str, Any]) -> bool:
    """Whether Google flags the content of a delta as thoughts.

    With a signature beside it, the flag belongs to the answer that follows the thoughts.
    """
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return (
        isinstance(google, dict)
        and google.get("thought") is True
        and not google.get("thought_signature")
    )
