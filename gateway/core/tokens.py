"""Token counts: the upstream's own, and estimates where it gives none."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

_BYTES_A_TOKEN = 4
"""In the vocabularies of today's models, English has about 4 bytes a token. A Chinese character has
3 bytes and about 0.7 tokens, so the rule holds for both."""
_MESSAGE_TOKENS = 4
"""Tokens that a chat template adds to a message."""
_IMAGE_TOKENS = 1000
"""Tokens of an image of about a megapixel, with most models."""
_MOST_TOKENS = 10**9
"""A larger count is an error of the upstream, and counts as missing."""


def estimate(text_bytes: int) -> int:
    """Returns the estimated tokens of a text with this many bytes; see :func:`size`."""
    return -(-text_bytes // _BYTES_A_TOKEN)


def size(text: str) -> int:
    """Returns the bytes of a text in UTF-8, with 3 bytes for a lone surrogate."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimate_prompt(chat: Mapping[str, Any]) -> int:
    """Returns the estimated tokens of a chat completion request's prompt: messages and tools."""
    in_messages = sum(_message_tokens(message) for message in chat["messages"])
    tools = chat.get("tools")
    return in_messages + (estimate(size(_dumps(tools))) if tools else 0)


def _message_tokens(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = [{"text": content}] if isinstance(content, str) else content or []
    texts = [part["text"] for part in parts if "text" in part]
    if calls := message.get("tool_calls"):
        texts.append(_dumps(calls))
    images = (len(parts) - sum("text" in part for part in parts)) * _IMAGE_TOKENS
    return _MESSAGE_TOKENS + estimate(sum(map(size, texts))) + images


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class UsageCounts(NamedTuple):
    """The counts in an upstream's `usage`; None for each missing one."""

    prompt: int | None
    cached: int | None
    """Prompt tokens that the upstream read from its cache."""
    completion: int | None
    """Reasoning and answer together."""
    reasoning: int | None


def usage_counts(usage: Mapping[str, Any] | None) -> UsageCounts:
    """Returns the counts. A value other than an integer from 0 to 10**9 counts as missing."""
    usage = usage or {}
    return UsageCounts(
        prompt=_count(usage, "prompt_tokens"),
        cached=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
        completion=_count(usage, "completion_tokens"),
        reasoning=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def counted(usage: Mapping[str, Any] | None, reasoning: int, output: int) -> tuple[int, int]:
    """Returns the tokens of the reasoning and of the answer.

    They are the upstream's counts where there are any, else the given estimates.
    """
    counts = usage_counts(usage)
    if counts.completion is None:
        return reasoning, output
    reasoned = min(counts.completion, reasoning if counts.reasoning is None else counts.reasoning)
    return reasoned, counts.completion - reasoned


def _count(counts: Any, name: str) -> int | None:
    count = counts.get(name) if isinstance(counts, Mapping) else None
    return count if type(count) is int and 0 <= count <= _MOST_TOKENS else None
