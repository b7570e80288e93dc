"""Compaction: the model sums up a conversation, and the summary replaces the conversation.

A client asks for it in one of two ways:

    POST /v1/responses/compact         the answer's output has the newest messages of the user and
                                       an item `compaction`
    an item `compaction_trigger`,      the answer's only item is `compaction`
    the last one of the input

Afterwards, the client sends the item in place of the old conversation, and the model reads it as a
message. The member `encrypted_content` holds the summary encoded, not encrypted: the client knows
the conversation anyway, and the item stays readable if SEAL_KEY or the model changes.
"""

import base64
from collections.abc import Sequence
from typing import Any

_PREFIX = "gwc1."
_MAX_KEPT_CHARS = 64_000
"""The most characters of the user's messages that are kept beside the summary."""
_TRIGGER = "compaction_trigger"
_TYPES = ("compaction", "compaction_summary", "context_compaction")
"""Types of the item that holds the summary; Codex has used all three."""
_INSTRUCTION = (
    "Sum up this conversation for another model, which will go on with the work and will see "
    "nothing of it but your summary. Say what the user wants, with every constraint and "
    "preference; what has been done and decided, and why; which files, commands, names and "
    "figures matter; what failed; and what is to be done next. Do not call a tool. Write only the "
    "summary."
)
_BEFORE_SUMMARY = "The conversation up to here, summed up:"


def asks_for_compaction(items: str | Sequence[Any]) -> bool:
    """Returns whether the input asks for a compaction."""
    return not isinstance(items, str) and bool(items) and _type_of(items[-1]) == _TRIGGER


def with_instruction(items: Sequence[Any]) -> list[Any]:
    """Returns the items with the instruction to sum up in place of the last one."""
    return [*items[:-1], {"role": "user", "content": _INSTRUCTION}]


def with_trigger(items: str | Sequence[Any]) -> list[Any]:
    """Returns the items of a request to /compact with the item that asks for a compaction."""
    return [*_listed(items), {"type": _TRIGGER}]


def kept_messages(items: str | Sequence[Any]) -> list[dict[str, Any]]:
    """Returns the newest messages of the user, which are kept beside the summary."""
    kept: list[dict[str, Any]] = []
    left = _MAX_KEPT_CHARS
    for item in reversed(_listed(items)):
        if _type_of(item) != "message" or item.get("role") != "user":
            continue
        left -= len(str(item.get("content")))
        if left < 0:
            break
        kept.append({"type": "message", **item})
    return kept[::-1]


def compaction_item(id: str, summary: str) -> dict[str, Any]:
    """Returns the item that holds a summary."""
    encoded = base64.urlsafe_b64encode(summary.encode("utf-8", "replace")).decode("ascii")
    return {"id": id, "type": "compaction", "encrypted_content": _PREFIX + encoded}


def message_of(item: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the message that the model reads in place of an item `compaction`.

    None: it is another item, or the item of another service.
    """
    content = item.get("encrypted_content")
    if item.get("type") not in _TYPES or not isinstance(content, str):
        return None
    if not content.startswith(_PREFIX):
        return None
    try:
        summary = base64.urlsafe_b64decode(content.removeprefix(_PREFIX)).decode("utf-8")
    except ValueError:
        return None
    if not summary:
        return None
    text = f"{_BEFORE_SUMMARY}\n\n{summary}"
    return {"type": "message", "role": "user", "content": text}


def _listed(items: str | Sequence[Any]) -> list[Any]:
    return [{"role": "user", "content": items}] if isinstance(items, str) else [*items]


def _type_of(item: Any) -> Any:
    return (item.get("type") or "message") if isinstance(item, dict) else None
