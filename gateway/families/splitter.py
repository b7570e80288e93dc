"""Splits a model's text into reasoning and answer, however the stream was cut.

A grammar is a table of states. A :class:`Text` state hands its text out as one kind until one of
its markers occurs; a :class:`Gate` looks only at what stands at the very front and decides which
state comes next. :class:`Splitter` walks the table. The search for markers is one compiled search
over what arrived, and no more is held back than may still become part of a marker.

Nothing is lost: what comes out, put together, is what went in without the markers and the newlines
beside them, and no cut of the input changes it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

MAX_HELD_NEWLINES = 16
"""So many newlines before a marker are taken as layout; what exceeds them is content."""
MAX_HELD_SPACE = 64
"""So much white space may stand at the front before a marker."""

_NEWLINES = re.compile(r"[\r\n]*")
_SPACE = re.compile(r"\s*")


class Kind(Enum):
    """What a piece of text is."""

    REASONING = auto()
    ANSWER = auto()
    RECAST = auto()
    """The whole text once more: it was given as reasoning and has turned out to be the answer."""


class Segment(NamedTuple):
    """A piece of text of one kind."""

    kind: Kind
    text: str


class Exit(NamedTuple):
    """Where a marker leads."""

    to: str
    keep: bool = False
    """The marker is part of the text that it begins, as a spoken phrase or a tool's markup is."""


class Step(NamedTuple):
    """What a state makes of a text from `at` on."""

    end: int
    """The text up to here is the state's."""
    resume: int
    """What comes next begins here; with no exit, what is held back."""
    exit: Exit | None = None
    marked: bool = False
    """The exit was taken because of a marker."""


@dataclass(frozen=True)
class Text:
    """Text of one kind, up to the first of the markers."""

    kind: Kind
    exits: Mapping[str, Exit]

    @cached_property
    def search(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def beginnings(self) -> tuple[str, ...]:
        return tuple(sorted(_proper_prefixes(self.exits), key=len, reverse=True))

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Goes up to the first marker, or holds back what may become one."""
        if not self.exits:
            return Step(len(text), len(text))
        held = len(text) if final else self._hold(text, at)
        found = self.search.search(text, at)
        if found is None or held <= found.start():
            end = held if final else _before_newlines(text, at, held)
            return Step(end, end)
        exit = self.exits[found.group()]
        end, resume = found.span()
        if exit.keep:
            resume = end + len(found.group()) - len(found.group().lstrip())
            return Step(resume, resume, exit, marked=True)
        return Step(_before_newlines(text, at, end), resume, exit, marked=True)

    def _hold(self, text: str, at: int) -> int:
        """Where the longest ending begins that is the beginning of a marker."""
        if text.endswith(self.beginnings):
            for beginning in self.beginnings:
                if len(text) - len(beginning) >= at and text.endswith(beginning):
                    return len(text) - len(beginning)
        return len(text)


@dataclass(frozen=True)
class Gate:
    """Decides by what stands at the front, after optional white space. Has no text of its own."""

    exits: Mapping[str, Exit]
    otherwise: Exit

    kind = Kind.ANSWER

    @cached_property
    def search(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return frozenset(_proper_prefixes(self.exits)) | {""}

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Finds its marker, waits for the rest of one, or gives way to another state."""
        front = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if front - at <= MAX_HELD_SPACE:
            if not final and text[front:] in self.beginnings:
                return Step(at, at)
            if found := self.search.match(text, front):
                exit = self.exits[found.group()]
                return Step(at, at if exit.keep else found.end(), exit, marked=True)
        return Step(at, at, self.otherwise)


State = Text | Gate


@dataclass(frozen=True)
class Grammar:
    """A table of states and the one to begin with."""

    states: Mapping[str, State]
    start: str
    opened: bool = False
    """It begins inside the reasoning, on a belief that only a marker proves."""


class Splitter:
    """Walks a grammar over a text that arrives in pieces."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._state = grammar.states[grammar.start]
        self._held = ""
        self._skip_newlines = grammar.opened
        self._unproven: list[str] | None = [] if grammar.opened else None

    def feed(self, text: str) -> list[Segment]:
        """Takes the next piece; gives what is certain by now."""
        if self._unproven is not None:
            self._unproven.append(text)
        return self._walk(self._held + text, final=False)

    def close(self, *, stopped: bool) -> list[Segment]:
        """The text has ended: gives what was held back.

        stopped: the model ended it by itself. A text that was believed to begin inside the
        reasoning and ended so without any marker was the answer: it comes once more, whole, as
        RECAST.
        """
        if stopped and self._unproven:
            whole = "".join(self._unproven)
            self._held, self._unproven = "", None
            return [Segment(Kind.RECAST, whole)]
        return self._walk(self._held, final=True)

    def release(self) -> str:
        """Hands back what is held, as it came: the text turned out not to need splitting."""
        held, self._held = self._held, ""
        return held

    def _walk(self, text: str, *, final: bool) -> list[Segment]:
        segments = []
        at = 0
        while True:
            if self._skip_newlines:
                at = _NEWLINES.match(text, at).end()  # type: ignore[union-attr]
                self._skip_newlines = at == len(text)
            step = self._state.step(text, at, final=final)
            if step.end > at:
                segments.append(Segment(self._state.kind, text[at : step.end]))
            at = step.resume
            if step.exit is None:
                self._held = text[at:]
                return segments
            if step.marked:
                self._unproven = None
                self._skip_newlines = not step.exit.keep
            self._state = self._grammar.states[step.exit.to]


def _any_of(markers: Iterable[str]) -> re.Pattern[str]:
    """Finds the first of the markers, of two at one place the longer. Literals only: linear."""
    return re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))))


def _proper_prefixes(markers: Iterable[str]) -> set[str]:
    return {marker[:n] for marker in markers for n in range(1, len(marker))}


def _before_newlines(text: str, at: int, end: int) -> int:
    """Where the newlines begin that stand right before `end`."""
    start = max(at, end - MAX_HELD_NEWLINES)
    return start + len(text[start:end].rstrip("\r\n"))
