"""The prompt summary and the summaries of the reasoning. One table, SUMMARIZERS.

To add a summarizer: one file with a :class:`Summarizer`, one line here.
"""

from gateway.config import Detail
from gateway.core.summarizers.base import LINE_WITHIN_S, Summarizer, Summary
from gateway.core.summarizers.choice import MODEL, OFF, Summarizers
from gateway.core.summarizers.extractive import ExtractiveSummarizer
from gateway.core.summarizers.prompt import Prompt, prompt_of
from gateway.core.summarizers.written import WrittenSummarizer

__all__ = [
    "BUDGET_WORDS",
    "LINE_WITHIN_S",
    "MODEL",
    "OFF",
    "SUMMARIZERS",
    "ExtractiveSummarizer",
    "Prompt",
    "Summarizer",
    "Summarizers",
    "Summary",
    "WrittenSummarizer",
    "prompt_of",
]

BUDGET_WORDS: dict[Detail, int] = {"concise": 30, "auto": 60, "detailed": 120}
"""The length of the summary proper, in words."""

SUMMARIZERS: dict[str, type[Summarizer]] = {
    "extractive": ExtractiveSummarizer,
    "model": WrittenSummarizer,
}
"""Name → class."""
