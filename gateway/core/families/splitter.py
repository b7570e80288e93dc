"""Splits a model's text into reasoning and answer, however the stream cuts it.

A grammar is a table of named states. There are two types:

- A :class:`Text` emits text of one kind, reasoning or answer, until one of its markers occurs.
- A :class:`Gate` emits nothing. It looks only at the front of what comes next, behind optional
  white space. If one of its markers stands there, the gate follows it; if not, it passes the text
  on to the state `otherwise`.

Each marker leads to an :class:`Exit`: the next state, and what happens to the marker's own text.
A model that writes `<think>…</think>` before its answer has this grammar:

    states = {
        "head": Gate({"<think>": Exit("reasoning")}, otherwise="answer"),
        "reasoning": Text(SegmentKind.REASONING, {"</think>": Exit("answer")}),
        "answer": Text(SegmentKind.ANSWER, {}),
    }

:class:`Splitter` walks the table. Fed with four pieces, it gives:

    piece            state after it    segments
    "\\n<thi"         head              none: this may become "<think>"
    "nk>2 < 3"       reasoning         REASONING "2 < 3"
    "\\n</think>\\n"   answer            none: newlines beside a marker are layout
    "No <think>."    answer            ANSWER "No <think>.", for this state has no markers

Two promises hold for every grammar. The cuts do not matter: any pieces of the same text give the
same result. And no text is lost: the segments together are the text without dropped markup and the
white space beside it that counts as layout.

The splitter holds back only what may still become a marker, and searches each piece with one
compiled pattern, so its time is linear in the length of the text.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

MAX_HELD_NEWLINES = 16
"""Newlines before a marker that count as layout. Any more are content."""
MAX_HELD_SPACE = 64
"""Characters of white space that a gate skips in search of a marker."""

_NEWLINES = re.compile(r"[\r\n]*")
_SPACE = re.compile(r"\s*")


class SegmentKind(Enum):
    """What a piece of text is."""

    REASONING = auto()
    ANSWER = auto()
    MARKUP = auto()
    """Neither. It is dropped, so no segment that a splitter returns is of this kind."""
    RECLASSIFIED = auto()
    """The whole text so far again: it was emitted as reasoning, and it is the answer."""


class Segment(NamedTuple):
    """A piece of text of one kind."""

    kind: SegmentKind
    text: str


class MarkerHandling(Enum):
    """What happens to a marker's own text."""

    DROP = auto()
    """It is left out, with the newlines beside it, which count as layout."""
    KEEP_IN_OLD_TEXT = auto()
    """It stays at the end of the text before it, as a backtick in an answer does."""
    KEEP_IN_NEW_TEXT = auto()
    """It stays at the front of the text after it, as the markup of a tool call does."""


class Exit(NamedTuple):
    """Where a marker leads."""

    to: str
    """The name of the next state."""
    marker: MarkerHandling = MarkerHandling.DROP
    unopened_end: bool = False
    """The marker ends reasoning that no marker opened, so the chat template must have opened it."""
    confirms: bool = True
    """The marker is evidence that the model marks its reasoning (see Grammar.unconfirmed)."""


class MarkerFree(NamedTuple):
    """The texts that no marker can touch: they pass through a state as they are."""

    includes: Callable[[str], object]
    """Truthy for such a text."""
    json_ascii: re.Pattern[bytes]
    """Matches the subset of them that is printable ASCII and needs no escapes in a JSON string."""


def _json_ascii_without(others: Collection[str]) -> re.Pattern[bytes]:
    excluded = {'"', "\\", *others}
    allowed = "".join(c for c in map(chr, range(0x20, 0x7F)) if c not in excluded)
    return re.compile(f"[{re.escape(allowed)}]+".encode())


ANY_TEXT = MarkerFree(bool, _json_ascii_without(()))
"""Every text except the empty one, for text that is not searched for markers."""


