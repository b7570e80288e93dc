"""The nesting depth of a JSON text that arrives in pieces. Each piece is searched once."""

_SLICE_CHARS = 65536
"""Pieces are counted in slices, which limits the memory for the parts of a split text."""


class JsonDepth:
    """The depth at the end of the pieces so far."""

    def __init__(self) -> None:
        self.depth = 0
        """The number of open brackets."""
        self.in_string = False
        """The pieces end inside a string."""
        self._rest = ""
        """A backslash at the end of the last slice; the character that it escapes comes next."""

    def add(self, piece: str) -> None:
        """Counts the brackets of a piece outside of strings."""
        for at in range(0, len(piece), _SLICE_CHARS):
            self._count(piece[at : at + _SLICE_CHARS])

    def _count(self, text: str) -> None:
        text = (self._rest + text).replace("\\\\", "").replace('\\"', "")
        self._rest = "\\" if text.endswith("\\") else ""
        parts = text.removesuffix("\\").split('"')
        outside = "".join(parts[self.in_string :: 2])
        self.in_string ^= len(parts) % 2 == 0
        self.depth += outside.count("{") + outside.count("[")
        self.depth -= outside.count("}") + outside.count("]")
