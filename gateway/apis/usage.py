"""Token counts of an answer, for the APIs whose answers always state them."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.apis.base import Answer
from gateway.core.events import Done
from gateway.core.tokens import usage_counts


class TokenCounts(msgspec.Struct, frozen=True):
    """The upstream's counts, with estimates for those that the upstream did not give."""

    prompt: int
    cached: int
    """Prompt tokens that the upstream read from its cache."""
    output: int
    """Reasoning and answer together."""
    reasoning: int
    estimated: Literal["reasoning", "all"] | None
    """Which of the counts are estimates."""
    summarizer: Mapping[str, int] | None
    """The summary model's tokens; None when no model wrote the summaries."""

    def extra_members(self, reasoning_member: str) -> dict[str, Any]:
        """Returns `estimated` and `summarizer`: no API defines them, and all SDKs accept them.

        reasoning_member: the API's name for the count of reasoning tokens.
        """
        members: dict[str, Any] = {}
        if self.estimated is not None:
            members["estimated"] = "all" if self.estimated == "all" else reasoning_member
        if self.summarizer is not None:
            members["summarizer"] = dict(self.summarizer)
        return members


def token_counts(done: Done, answer: Answer) -> TokenCounts:
    """Returns the counts of a complete answer."""
    usage = usage_counts(done.usage)
    estimated: Literal["reasoning", "all"] | None = None
    if usage.prompt is None or usage.completion is None:
        estimated = "all"
    elif usage.reasoning is None:
        estimated = "reasoning"
    prompt = answer.prompt_tokens if usage.prompt is None else usage.prompt
    output = usage.completion
    if output is None:
        output = done.tokens.reasoning + done.tokens.output
    reasoning = done.tokens.reasoning if usage.reasoning is None else usage.reasoning
    return TokenCounts(
        prompt=prompt,
        cached=min(prompt, usage.cached or 0),
        output=output,
        reasoning=min(output, reasoning),
        estimated=estimated,
        summarizer=done.summarizer_usage,
    )
