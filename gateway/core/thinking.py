"""When the thinking of a turn has to end before the model ends it: by request, or by a budget.

:class:`ThinkingLimit` is what a turn asks after each read. A turn whose thinking has to end emits
the effect :class:`gateway.core.effects.EndThinking`; see :mod:`.continuation` for what comes then.
"""

from gateway.core.effects import WhyEnded

SLACK_SHARE = 0.1
SLACK_TOKENS = 64
_BYTES_OF_ONE_TOKEN = 8
"""Frames with more text than this on average hold several tokens each."""
_BYTES_A_TOKEN = 4


def with_slack(budget: int) -> int:
    """Returns the tokens after which a server has not kept a budget that it was given.

    So a server that keeps the budget, as it counts tokens, is never told to end the thinking.
    """
    return budget + max(round(budget * SLACK_SHARE), SLACK_TOKENS)


def count_tokens(frames: int, text_bytes: int) -> int:
    """Returns the tokens in a text that came in this many frames.

    Most servers send one token in a frame. Where the frames are longer, the bytes are counted.
    """
    if text_bytes <= _BYTES_OF_ONE_TOKEN * frames:
        return frames
    return max(frames, -(-text_bytes // _BYTES_A_TOKEN))


class ThinkingLimit:
    """Whether a turn's thinking has to end, and why it did."""

    __slots__ = ("_limit", "_requested", "_was", "is_watched", "why")

    def __init__(self) -> None:
        self._limit: int | None = None
        self._requested = False
        self._was: WhyEnded | None = None
        self.is_watched = False
        """There is a limit or a request: the turn has to look after each read."""
        self.why: WhyEnded | None = None
        """Why the gateway has ended the thinking; None while it has not."""

    def request(self) -> None:
        """The client wants the answer now."""
        self._requested = True
        self._watch()

    def set_limit(self, tokens: int | None) -> None:
        """Sets the tokens after which the thinking has to end."""
        self._limit = tokens
        self._watch()

    def ask_again(self) -> None:
        """The thinking goes on although it should have ended: it is to be ended in another way."""
        self._was, self.why = self.why, None
        self._watch()

    def give_up(self) -> None:
        """The thinking can't be ended: the model goes on."""
        self._limit, self._requested, self.why, self._was = None, False, None, None
        self._watch()

    def end(self, tokens: int) -> WhyEnded | None:
        """Returns why the thinking has to end after this many tokens; None when it may go on."""
        if self._was is not None:
            self.why = self._was
        elif self._requested:
            self.why = "request"
        elif self._limit is not None and tokens > self._limit:
            self.why = "budget"
        self._watch()
        return self.why

    def _watch(self) -> None:
        self.is_watched = self.why is None and (
            self._requested or self._limit is not None or self._was is not None
        )
