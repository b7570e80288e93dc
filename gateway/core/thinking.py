"""The limit of a turn's thinking: a budget, or a client that asks for the answer now.

A turn asks its :class:`ThinkingLimit` after each read. If the thinking has to end, the turn returns
the effect :class:`gateway.core.effects.EndThinking`. :mod:`.continuation` describes the next steps.
"""

from gateway.core.effects import WhyEnded
from gateway.core.tokens import estimate

SLACK_SHARE = 0.1
SLACK_TOKENS = 64
"""A server may exceed its budget by the larger of these, the share being one of the budget."""
_BYTES_OF_ONE_TOKEN = 8
"""Frames with more text than this on average hold several tokens each."""


def with_slack(budget: int) -> int:
    """Returns the tokens after which a server has exceeded its budget for certain.

    A server that keeps the budget may count tokens differently, so it gets some slack.
    """
    return budget + max(round(budget * SLACK_SHARE), SLACK_TOKENS)


def count_tokens(frames: int, text_bytes: int) -> int:
    """Returns the estimated tokens in a text that came in this many frames.

    Most servers send one token in a frame. If the frames are longer, the bytes are counted.
    """
    if text_bytes <= _BYTES_OF_ONE_TOKEN * frames:
        return frames
    return max(frames, estimate(text_bytes))


class ThinkingLimit:
    """Whether a turn's thinking has to end, and why it has ended."""

    __slots__ = ("_again", "_limit", "_requested", "is_watched", "why")

    def __init__(self) -> None:
        self._limit: int | None = None
        self._requested = False
        self._again: WhyEnded | None = None
        """The reason why the thinking should have ended already, while another try is due."""
        self.is_watched = False
        """There is a limit or a request, so the turn has to call :meth:`end` after each read."""
        self.why: WhyEnded | None = None
        """Why the gateway has ended the thinking; None while it has not."""

    def request(self) -> None:
        """The client wants the answer now."""
        self._requested = True
        self._watch()

    def set_limit(self, tokens: int | None) -> None:
        """Sets the tokens after which the thinking has to end; None: no limit."""
        self._limit = tokens
        self._watch()

    def ask_again(self) -> None:
        """The thinking did not end: the next :meth:`end` returns the same reason again."""
        self._again, self.why = self.why, None
        self._watch()

    def give_up(self) -> None:
        """The thinking can't be ended: the model goes on."""
        self._limit, self._requested, self.why, self._again = None, False, None, None
        self._watch()

    def end(self, tokens: int) -> WhyEnded | None:
        """Returns why the thinking has to end after this many tokens; None if it may go on."""
        if self._again is not None:
            self.why = self._again
        elif self._requested:
            self.why = "request"
        elif self._limit is not None and tokens > self._limit:
            self.why = "budget"
        self._watch()
        return self.why

    def _watch(self) -> None:
        self.is_watched = self.why is None and (
            self._requested or self._limit is not None or self._again is not None
        )
