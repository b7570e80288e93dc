"""What every summarizer has to do."""

from typing import NamedTuple

from gateway.core.effects import AskSummaryModel, SummaryReply


class Summary(NamedTuple):
    """The end of an account."""

    text: str
    """The summary proper, "" when there was nothing to summarize."""
    closing: str
    """What is still to show for someone who has seen the live lines, or ""."""
    lines: tuple[str, ...] = ()
    """Live lines that were held back until now; they come before the closing."""


class Summarizer:
    """One account of one text of reasoning.

    prompt: the text that the model was asked, of any length; "" when it is not known.
    budget_words: how long the summary proper may be.

    One that needs a model says so with :meth:`ask` and is given the :meth:`answer`; nothing waits
    in between. `now` is in seconds of a monotonic clock.
    """

    def __init__(self, prompt: str, budget_words: int) -> None:
        raise NotImplementedError

    def feed(self, text: str) -> list[str]:
        """Takes the next piece of reasoning; gives the live lines that it finishes, mostly none."""
        raise NotImplementedError

    def ask(self, now: float) -> AskSummaryModel | None:
        """What it wants to know from a model now, if anything; then it waits for the answer."""
        return None

    def answer(self, reply: SummaryReply) -> list[str]:
        """Takes the answer to the last ask; gives live lines."""
        return []

    def close(self) -> Summary:
        """The reasoning is over."""
        raise NotImplementedError
