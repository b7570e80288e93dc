"""Token counts where nobody has given one: estimates, and only ever called so."""

import json
from collections.abc import Mapping
from typing import Any

_BYTES_A_TOKEN = 4
"""English has about 4 bytes a token in the vocabularies of today's models, and a Chinese character,
with its 3 bytes, about 0.7 tokens: one rule serves both."""
_MESSAGE_TOKENS = 4
"""What a chat template writes around a message."""
_IMAGE_TOKENS = 1000
"""Of an image of about a megapixel, with most models."""
_MOST_TOKENS = 10**9
"""No answer has more; a larger figure is a fault."""


def estimate(text_bytes: int) -> int:
    """About how many tokens a text of so many bytes has; see :func:`size`."""
    return -(-text_bytes // _BYTES_A_TOKEN)


def size(text: str) -> int:
    """The bytes of a text in UTF-8, lone surrogates and all."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimate_prompt(chat: Mapping[str, Any]) -> int:
    """About how many tokens the prompt of a chat completion request has: messages and tools."""
    said = sum(_message_tokens(message) for message in chat["messages"])
    tools = chat.get("tools")
    return said + (estimate(size(_dumps(tools))) if tools else 0)


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


def counted(usage: Mapping[str, Any] | None, reasoning: int, output: int) -> tuple[int, int]:
    """Tokens of reasoning and answer: as an upstream's usage says, else these estimates.

    `completion_tokens` holds both; how much of it was reasoning is in its details, or is estimated.
    """
    said = _count(usage, "completion_tokens")
    if said is None:
        return reasoning, output
    details = usage.get("completion_tokens_details") if usage else None
    of_reasoning = _count(details, "reasoning_tokens")
    thought = min(said, reasoning if of_reasoning is None else of_reasoning)
    return thought, said - thought


def _count(counts: Any, name: str) -> int | None:
    """A count among what an upstream sent, if it is one."""
    count = counts.get(name) if isinstance(counts, Mapping) else None
    return count if type(count) is int and 0 <= count <= _MOST_TOKENS else None
