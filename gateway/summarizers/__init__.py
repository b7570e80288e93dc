"""What the reader is shown while the model thinks. One table, SUMMARIZERS.

To add a summarizer: one file with a class that has `feed` and `close`, one line here.
"""

from gateway.config import Detail
from gateway.summarizers.extractive import ExtractiveSummarizer, Summary
from gateway.summarizers.prompt import Prompt, prompt_of

__all__ = [
    "BUDGET_WORDS",
    "SUMMARIZERS",
    "ExtractiveSummarizer",
    "Prompt",
    "Summary",
    "prompt_of",
]

BUDGET_WORDS: dict[Detail, int] = {"concise": 30, "auto": 60, "detailed": 120}
"""How many words the summary proper may have."""

SUMMARIZERS = {"extractive": ExtractiveSummarizer}
"""Name → class; each is made with the text of the prompt and the budget in words."""
