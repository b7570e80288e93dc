"""The end of an answer: chooses its finish reason, because servers send several or none."""

from typing import Any

from gateway.core.finish_reasons import LENGTH, STOP, TOOL_CALLS, UNKNOWN, meaning_of
from gateway.core.tokens import usage_counts


class Ending:
    """The finish reason of one answer, as far as it is known."""

    def __init__(self, max_tokens: int | None = None) -> None:
        """max_tokens: the limit that the request sets for the answer."""
        self._max_tokens = max_tokens
        self.finish_reason: str | None = None
        self.stop_sequence: str | None = None

    def forget(self) -> None:
        """Forgets the reason: another answer begins, or the answer broke."""
        self.finish_reason = self.stop_sequence = None

    def take(self, reason: str, stop_sequence: str | None) -> bool:
        """Takes a finish reason. Returns False if an earlier one already says more."""
        if self.finish_reason is not None and meaning_of(reason) in ("finished", "unknown"):
            return False  # some servers send `stop` after `tool_calls`
        self.finish_reason, self.stop_sequence = reason, stop_sequence
        return True

    def complete(
        self, *, in_one_piece: bool, has_calls: bool, usage: dict[str, Any] | None
    ) -> None:
        """The server has declared the answer complete. Chooses the reason if it has sent none."""
        if self.finish_reason is None:
            self.finish_reason = self._reason_not_given(in_one_piece, has_calls, usage)

    @property
    def stopped(self) -> bool:
        """The model has ended its answer by itself."""
        reason = self.finish_reason
        return reason is not None and meaning_of(reason) in ("finished", "unknown")

    def _reason_not_given(
        self, in_one_piece: bool, has_calls: bool, usage: dict[str, Any] | None
    ) -> str:
        if has_calls:
            return TOOL_CALLS
        written = usage_counts(usage).completion
        if written is not None and self._max_tokens is not None:
            return LENGTH if written >= self._max_tokens else STOP
        # The [DONE] of a stream shows that the answer is complete. A JSON body shows nothing.
        return UNKNOWN if in_one_piece else STOP
