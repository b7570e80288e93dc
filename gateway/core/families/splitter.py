"""Splits a model's text into reasoning and answer, however the stream was cut.

A grammar is a table of states. A :class:`Text` state hands its text out as one kind until one of
its markers occurs; a :class:`Gate` looks only at what stands at the very front and decides which
state comes next. :class:`Splitter` walks the table. The search for markers is one compiled search
over what arrived, and no more is held back than may still become part of a marker.

Nothing is lost: what comes out, put together, is what went in without the markers and the newlines
beside them, and no cut of the input changes it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
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
    MARKUP = auto()
    """Part of the markup, not of the text: left out."""
    RECAST = auto()
    """The whole text once more: it was given as reasoning and has turned out to be the answer."""


class Segment(NamedTuple):
    """A piece of text of one kind."""

    kind: Kind
    text: str


class Keep(Enum):
    """What becomes of a marker."""

    NOT = auto()
    """It is left out, with the newlines beside it."""
    BEFORE = auto()
    """It is the last of the text that it ends."""
    BEHIND = auto()
    """It is the first of the text that it begins, as a spoken phrase or a tool's markup is."""


class Exit(NamedTuple):
    """Where a marker leads."""

    to: str
    keep: Keep = Keep.NOT
    lone: bool = False
    """It ends a reasoning that nothing has begun: the belief about the start was wrong."""
    proves: bool = True
    """It shows that the text is marked up at all."""


class Plain(NamedTuple):
    """Which pieces of text are plain."""

    holds: Callable[[str], object]
    ascii: re.Pattern[bytes]
    """Those that are printable ASCII and that JSON leaves as they are."""


def _ascii_without(others: Collection[str]) -> re.Pattern[bytes]:
    excluded = {'"', "\\", *others}
    allowed = "".join(c for c in map(chr, range(0x20, 0x7F)) if c not in excluded)
    return re.compile(f"[{re.escape(allowed)}]+".encode())


