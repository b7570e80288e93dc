"""Collects the parts of one read, and joins neighbours that are alike. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.core.parts import Content, Part, Reasoning, ToolCalls
from gateway.upstreams.tool_calls import join_deltas

_JOINED: Mapping[type[Part], Callable[[list[Any]], Part]] = {
    Content: lambda texts: Content("".join(texts)),
    Reasoning: lambda texts: Reasoning("".join(texts)),
    ToolCalls: lambda deltas: ToolCalls(join_deltas(deltas)),
}
"""Type whose neighbouring pieces become one part → how to join the pieces."""


class PartJoiner:
    """The parts of the current read."""

    __slots__ = ("_parts", "_pieces", "_type")

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._pieces: list[Any] = []
        """Pieces of the open part: the last one, which is not in `_parts` yet."""
        self._type: type[Part] = Content
        """The type of the open part."""

    def add(self, part: Part) -> None:
        """Adds a whole part, which is not joined to others."""
        self._end_part()
        self._parts.append(part)

    def add_piece(self, type: type[Part], piece: Any) -> None:
        """Adds a text of a Content or a Reasoning, or a delta of ToolCalls."""
        if type is not self._type:
            self._end_part()
            self._type = type
        self._pieces.append(piece)

    def take(self) -> list[Part]:
        """Returns the parts since the last call."""
        self._end_part()
        parts, self._parts = self._parts, []
        return parts

    @property
    def is_empty(self) -> bool:
        """Nothing was added since the last :meth:`take`."""
        return not self._parts and not self._pieces

    def _end_part(self) -> None:
        if self._pieces:
            self._parts.append(_JOINED[self._type](self._pieces))
            self._pieces.clear()
