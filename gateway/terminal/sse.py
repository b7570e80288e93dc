"""A decoder of Server-Sent Events. No I/O.

It follows the WHATWG algorithm (https://html.spec.whatwg.org/multipage/server-sent-events.html
section 9.2.6) with one deviation: :meth:`Decoder.close` returns a last message even if its blank
line is missing, so that the end of an answer is not lost.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class Message(NamedTuple):
    """One message of a stream."""

    event: str
    """The event name, "" if there is none."""
    data: bytes
    """The data lines, joined by LF."""


class Decoder:
    """Turns the bytes of a stream into messages. The bytes may be cut anywhere."""

    def __init__(self) -> None:
        self._partial_line = b""
        self._first_line = True
        self._event = ""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[Message]:
        """Returns the messages that these bytes complete."""
        lines = (self._partial_line + data).splitlines(keepends=True)
        # A CR at the end may be the first half of a CRLF: that line waits for the next bytes.
        complete = not lines or lines[-1].endswith(b"\n")
        self._partial_line = b"" if complete else lines.pop()
        return list(self._messages(line.rstrip(b"\r\n") for line in lines))

    def close(self) -> list[Message]:
        """Returns what the end of the stream completes."""
        return list(self._messages([*self._partial_line.splitlines(), b""]))

    def _messages(self, lines: Iterable[bytes]) -> Iterator[Message]:
        for line in lines:
            if self._first_line:
                self._first_line = False
                line = line.removeprefix(_BOM)
            if line:
                self._add_field(line)
                continue
            if self._data:
                yield Message(self._event, b"\n".join(self._data))
            self._event = ""
            self._data = []

    def _add_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
