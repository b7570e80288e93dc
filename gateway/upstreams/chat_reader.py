"""Reads the answer of a chat server: lines in, parts out.

A line goes through these modules, from top to bottom:

    chat_reader     lines → events; or → texts, by the template of the fast path
    event_reader    an event → a chunk, an error, a keep-alive, the end
    chunk_reader    a chunk → a delta, usage, a finish reason
    delta_reader    a delta → texts, tool calls, unknown fields
    part_joiner     the results of all of them → the parts of one read

The reader also accepts one JSON body in place of a stream.
"""

import re
from collections.abc import Sequence

from gateway.core.parts import Part
from gateway.core.sse import MAX_EVENT_BYTES, Decoder
from gateway.upstreams.error_bodies import Redact
from gateway.upstreams.event_reader import EventReader
from gateway.upstreams.frame_template import FrameTemplate, PartType, TemplateLearner
from gateway.upstreams.part_joiner import PartJoiner
from gateway.upstreams.stream_errors import ErrorReader, bad_chunk

_FIELDS = (b"data", b"event", b"id", b"retry", b":", b"\xef\xbb\xbf")
"""The first bytes of the lines of an event stream."""
_BARE_ERROR = re.compile(
    rb"\s*(?:error|err|exception)\s*:\s*|(?=\s*\{\s*\"error\")"
    rb"|(?=\s*(?:internal server error|bad gateway|service unavailable|gateway time-?out"
    rb"|upstream connect error|traceback \(|<!doctype html|<html|<title>))",
    re.IGNORECASE,
)
"""A line that is an error without `data:` before it. The match is the label to remove, if any."""
_MAX_STRAY_BYTES = 500
"""Other lines outside of events are kept up to this size: they may explain an empty answer."""


class ChatReader:
    """Reads the lines of one answer into the parts of one of its choices."""

    def __init__(
        self, choice: int = 0, redact: Redact = str, key_setting: str = "UPSTREAM_API_KEY"
    ) -> None:
        """choice: the index of the choice.

        redact: removes the gateway's keys from the upstream's error messages. key_setting: the
        setting that holds the upstream's key, to name in the error if the upstream refuses it.
        """
        self._choice_index = choice
        self._parts = PartJoiner()
        self._errors = ErrorReader(redact, key_setting)
        self._events = EventReader(self._parts, choice, self._errors)
        self._deltas = self._events.chunks.deltas
        self._sse = Decoder()
        self._learner = TemplateLearner()
        self._template_frames = 0
        """Frames that were read with a template."""
        self._has_begun = False
        """A line that is not blank has arrived."""
        self._body: list[bytes] | None = None
        """The lines of one JSON body; None for a stream."""
        self._held_bytes = 0
        """Size of the incomplete event, or of the JSON body so far."""
        self._stray = b""
        """The first lines that do not belong to an event stream."""

    def feed(self, lines: Sequence[bytes]) -> list[Part]:
        """Takes the lines of one read, without line ends; returns the parts that they complete."""
        if not self._has_begun:
            self._begin(lines)
        if self._body is not None:
            self._body.extend(lines)
            self._hold(lines)
            return self._parts.take()
        at = 0
        while at < len(lines):
            template = self._known_template()
            texts = template.texts_of_lines(lines, at) if template is not None else None
            if not texts or template is None:
                at = self._parsed(lines, at)
                continue
            end = at + 2 * len(texts)
            text = template.decode(texts)
            if text is None:
                at = self._parsed(lines, at, end)
                continue
            template.has_fitted = True
            self._template_frames += len(texts)
            if end - at == len(lines):
                return [template.part(text)] if text else []  # the whole read: the usual case
            if text:
                self._parts.add_piece(template.part, text)
            at = end
        if self._sse.between_events:
            self._held_bytes = 0
        else:
            self._hold(lines)
        return self._parts.take()

    def close(self) -> list[Part]:
        """The body has ended: returns the last parts."""
        if self._body is not None:
            self._events.body(b"\n".join(self._body))
        for message in self._sse.close():
            self._events.read(message)
        self._deltas.close()
        if self._stray:
            self._events.stray_text(self._stray.decode("utf-8", "replace"))
        return self._parts.take()

    @property
    def frames(self) -> int:
        """The number of frames with a choice that :meth:`feed` has read."""
        return self._template_frames + self._events.chunks.choices

    @property
    def answer_id(self) -> str:
        """The id that the upstream has given its answer; "" while unknown."""
        return self._events.chunks.answer_id

    @property
    def reasoning_field(self) -> str:
        """The member in which the upstream sends its reasoning; "" while unknown."""
        return self._deltas.reasoning_field

    @property
    def template(self) -> tuple[FrameTemplate, PartType] | None:
        """The frame that the answer repeats, and the type of its text; None while unknown."""
        template = self._known_template()
        return (template, template.part) if template is not None else None

    def _begin(self, lines: Sequence[bytes]) -> None:
        """An answer that begins with a brace or a bracket is not a stream but one JSON body."""
        first = next((line.lstrip() for line in lines if line.strip()), None)
        if first is not None:
            self._has_begun = True
            if first.startswith((b"{", b"[")):
                self._body = []

    def _hold(self, lines: Sequence[bytes]) -> None:
        """Counts lines that did not end an event or the body; too many bytes are a fault."""
        self._held_bytes += sum(map(len, lines))
        if self._held_bytes > MAX_EVENT_BYTES:
            self._body, self._sse = None, Decoder()
            self._parts.add(bad_chunk("The upstream sent an event that is too long."))

    def _parsed(self, lines: Sequence[bytes], at: int, end: int | None = None) -> int:
        """Parses the lines from `at` to `end`, or to the end of one event if `end` is None.

        Returns the index of the next line.
        """
        if end is None:
            end = next((i for i in range(at, len(lines)) if not lines[i]), len(lines) - 1) + 1
            if end - at == 2 and self._sse.between_events:
                self._learner.learn(lines[at], self._parts_of)
        event = lines[at:end]
        for message in self._sse.feed(event):
            self._events.read(message)
        for line in event:
            if line and not line.startswith(_FIELDS):
                self._stray_line(line)
        return end

    def _stray_line(self, line: bytes) -> None:
        """Takes a line that does not belong to an event stream: it may be an error."""
        if error := _BARE_ERROR.match(line):
            self._events.error(line[error.end() :] or line)
        elif line.lstrip().startswith(b"{"):
            self._events.stray_object(line)
        elif len(self._stray) < _MAX_STRAY_BYTES:
            self._stray += line[:_MAX_STRAY_BYTES] + b"\n"

    def _known_template(self) -> FrameTemplate | None:
        """Returns the template if it can read the next line: one that begins a frame."""
        is_between = self._sse.between_events and not self._deltas.held_text
        return self._learner.template if is_between else None

    def _parts_of(self, line: bytes) -> list[Part]:
        """Returns the parts of one line by itself, as if it came in the middle of a stream."""
        parts = PartJoiner()
        probe = EventReader(parts, self._choice_index, self._errors, is_probe=True)
        for message in Decoder().feed([b"", line, b""]):
            probe.read(message)
        return parts.take()
