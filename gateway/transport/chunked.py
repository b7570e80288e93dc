"""Decodes HTTP/1.1 chunked transfer coding (RFC 9112, section 7.1). No I/O.

http.client returns one chunk a read, and most servers write one token a chunk. This decoder takes
all chunks of a read at once.
"""

import re

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_MAX_LINE_BYTES = 65536
"""Limit for a size line or a trailer; http.client has the same."""
_MAX_SIZES = 4096
_sizes: dict[bytes, int] = {}
"""Size line → size, for up to _MAX_SIZES lines seen in any stream."""


class BadChunk(ValueError):
    """The bytes are not in chunked coding."""


class ChunkedDecoder:
    """Decodes one body, however the reads cut it."""

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0
        """Bytes of the current chunk that have not arrived yet."""
        self._at_end_of_data = False
        self._in_trailers = False
        self.ended = False
        """The last chunk and its trailers have arrived."""
        self.fault: BadChunk | None = None
        """What is wrong with the bytes after the data returned so far."""

    @property
    def rest(self) -> bytes:
        """The bytes after the end of the body."""
        return self._rest

    @property
    def at_boundary(self) -> bool:
        """The next byte begins a size line."""
        inside = self._left or self._at_end_of_data or self._in_trailers
        return not (inside or self._rest or self.fault)

    def feed(self, data: bytes) -> bytes:
        """Returns the data of the chunks in these bytes. Stops at a fault, and sets `fault`."""
        data = self._rest + data if self._rest else data
        found: list[bytes] = []
        at = 0
        while not self.ended:
            at = self._whole_chunks(data, at, found)
            if at == len(data):
                break  # the usual case
            if self._left:
                piece = data[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._at_end_of_data = True
            end = data.find(b"\n", at)
            if end < 0:
                if len(data) - at > _MAX_LINE_BYTES:
                    self.fault = BadChunk("a line is too long")
                break
            try:
                self._line(data[at:end].removesuffix(b"\r"))
            except BadChunk as fault:
                self.fault = fault
                break
            at = end + 1
        self._rest = data[at:]
        return b"".join(found)

    def _whole_chunks(self, data: bytes, at: int, found: list[bytes]) -> int:
        """The fast path: adds whole chunks with known size lines. Returns where it stopped."""
        if self._left or self._at_end_of_data or self._in_trailers:
            return at
        while (end := data.find(b"\r\n", at)) > 0 and (size := _sizes.get(data[at:end])):
            stop = end + 2 + size
            if data[stop : stop + 2] != b"\r\n":
                break
            found.append(data[end + 2 : stop])
            at = stop + 2
        return at

    def _line(self, line: bytes) -> None:
        """Reads the line after a chunk's data, a size line, or a trailer. Raises BadChunk."""
        if self._at_end_of_data:
            if line:
                raise BadChunk("a chunk is longer than its size")
            self._at_end_of_data = False
        elif self._in_trailers:
            self.ended = not line
        else:
            size = line.partition(b";")[0].strip()
            if not _SIZE.fullmatch(size):
                raise BadChunk("a chunk's size is not a hexadecimal number")
            self._left = int(size, 16)
            self._in_trailers = self._left == 0
            if size == line and self._left and len(_sizes) < _MAX_SIZES:
                _sizes[line] = self._left
