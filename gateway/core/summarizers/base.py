"""The interface of a summarizer."""

from typing import NamedTuple

from gateway.core.effects import AskSummaryModel, SummaryReply

LINE_WITHIN_S = 15.0
"""Seconds of thinking without a line after which the summarizer is told to hurry."""


class Summary(NamedTuple):
    """The summary of a reasoning that is over."""

    text: str
    """The summary proper; "" if there was no reasoning."""
    closing: str
    """What a reader who has seen the live lines must still be shown, or ""."""
    lines: tuple[str, ...] = ()
    """Live lines that the last sentences made; they come before the closing."""


class Summarizer:
    """Summarizes the reasoning of one answer, while it comes.

    prompt: the text of the prompt, of any length; "" if it is not known.
    budget_words: the length of the summary proper, in words.

    A summarizer that needs a model says so with :meth:`ask` and is given the reply with
    :meth:`answer`; nothing waits in between. `now` is in seconds of a monotonic clock.
    """

    def __init__(self, prompt: str, budget_words: int) -> None:
        raise NotImplementedError

    def leave_out(self, instructions: str) -> None:
        """Takes the system's instructions, before the reasoning: a summary need not repeat them."""

    def feed(self, text: str) -> list[str]:
        """Takes the next piece of reasoning; returns the live lines that are due, mostly none."""
        raise NotImplementedError

    def hurry(self) -> list[str]:
        """LINE_WITHIN_S have brought no line: returns the best there is.

        If there is none yet, the next statement makes a line.
        """
        return []

    def ask(self, now: float) -> AskSummaryModel | None:
        """Returns the next call of the summary model; None if none is due or one is under way."""
        return None

    def answer(self, reply: SummaryReply) -> list[str]:
        """Takes the reply to the last call; returns live lines."""
        return []

    def close(self) -> Summary:
        """Ends the reasoning; returns its summary."""
        raise NotImplementedError
