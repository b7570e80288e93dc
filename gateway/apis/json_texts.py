"""JSON in texts: the arguments of tool calls, as models write them and clients send them back.

The number of values in such a text has no limit. So most texts are only checked: this makes no
objects of the values, and takes a tenth of the time.
"""

import json
import re
from typing import Any

import msgspec

from gateway.core.json_depth import JsonDepth
from gateway.core.json_size import has_too_many_values

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
"""An escaped surrogate. Models write lone ones, which msgspec refuses."""


def is_json(text: str) -> bool:
    """Returns whether the text is one JSON value. `NaN` and `Infinity` are not JSON."""
    try:
        _check(text)
    except (ValueError, RecursionError):
        return False
    return True


def is_object(text: str) -> bool:
    """Returns whether the text is a JSON object."""
    return text.lstrip().startswith("{") and is_json(text)


def parse_object(text: str) -> dict[str, Any] | None:
    """Returns the JSON object that the text holds; None if it holds none, or too many values."""
    if has_too_many_values(text.encode("utf-8", "replace")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class ObjectPieces:
    """The pieces of a JSON object. Each piece is searched once for the end of the object."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._seen = 0
        """The number of pieces that `_depth` includes."""
        self._depth = JsonDepth()
        self._is_complete: bool | None = None
        """Known as soon as all brackets are closed; later pieces do not change it."""

    def append(self, piece: str) -> None:
        """Adds a piece."""
        self._pieces.append(piece)

    def text(self) -> str:
        """Returns the pieces as one text."""
        return "".join(self._pieces)

    def is_complete(self) -> bool:
        """Returns whether the pieces so far are a JSON object."""
        while self._is_complete is None and self._seen < len(self._pieces):
            piece = self._pieces[self._seen]
            self._seen += 1
            self._depth.add(piece)
            if self._depth.depth <= 0 and not self._depth.in_string and not piece.isspace():
                self._is_complete = is_object(self.text())
        return bool(self._is_complete)


def _check(text: str) -> None:
    """Raises ValueError or RecursionError for a text that is no JSON."""
    data = text.encode("utf-8", "replace")
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        if _SURROGATE.search(text) is None:
            raise
        without = _SURROGATE.sub(r"\\u0041", text).encode("utf-8", "replace")
        msgspec.json.decode(without, type=msgspec.Raw)
