"""What a model thought in one turn, kept so that the model can get it back in the next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

KeepThoughts = Callable[[Sequence[str], str], None]
"""Takes the ids of a turn's tool calls, and what the model thought in it."""
MAX_THOUGHT_CHARS = 64 * 1024
"""What is kept of a reasoning for the next turn: its end."""
_MAX_CHARS = 4 * MAX_THOUGHT_CHARS
"""What is kept of it while the turn goes on, so that the model can go on behind it."""


class ThoughtLog:
    """Collects the reasoning of one turn, up to a limit."""

    def __init__(self, *, for_client: bool = False, keep: KeepThoughts | None = None) -> None:
        """for_client: the client can hand it back. keep: the gateway's memory, see `store`."""
        self.for_client = for_client
        self._keep = keep
        self._pieces: list[str] = []
        self._chars = 0
        self._call_ids: list[str] = []

    def add(self, text: str) -> None:
        """Adds a piece of the reasoning."""
        self._pieces.append(text)
        self._chars += len(text)
        if self._chars > 2 * _MAX_CHARS:
            self._pieces = ["".join(self._pieces)[-_MAX_CHARS:]]
            self._chars = _MAX_CHARS

    def add_calls(self, calls: Iterable[Mapping[str, Any]]) -> None:
        """Notes the ids of tool calls, by which the memory finds the thoughts again."""
        self._call_ids += [id for call in calls if isinstance(id := call.get("id"), str)]

    def clear(self) -> None:
        """The reasoning so far was the answer."""
        self._pieces.clear()

    def whole(self) -> str:
        """The reasoning, or its end where it is very long."""
        return "".join(self._pieces)

    def end(self) -> str:
        """The end of the reasoning; "" if there was none."""
        return "".join(self._pieces)[-MAX_THOUGHT_CHARS:]

    def store(self) -> None:
        """The turn is complete: gives the memory what it can find again."""
        if self._keep is not None and self._pieces and self._call_ids:
            self._keep(self._call_ids, self.end())
