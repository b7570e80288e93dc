"""The grammars of the splitter: the markup of a text as a table of named states.

There are two types of states:

- A :class:`Text` emits text of one kind, reasoning or answer, until one of its markers occurs.
- A :class:`Gate` emits nothing. It looks only at the front of the text, after optional white space.
  If one of its markers is there, the gate takes the marker's exit. If not, it passes the text on to
  the state `otherwise`.

Each marker leads to an :class:`Exit`: the next state, and what happens to the marker's own text.
A model that writes `<think>…</think>` before its answer has this grammar:

    states = {
        "head": Gate({"<think>": Exit("reasoning")}, otherwise="answer"),
        "reasoning": Text(SegmentKind.REASONING, {"</think>": Exit("answer")}),
        "answer": Text(SegmentKind.ANSWER, {}),
    }

A state holds back only what may still become a marker, and searches each piece with one compiled
pattern, so the time is linear in the length of the text.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

MAX_HELD_NEWLINES = 16
"""Newlines before a marker that count as layout. Any more are content."""
MAX_HELD_SPACE = 64
"""Characters of white space that a gate skips in search of a marker."""

_SPACE = re.compile(r"\s*")


class SegmentKind(Enum):
    """The kind of a piece of text."""

    REASONING = auto()
    ANSWER = auto()
    MARKUP = auto()
    """Neither. It is dropped, so no segment that a splitter returns is of this kind."""
    RECLASSIFIED = auto()
    """The whole text so far, again: it was emitted as reasoning, but is the answer."""
    UNDECIDED = auto()
    """What follows shows what it is. It is held back, so no segment is of this kind."""


class Segment(NamedTuple):
    """A piece of text of one kind."""

    kind: SegmentKind
    text: str


class MarkerHandling(Enum):
    """The handling of a marker's own text."""

    DROP = auto()
    """It is dropped, with the newlines beside it, which count as layout."""
    KEEP_IN_OLD_TEXT = auto()
    """It is text, at the end of the text before it, as a backtick in an answer is."""
    PASS = auto()
    """It is text that the next state reads as well."""
    KEEP_IN_NEW_TEXT = auto()
    """It stays at the front of the text after it, as the markup of a tool call does."""
    HOLD = auto()
    """It may be text, so it is held back with the undecided text after it."""
    READ_AGAIN = auto()
    """It shows that the marker held back was one: the undecided text is read again, by the state
    to which the exit leads, and this marker after it."""


class Exit(NamedTuple):
    """The effect of a marker."""

    to: str
    """The name of the next state."""
    marker: MarkerHandling = MarkerHandling.DROP
    unopened_end: bool = False
    """The marker ends reasoning that no marker opened, so the chat template must have opened it."""
    confirms: bool = True
    """The marker is evidence that the model marks its reasoning (see Grammar.unconfirmed)."""
    on_new_line: str | None = None
    """The next state if the marker, one that is held back, is the first of its line."""


class MarkerFree(NamedTuple):
    """The texts that can contain no marker and no piece of one: they pass a state unchanged."""

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
    """The result of a state's look at a text, from a given position on."""

    end: int
    """The state emits the text up to here."""
    resume: int
    """The next state continues here. Without an exit, the text from here on is held back."""
    exit: Exit | None = None
    """Where to go; None: the state waits for more text."""
    at_marker: bool = False
    """A marker that is no text caused the exit."""


@dataclass(frozen=True)
class Text:
    """Emits text of one kind, up to the first of its markers."""

    kind: SegmentKind
    exits: Mapping[str, Exit]
    """Marker → exit."""
    at_end: Exit | None = None
    """The exit where the text ends in this state."""

    def is_marker_free(self, text: str) -> bool:
        """Whether the text passes unchanged: it has no newline and no marker's first character.

        This is true for most pieces, and no other check of them is needed.
        """
        if not self._is_emitted:
            return False
        return not self.exits or self._newline_or_first.search(text) is None

    @cached_property
    def _is_emitted(self) -> bool:
        return self.kind not in (SegmentKind.MARKUP, SegmentKind.UNDECIDED)

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
        if at == 0 and not any(map(text.__contains__, self._first_characters)):
            held, found = len(text), None  # as in most texts
        else:
            held = len(text) if final else self._start_of_held(text, at)
            found = self._markers.search(text, at)
        if found is None or held <= found.start():
            end = held if final else _before_newlines(text, at, held)
            return Step(end, end, self.at_end if final else None)
        start, end = found.span()
        exit = self.exits[found.group()]
        match exit.marker:
            case MarkerHandling.DROP:
                return Step(_before_newlines(text, at, start), end, exit, at_marker=True)
            case MarkerHandling.HOLD:
                line_end = _before_newlines(text, at, start)
                if line_end < start and exit.on_new_line is not None:
                    exit = exit._replace(to=exit.on_new_line)
                return Step(line_end, end, exit, at_marker=True)
            case MarkerHandling.KEEP_IN_OLD_TEXT:
                return Step(end, end, exit)
            case MarkerHandling.PASS:
                return Step(start, start, exit)
            case MarkerHandling.KEEP_IN_NEW_TEXT:
                # The marker's leading white space belongs to the old text.
                start += len(found.group()) - len(found.group().lstrip())
                return Step(start, start, exit, at_marker=True)
            case MarkerHandling.READ_AGAIN:
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
    """The next state if there is no marker at the front. It gets the white space too."""
    skips_space: bool = True

    kind = SegmentKind.MARKUP

    def is_marker_free(self, text: str) -> bool:
        """False: a gate has to look at every text."""
        return False

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Takes a marker's exit, waits for the rest of a marker, or goes to `otherwise`."""
        front = _SPACE.match(text, at).end() if self.skips_space else at  # type: ignore[union-attr]
        if front - at <= MAX_HELD_SPACE:
            if not final and text[front : front + self._longest_marker] in self._prefixes:
                return Step(at, at)
            if found := self._markers.match(text, front):
                exit = self.exits[found.group()]
                if exit.marker is MarkerHandling.PASS:
                    return Step(at, at, exit)
                drops = exit.marker is MarkerHandling.DROP
                return Step(at, found.end() if drops else at, exit, at_marker=True)
        return Step(at, at, Exit(self.otherwise))

    @cached_property
    def _markers(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def _prefixes(self) -> frozenset[str]:
        return _proper_prefixes(self.exits) | {""}

    @cached_property
    def _longest_marker(self) -> int:
        return max(map(len, self.exits))


State = Text | Gate


@dataclass(frozen=True)
class Grammar:
    """A table of states and the name of the first one."""

    states: Mapping[str, State]
    start: str
    starts_inside: bool = False
    """The text begins inside the reasoning, so newlines at its head are dropped."""
    unconfirmed: bool = False
    """The text is only assumed to begin with reasoning, until a marker confirms it."""


def _any_of(markers: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the markers, the longest first. They are literals, so it takes linear time.

    They are grouped by their first characters, so that a place where none begins is left at once.
    """
    longest_first = sorted(sorted(markers, key=len, reverse=True), key=lambda marker: marker[0])
    groups = groupby(longest_first, key=lambda marker: marker[0])
    return re.compile("|".join(f"(?:{'|'.join(map(re.escape, group))})" for _, group in groups))


def _proper_prefixes(markers: Iterable[str]) -> frozenset[str]:
    return frozenset(marker[:n] for marker in markers for n in range(1, len(marker)))


def _before_newlines(text: str, at: int, end: int) -> int:
    """Returns the position at which the newlines directly before `end` begin."""
    start = max(at, end - MAX_HELD_NEWLINES)
    return start + len(text[start:end].rstrip("\r\n"))