class Step(NamedTuple):
    """What a state does with a text, from a given position on."""

    end: int
    """The state emits the text up to here."""
    resume: int
    """The next state continues here. Without an exit, the text from here on is held back."""
    exit: Exit | None = None
    """Where to go; None: the state waits for more text."""
    at_marker: bool = False
    """A marker caused the exit."""


@dataclass(frozen=True)
class Text:
    """Emits text of one kind, up to the first of its markers."""

    kind: SegmentKind
    exits: Mapping[str, Exit]
    """Marker → exit."""

    def is_marker_free(self, text: str) -> bool:
        """Whether the text passes unchanged: it has no newline and no marker's first character.

        Most pieces do, and this one look at them is enough.
        """
        if self.kind is SegmentKind.MARKUP:
            return False
        return not self.exits or self._newline_or_first.search(text) is None

    @cached_property
    def marker_free(self) -> MarkerFree:
        """The texts for which :meth:`is_marker_free` holds."""
        return MarkerFree(self.is_marker_free, _json_ascii_without(self._first_characters))

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Emits up to the first marker, or up to what may become one.

        final: no more text will come, so nothing is held back.
        """
        if not self.exits:
            return Step(len(text), len(text))
        held = len(text) if final else self._start_of_held(text, at)
        found = self._markers.search(text, at)
        if found is None or held <= found.start():
            end = held if final else _before_newlines(text, at, held)
            return Step(end, end)
        start, end = found.span()
        exit = self.exits[found.group()]
        match exit.marker:
            case MarkerHandling.DROP:
                return Step(_before_newlines(text, at, start), end, exit, at_marker=True)
            case MarkerHandling.KEEP_IN_OLD_TEXT:
                return Step(end, end, exit, at_marker=True)
            case MarkerHandling.KEEP_IN_NEW_TEXT:
                # The marker's leading white space belongs to the old text.
                start += len(found.group()) - len(found.group().lstrip())
                return Step(start, start, exit, at_marker=True)

    def _start_of_held(self, text: str, at: int) -> int:
        """The start of the longest suffix of the text that is a proper prefix of a marker."""
        tail = max(at, len(text) - self._longest_prefix)
        for candidate in self._first.finditer(text, tail):
            if text[candidate.start() :] in self._prefixes:
                return candidate.start()
        return len(text)

    @cached_property
    def _markers(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return _proper_prefixes(self.exits)

    @cached_property
    def _longest_prefix(self) -> int:
        return max(map(len, self.exits)) - 1

    @cached_property
    def _first_characters(self) -> frozenset[str]:
        return frozenset(marker[0] for marker in self.exits)

    @cached_property
    def _first(self) -> re.Pattern[str]:
        return re.compile(f"[{re.escape(''.join(sorted(self._first_characters)))}]")

    @cached_property
    def _newline_or_first(self) -> re.Pattern[str]:
        return re.compile(f"{self._first.pattern}|[\r\n]")


@dataclass(frozen=True)
class Gate:
    """Picks the next state by the marker at the front, behind optional white space."""

    exits: Mapping[str, Exit]
    """Marker → exit."""
    otherwise: str
    """The next state if no marker stands there. It gets the white space too."""

    kind = SegmentKind.MARKUP

    def is_marker_free(self, text: str) -> bool:
        """False: a gate has to look at every text."""
        return False

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Follows a marker, waits for the rest of one, or leaves for `otherwise`."""
        front = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if front - at <= MAX_HELD_SPACE:
            if not final and text[front:] in self._prefixes:
                return Step(at, at)
            if found := self._markers.match(text, front):
                exit = self.exits[found.group()]
                keeps = exit.marker is MarkerHandling.KEEP_IN_NEW_TEXT
                return Step(at, at if keeps else found.end(), exit, at_marker=True)
        return Step(at, at, Exit(self.otherwise))

    @cached_property
    def _markers(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return _proper_prefixes(self.exits) | {""}


State = Text | Gate


@dataclass(frozen=True)
class Grammar:
    """A table of states and the name of the first one."""

    states: Mapping[str, State]
    start: str
    starts_inside: bool = False
    """The text begins inside the reasoning, so newlines at its head are dropped."""
    unconfirmed: bool = False
    """That the text begins with reasoning is an assumption until a marker confirms it."""


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
        """Newlines dropped before an end marker. They are content if a start marker follows it
        directly: some servers wrap each chunk of the reasoning in tags of its own."""
        self._dropped_end = ""
        """An end marker without a start, and newlines, that no text has followed. If none does,
        the marker ended nothing, so it is text."""
        self.saw_unopened_end = False
        """An end marker came without a start: the chat template had opened the reasoning."""
        self.saw_start = False
        """A start marker opened the reasoning."""
        self.saw_weak_marker = False
        """Something came that may be a marker or a word of the text."""

    def feed(self, text: str) -> list[Segment]:
        """Takes the next piece and returns what is certain by now."""
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
    def can_restart(self) -> bool:
        """No marker has yet shown what the text is."""
        return self._unconfirmed is not None

    @property
    def is_unconfirmed(self) -> bool:
        """There is text, and no marker has yet shown what it is."""
        return bool(self._unconfirmed)

    def close(self, *, unmarked_is_answer: bool) -> list[Segment]:
        """Ends the text and returns what was held back.

        unmarked_is_answer: reasoning that no marker has confirmed was the answer. Then the one
        segment returned is RECLASSIFIED and holds the whole text.
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
        """Goes on with another grammar, as far as no marker has confirmed the first.

        Returns what the text so far is by the new one: RECLASSIFIED where it was emitted already.
        """
        if self._unconfirmed is None:
            return []
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
        """Returns the whole text so far, if no marker has shown what it is, and forgets it."""
        text = "".join(self._unconfirmed or ())
        if text:
            self._unconfirmed, self._held = None, ""
        return text

    def release(self) -> str:
        """Returns the held text unsplit, for when it turns out that the text has no markers."""
        held, self._held = self._held, ""
        return held

    def _walk(self, text: str, *, final: bool) -> list[Segment]:
        segments = []
        at = 0
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
            if step.end > at and self._state.kind is not SegmentKind.MARKUP:
                segments.append(Segment(self._state.kind, text[at : step.end]))
                self._dropped_end = ""
                if self._state.kind is SegmentKind.REASONING:
                    self._has_reasoning = True
            if step.exit is None:
                self._held = text[step.resume :]
                return segments
            between = text[step.end : step.resume]
            at = step.resume
            if seam := self._enter(step.exit, step.at_marker, between):
                segments.append(Segment(SegmentKind.REASONING, seam))

    def _enter(self, exit: Exit, at_marker: bool, between: str) -> str:
        """Changes the state. Returns the newlines at a seam between two blocks of reasoning.

        between: the marker, if it is dropped, with the newlines or the white space before it.
        """
        left, self._state = self._state, self._grammar.states[exit.to]
        seam, self._seam = self._seam, None
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
        if starts and seam is not None and not between[:1].isspace():
            self._skip_newlines = False
            return seam
        ends = left.kind is SegmentKind.REASONING and self._has_reasoning
        if at_marker and ends and exit.marker is MarkerHandling.DROP:
            self._seam = between[: len(between) - len(between.lstrip("\r\n"))]
        return ""


def _any_of(markers: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the markers, the longest first. They are literals, so it takes linear time."""
    return re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))))


def _proper_prefixes(markers: Iterable[str]) -> frozenset[str]:
    return frozenset(marker[:n] for marker in markers for n in range(1, len(marker)))


def _before_newlines(text: str, at: int, end: int) -> int:
    """Where the newlines begin that directly precede `end`."""
    start = max(at, end - MAX_HELD_NEWLINES)
    return start + len(text[start:end].rstrip("\r\n"))
