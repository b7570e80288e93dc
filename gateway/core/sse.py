"""Server-Sent Events, both ways: lines to messages, messages to bytes. No I/O.

The decoder follows the WHATWG algorithm (https://html.spec.whatwg.org/multipage/server-sent-events.html
section 9.2.6) with one deliberate deviation: :meth:`Decoder.close` returns a last message without
the blank line that should end it. Otherwise a model's last words would be lost.
"""

import json
from collections.abc import Callable, Iterable
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any, NamedTuple

DONE = b"[DONE]"
"""The data of the message that ends an OpenAI-style stream."""

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""The largest event of an upstream. No model writes that much in one event."""

_BOM = b"\xef\xbb\xbf"
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Message(NamedTuple):
    """One dispatched event of a stream."""

    event: str
    """The event's name, "" when it has none."""
    data: bytes
    """The data lines, joined by LF."""
    id: str | None
    """The last event id in the stream so far; None: there was none."""


class Decoder:
    """Turns lines into messages, any number of lines at a time."""

    def __init__(self) -> None:
        self._event = ""
        self._data: list[bytes] = []
        self._id: str | None = None
        self._first = True

    def feed(self, lines: Iterable[bytes]) -> list[Message]:
        """Takes lines without their line ends; returns the messages that they complete."""
        messages = []
        for line in lines:
            if self._first:
                self._first = False
                line = line.removeprefix(_BOM)
            if line.startswith(b"data: "):
                self._data.append(line[6:])
            elif line:
                self._field(line)
            elif self._data:
                messages.append(self._dispatch())
            else:
                self._event = ""
        return messages

    @property
    def between_events(self) -> bool:
        """The next line begins an event."""
        return not self._data and not self._event

    def close(self) -> list[Message]:
        """The stream has ended: returns a last message that no blank line completed, if any."""
        return [self._dispatch()] if self._data else []

    def _dispatch(self) -> Message:
        message = Message(self._event, b"\n".join(self._data), self._id)
        self._event = ""
        self._data = []
        return message

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")


quote: Callable[[str], str] = encode_basestring_ascii
"""Encodes a text as a JSON string in ASCII.

Some clients split lines at U+0085, U+2028 and U+2029. Escaping all characters beyond ASCII keeps
these out of the stream. It also passes lone surrogates on, which UTF-8 can't encode.
"""


def dumps(value: Any) -> str:
    """Encodes a value as compact JSON in ASCII; see :data:`quote`.

    Infinity and NaN, which some servers send as logprobs, become null: JSON does not have them.
    """
    try:
        return _encode(value)
    except ValueError:
        return _encode(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def frame(data: str, event: str = "", id: str = "") -> bytes:
    """Returns an event as bytes. data: one line of ASCII; see :data:`quote` and :func:`dumps`."""
    if not event and not id:
        return f"data: {data}\n\n".encode()
    head = f"id: {id}\n" if id else ""
    if event:
        head += f"event: {event}\n"
    return f"{head}data: {data}\n\n".encode()


def comment(text: str) -> bytes:
    """Returns a comment as bytes. Parsers skip it; it keeps a silent connection open."""
    return f": {text}\n\n".encode("ascii")