ALL_PLAIN = Plain(bool, _ascii_without(()))
"""All but the empty one."""


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

    def is_plain(self, text: str) -> bool:
        """A piece that no marker can touch: most are, and one look at it is enough."""
        if self.kind is Kind.MARKUP:
            return False
        return not self.exits or self.signs.search(text) is None

    @cached_property
    def first_characters(self) -> re.Pattern[str]:
        return re.compile(f"[{re.escape(''.join(sorted(self._firsts)))}]")

    @cached_property
    def _firsts(self) -> frozenset[str]:
        return frozenset(marker[0] for marker in self.exits)

    @cached_property
    def signs(self) -> re.Pattern[str]:
        return re.compile(f"{self.first_characters.pattern}|[\r\n]")

    @cached_property
    def plain(self) -> Plain:
        """Which pieces are."""
        return Plain(self.is_plain, _ascii_without(self._firsts))

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return _proper_prefixes(self.exits)

    @cached_property
    def longest_beginning(self) -> int:
        return max(map(len, self.exits)) - 1

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Goes up to the first marker, or holds back what may become one."""
        if not self.exits:
            return Step(len(text), len(text))
        held = len(text) if final else self._hold(text, at)
        found = self.search.search(text, at)
        if found is None or held <= found.start():
            end = held if final else _before_newlines(text, at, held)
            return Step(end, end)
        start, end = found.span()
        exit = self.exits[found.group()]
        match exit.keep:
            case Keep.NOT:
                return Step(_before_newlines(text, at, start), end, exit, marked=True)
            case Keep.BEFORE:
                return Step(end, end, exit, marked=True)
            case Keep.BEHIND:
                # White space before a phrase belongs to what the phrase ends.
                start += len(found.group()) - len(found.group().lstrip())
                return Step(start, start, exit, marked=True)

    def _hold(self, text: str, at: int) -> int:
        """Where the longest ending begins that is the beginning of a marker."""
        tail = max(at, len(text) - self.longest_beginning)
        for candidate in self.first_characters.finditer(text, tail):
            if text[candidate.start() :] in self.beginnings:
                return candidate.start()
        return len(text)


@dataclass(frozen=True)
class Gate:
    """Decides by what stands at the front, after optional white space. Has no text of its own."""

    exits: Mapping[str, Exit]
    otherwise: str

    kind = Kind.MARKUP

    def is_plain(self, text: str) -> bool:
        """Nothing is: a gate decides by whatever comes."""
        return False

    @cached_property
    def search(self) -> re.Pattern[str]:
        return _any_of(self.exits)

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return _proper_prefixes(self.exits) | {""}

    def step(self, text: str, at: int, *, final: bool) -> Step:
        """Finds its marker, waits for the rest of one, or gives way to another state."""
        front = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        if front - at <= MAX_HELD_SPACE:
            if not final and text[front:] in self.beginnings:
                return Step(at, at)
            if found := self.search.match(text, front):
                exit = self.exits[found.group()]
                resume = at if exit.keep is Keep.BEHIND else found.end()
                return Step(at, resume, exit, marked=True)
        return Step(at, at, Exit(self.otherwise))


State = Text | Gate


@dataclass(frozen=True)
class Grammar:
    """A table of states and the one to begin with."""

    states: Mapping[str, State]
    start: str
    opened: bool = False
    """It begins inside the reasoning."""
    unproven: bool = False
    """That some text is reasoning is a belief, until a marker proves it (see Splitter.close)."""


class Splitter:
    """Walks a grammar over a text that arrives in pieces."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._state = grammar.states[grammar.start]
        self._held = ""
        self._skip_newlines = grammar.opened
        self._unproven: list[str] | None = [] if grammar.unproven else None
        self.lone_end = False
        """An end marker came of a reasoning that had no start: the template had opened it."""

    def feed(self, text: str) -> list[Segment]:
        """Takes the next piece; gives what is certain by now."""
        if not text:
            return []
        if self._unproven is not None:
            self._unproven.append(text)
        if not self._held and not self._skip_newlines and self._state.is_plain(text):
            return [Segment(self._state.kind, text)]
        return self._walk(self._held + text, final=False)

    @property
    def text(self) -> Text | None:
        """What every plain piece that comes next belongs to, if nothing is held or doubted."""
        settled = not self._held and not self._skip_newlines and self._unproven is None
        return self._state if settled and isinstance(self._state, Text) else None

    def close(self, *, stopped: bool) -> list[Segment]:
        """The text has ended: gives what was held back.

        stopped: the model ended it by itself. A text that was believed to be reasoning and ended so
        without any marker was the answer: it comes once more, whole, as RECAST.
        """
        segments = self._walk(self._held, final=True)
        if stopped and self._unproven:
            segments = [Segment(Kind.RECAST, "".join(self._unproven))]
        self._unproven = None
        return segments

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
            if step.end > at and self._state.kind is not Kind.MARKUP:
                segments.append(Segment(self._state.kind, text[at : step.end]))
            at = step.resume
            if step.exit is None:
                self._held = text[at:]
                return segments
            self._enter(step.exit, step.marked)

    def _enter(self, exit: Exit, marked: bool) -> None:
        self._state = self._grammar.states[exit.to]
        if marked:
            self.lone_end = self.lone_end or exit.lone
            self._skip_newlines = exit.keep is Keep.NOT
        if (marked and exit.proves) or self._state.kind is Kind.ANSWER:
            self._unproven = None


def _any_of(markers: Iterable[str]) -> re.Pattern[str]:
    """Finds the first of the markers, of two at one place the longer. Literals only: linear."""
    return re.compile("|".join(map(re.escape, sorted(markers, key=len, reverse=True))))


def _proper_prefixes(markers: Iterable[str]) -> frozenset[str]:
    return frozenset(marker[:n] for marker in markers for n in range(1, len(marker)))


def _before_newlines(text: str, at: int, end: int) -> int:
    """Where the newlines begin that stand right before `end`."""
    start = max(at, end - MAX_HELD_NEWLINES)
    return start + len(text[start:end].rstrip("\r\n"))
