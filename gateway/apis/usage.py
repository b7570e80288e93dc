"""What an answer cost, for the APIs that always say it."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.apis.base import Answer
from gateway.core.events import Done


class Counts(msgspec.Struct, frozen=True):
    """Tokens: the upstream's figures and, where it gave none, estimates."""

    prompt: int
    cached: int
    """Of the prompt's, those that the upstream had in its cache."""
    output: int
    """With the reasoning's."""
    reasoning: int
    estimated: Literal["reasoning", "all"] | None
    """What of it is an estimate."""
    summarizer: Mapping[str, int] | None
    """What the summary model cost, if one wrote the summaries."""

    def asides(self, reasoning: str) -> dict[str, Any]:
        """Members that no API has and all SDKs let pass; `reasoning`: its name for them."""
        asides: dict[str, Any] = {}
        if self.estimated is not None:
            asides["estimated"] = "all" if self.estimated == "all" else reasoning
        if self.summarizer is not None:
            asides["summarizer"] = dict(self.summarizer)
        return asides


def count(done: Done, answer: Answer) -> Counts:
    """The counts of an answer that is whole."""
    usage = done.usage or {}
    details = usage.get("completion_tokens_details")
    prompt = _count(usage, "prompt_tokens")
    output = _count(usage, "completion_tokens")
    reasoning = _count(details, "reasoning_tokens")
    estimated: Literal["reasoning", "all"] | None = None if reasoning is not None else "reasoning"
    if prompt is None or output is None:
        estimated = "all"
    prompt = answer.prompt_tokens if prompt is None else prompt
    output = done.tokens.reasoning + done.tokens.output if output is None else output
    return Counts(
        prompt=prompt,
        cached=min(prompt, _count(usage.get("prompt_tokens_details"), "cached_tokens") or 0),
        output=output,
        reasoning=min(output, done.tokens.reasoning if reasoning is None else reasoning),
        estimated=estimated,
        summarizer=done.summarizer_usage,
    )


def _count(counts: Any, name: str) -> int | None:
    """A count, if it is one."""
    found = counts.get(name) if isinstance(counts, dict) else None
    return found if type(found) is int and found >= 0 else None
