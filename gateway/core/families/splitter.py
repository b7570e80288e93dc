"""Splits a model's text into reasoning and answer, at any cuts of the stream.

:class:`Splitter` walks the table of states of a :class:`.grammar.Grammar`. With the grammar of the
example there, four pieces give:

    piece            state after it    segments
    "\\n<thi"         head              none: this may become "<think>"
    "nk>2 < 3"       reasoning         REASONING "2 < 3"
    "\\n</think>\\n"   answer            none: newlines beside a marker are layout
    "No <think>."    answer            ANSWER "No <think>.", for this state has no markers

Two promises hold for every grammar:

- The cuts do not matter: any pieces of the same text give the same result.
- No text is lost: the segments together are the text without the dropped markup, and without the
  white space beside it that counts as layout.
"""

import re
from itertools import groupby

from gateway.core.families.grammar import (
    Exit,
    Grammar,
    MarkerHandling,
    Segment,
    SegmentKind,
    Text,
)

_NEWLINES = re.compile(r"[\r\n]*")


class Splitter:
    """Splits one text, which arrives in pieces, by the states of a grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._state = grammar.states[grammar.start]
        self._held = ""
        self._skip_newlines = grammar.starts_inside
        self._unconfirmed: list[str] | None = [] if grammar.unconfirmed else None
        self._has_reasoning = False
        self._seam: str | None = None
        """Newlines that were dropped before an end marker. They are content if a start marker
        follows directly: some servers put separate tags around each chunk of the reasoning."""
        self._dropped_end = ""
        """An end marker without a start, with the newlines after it. If no text follows, the marker
        has ended nothing, and is text."""
        self.saw_unopened_end = False
        """There was an end marker without a start: the chat template had opened the reasoning."""
        self.saw_start = False
        """There was a start marker of the reasoning."""
        self.saw_weak_marker = False
        """There was a marker that may also be a word of the text."""
        self._undecided: list[str] = []
        """A marker that may be text, and the text after it."""

    def feed(self, text: str) -> list[Segment]:
        """Takes the next piece; returns the segments that are certain by now."""
        if not text:
            return []
        if self._unconfirmed is not None:
            self._unconfirmed.append(text)
        if not self._held and not self._skip_newlines and self._state.is_marker_free(text):
            return [Segment(self._state.kind, text)]
        return self._walk(self._held + text, final=False)

    @property
    def settled_state(self) -> Text | None:
        """The state that any marker-free text would now pass through unchanged.

        None while text is held back or unconfirmed, and at a gate.
        """
        settled = not self._held and not self._skip_newlines and self._unconfirmed is None
        return self._state if settled and isinstance(self._state, Text) else None

    @property
    def is_in_reasoning(self) -> bool:
        """The text so far ends in reasoning, and nothing at its end may become a marker."""
        return self._state.kind is SegmentKind.REASONING and not self._held.strip()

    @property
    def can_restart(self) -> bool:
        """No marker has confirmed the kind of the text yet, so another grammar may read it."""
        return self._unconfirmed is not None

    @property
    def is_unconfirmed(self) -> bool:
        """There is text, and no marker has confirmed its kind yet."""
        return bool(self._unconfirmed)

    def close(self, *, unmarked_is_answer: bool) -> list[Segment]:
        """Ends the text; returns the segments that were held back.

        unmarked_is_answer: reasoning that no marker has confirmed was the answer. Then the result
        is one segment RECLASSIFIED with the whole text.
        """
        segments = self._walk(self._held, final=True)
        if unmarked_is_answer and self._unconfirmed:
            segments = [Segment(SegmentKind.RECLASSIFIED, "".join(self._unconfirmed))]
        self._unconfirmed = None
        if self._dropped_end:
            segments.append(Segment(SegmentKind.ANSWER, self._dropped_end))
            self._dropped_end = ""
        return segments

    def restart(self, grammar: Grammar) -> list[Segment]:
        """Reads the text again with another grammar, if no marker has confirmed the first one.

        Returns the segments of the text so far. They are RECLASSIFIED if it was emitted already.
        """
        if self._unconfirmed is None:
            return []
        self._undecided = []
        text, was_emitted = "".join(self._unconfirmed), self._has_reasoning
        self._grammar, self._state = grammar, grammar.states[grammar.start]
        self._held, self._seam = "", None
        self._skip_newlines = grammar.starts_inside
        self._unconfirmed = [] if grammar.unconfirmed else None
        self._has_reasoning = False
        segments = self.feed(text)
        if not was_emitted:
            return segments
        return [Segment(SegmentKind.RECLASSIFIED, text) for _, text in segments]

    def take_unconfirmed(self) -> str:
        """Returns the whole text so far if no marker has confirmed its kind, and forgets it."""
        text = "".join(self._unconfirmed or ())
        if text:
            self._unconfirmed, self._undecided, self._held = None, [], ""
        return text

    def release(self) -> str:
        """Returns the held text unsplit, for when it turns out that the text has no markers."""
        held = "".join([*self._undecided, self._held])
        self._undecided, self._held = [], ""
        return held

    def _walk(self, text: str, *, final: bool) -> list[Segment]:
        segments = []
        at = 0
        undecided_at: int | None = None
        known_end: Exit | None = None
        read_to = 0
        while True:
            if self._skip_newlines:
                end = _NEWLINES.match(text, at).end()  # type: ignore[union-attr]
                if end > at:
                    self._seam = None
                    if self._dropped_end:
                        self._dropped_end += text[at:end]
                at = end
                self._skip_newlines = at == len(text)
            step = self._state.step(text, at, final=final)
            kind = self._state.kind
            if step.end > at and kind is not SegmentKind.MARKUP:
                self._dropped_end = ""
                if kind is SegmentKind.UNDECIDED:
                    self._undecided.append(text[at : step.end])
                else:
                    segments.append(Segment(kind, text[at : step.end]))
                    if kind is SegmentKind.REASONING:
                        self._has_reasoning = True
            if step.exit is None:
                self._held = text[step.resume :]
                return segments if len(segments) < 3 else _joined(segments)
            exit, between = step.exit, text[step.end : step.resume]
            at = step.resume
            if exit.marker is MarkerHandling.READ_AGAIN:
                # Within this text its place is known, so that much text is never copied often.
                if undecided_at is None:
                    read = "".join(self._undecided[1:])
                    text, at, read_to = read + text[at:], 0, len(read)
                else:
                    at, read_to = undecided_at, at
                known_end = exit._replace(marker=MarkerHandling.DROP)
                self._end_before_undecided(exit)
                continue
            if exit.marker is MarkerHandling.HOLD:
                # No text is undecided twice, so that it is read twice at most.
                exit = known_end if known_end is not None and at <= read_to else exit
                undecided_at = at
            segments += self._enter(exit, step.at_marker, between)

    def _end_before_undecided(self, exit: Exit) -> None:
        """Changes the state: the marker before the undecided text was an end."""
        self._state = self._grammar.states[exit.to]
        self._unconfirmed, self._undecided = None, []
        self._skip_newlines = True
        self.saw_unopened_end = self.saw_unopened_end or exit.unopened_end

    def _enter(self, exit: Exit, at_marker: bool, between: str) -> list[Segment]:
        """Changes the state. Returns reasoning that it shows: text that was undecided, and the
        newlines at a seam between two blocks.

        between: the marker, if it is dropped, with the newlines or the white space before it.
        """
        left, self._state = self._state, self._grammar.states[exit.to]
        seam, self._seam = self._seam, None
        if exit.marker is MarkerHandling.HOLD:
            self._undecided = [between]
            return []
        starts = at_marker and self._state.kind is SegmentKind.REASONING
        if at_marker:
            drops_end = exit.unopened_end and self._state.kind is SegmentKind.ANSWER
            self._dropped_end = between if drops_end else ""
            self.saw_unopened_end = self.saw_unopened_end or exit.unopened_end
            self.saw_start = self.saw_start or (starts and exit.confirms)
            self.saw_weak_marker = self.saw_weak_marker or not exit.confirms
            self._skip_newlines = exit.marker is MarkerHandling.DROP
        if (at_marker and exit.confirms) or self._state.kind is SegmentKind.ANSWER:
            self._unconfirmed = None
        if self._undecided and self._state.kind is not SegmentKind.UNDECIDED:
            text, self._undecided = "".join(self._undecided), []
            self._has_reasoning = True
            return [Segment(SegmentKind.REASONING, text)]
        if starts and seam is not None and not between[:1].isspace():
            self._skip_newlines = False
            return [Segment(SegmentKind.REASONING, seam)] if seam else []
        ends = left.kind is SegmentKind.REASONING and self._has_reasoning
        if at_marker and ends and exit.marker is MarkerHandling.DROP:
            self._seam = between[: len(between) - len(between.lstrip("\r\n"))]
        return []


def _joined(segments: list[Segment]) -> list[Segment]:
    """Joins neighbours of one kind, so that the work for each is done once."""
    return [
        Segment(kind, "".join(text for _, text in same))
        for kind, same in groupby(segments, key=lambda segment: segment.kind)
    ]
