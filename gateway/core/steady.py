"""The fast path, decided without I/O: most reads contain only more text.

While a model answers, a server repeats the same frame, and only the text in it changes.
Once the reader knows that frame (the template) and the turn knows that such a text can become only
one kind of event, a read needs no parsing: :meth:`SteadyState.text_of` cuts the text out, and
:meth:`Turn.feed_text` makes the event. Any other read takes the full parse. Both ways give the same
events; a property test compares them on random streams.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.core.events import Event
from gateway.core.families import MarkerFree


class Template(Protocol):
    """The frame that an upstream repeats; see gateway.upstreams.frame_template."""

    def texts_of_chunks(self, data: bytes) -> Sequence[bytes]:
        """Returns the insides of the JSON strings in chunks of one frame each; empty: no fit."""

    def decode(self, texts: Sequence[bytes]) -> str | None:
        """Returns the joined texts of these insides of JSON strings; None if one is invalid."""


class SteadyState:
    """Reads the texts of a turn without a parse, as long as reads contain only text."""

    __slots__ = ("_is_json_ascii", "_marker_free", "_template", "frames")

    def __init__(self, template: Template, marker_free: MarkerFree) -> None:
        """marker_free: the texts that contain no marker and no piece of one."""
        self.frames = 0
        """The number of frames whose text was read."""
        self._template = template
        self._marker_free = marker_free
        self._is_json_ascii = marker_free.json_ascii.fullmatch

    def text_of(self, data: bytes) -> str | None:
        """Returns the text of a read that contains only text; None if it has to be parsed."""
        texts = self._template.texts_of_chunks(data)
        if not texts:
            return None
        inside = texts[0] if len(texts) == 1 else b"".join(texts)
        if self._is_json_ascii(inside):
            self.frames += len(texts)
            return inside.decode("ascii")
        text = self._template.decode(texts)
        if not text or not self._marker_free.includes(text):
            return None
        self.frames += len(texts)
        return text


class SteadyTurn(Protocol):
    """The methods of a turn that a Feeder calls."""

    def feed(self, lines: Sequence[bytes], now: float) -> list[Event]: ...
    def feed_text(self, text: str, now: float) -> list[Event]: ...
    def steady_state(self) -> SteadyState | None: ...


class Feeder:
    """Feeds a turn with the reads of one body, by the fast path if possible."""

    __slots__ = ("_is_between_frames", "_lines_of", "_steady", "_turn")

    def __init__(
        self,
        turn: SteadyTurn,
        lines_of: Callable[[bytes], list[bytes]],
        is_between_frames: Callable[[], bool],
    ) -> None:
        """lines_of: returns the lines that a read completes. is_between_frames: whether the last
        read ended with a complete HTTP chunk and a complete line."""
        self._turn = turn
        self._lines_of = lines_of
        self._is_between_frames = is_between_frames
        self._steady: SteadyState | None = None

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Returns the events of one read. Raises the errors of `lines_of`."""
        steady = self._steady
        if steady is not None and (text := steady.text_of(data)) is not None:
            return self._turn.feed_text(text, now)
        events = self._turn.feed(self._lines_of(data), now)
        self._steady = self._turn.steady_state() if self._is_between_frames() else None
        return events
