"""How deep a JSON text that comes in pieces is nested. Each piece is looked at once."""

_SLICE_CHARS = 65536


class JsonDepth:
    """The brackets that are open at the end of the pieces so far."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self._rest = ""
        """A backslash whose second character is in the next piece."""

    def add(self, piece: str) -> None:
        """Counts the brackets of a piece."""
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
