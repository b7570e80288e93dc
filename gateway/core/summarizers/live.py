"""When a live line is due, and which statement of the latest stretch of reasoning it is."""

from collections import deque
from collections.abc import Iterable, Mapping

from gateway.core.summarizers.selection import central, lateness, worth_at
from gateway.core.summarizers.statements import Statement
from gateway.core.summarizers.text import shorten

LINE_WORDS, CLOSING_WORDS = 30, 45
FIRST_AFTER = 50
"""Tokens of reasoning before the first line …"""
FIRST_LATEST = 250
"""… after which any statement will do."""
AFTER = 190
"""Tokens between lines, at a new step of thought; the length of the reasoning adds to it."""
GROWTH = 0.02
AFTER_MOST = 250
LATEST = 270
"""After this silence any statement will do, as soon as there is one."""
FIRST_GOOD, GOOD, ANY = 0.6, 0.85, -99.0
"""The value that a line must have: the first, a later one when it is due, and after LATEST or when
the summarizer is told to hurry."""
ECHO = 0.8
"""What a first line loses if the prompt has all of its terms."""
LONG, LOST = 0.2, 0.3
"""What a line loses that has to be cut; that points to an earlier sentence."""
_REMEMBERED = 40
"""Lines that a new one is compared with."""
_TOLD, _SAID = 0.7, 0.75
"""A statement with such a share of its terms in one line repeats it; or is said by it."""


def says(lines: Iterable[frozenset[str]], statement: Statement) -> bool:
    """Whether a line with these terms says the statement already."""
    return any(len(statement.terms & terms) >= _SAID * len(statement.terms) for terms in lines)


class LiveLines:
    """The lines that are shown while the model thinks. Lengths are in tokens of reasoning."""

    def __init__(self) -> None:
        self._stretch: list[Statement] = []
        self._rejected = 0
        """So many of its statements are not good enough: not looked at before LATEST."""
        self._since = 0.0
        self._total = 0.0
        self.shown: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)
        """The terms of the lines so far."""
        self.count = 0
        self._hurries = False

    def pass_by(self, tokens: float) -> None:
        """So many tokens of reasoning were read since the last call."""
        self._since += tokens
        self._total += tokens

    def add(self, statement: Statement) -> None:
        """A candidate for the next line."""
        self._stretch.append(statement)

    def retract(self, position: int) -> None:
        """Removes the candidates from this position on: they were taken back."""
        while self._stretch and self._stretch[-1].position >= position:
            self._stretch.pop()
        self._rejected = min(self._rejected, len(self._stretch))

    def hurry(self, counts: Mapping[str, float], position: int) -> str | None:
        """The best line there is; if there is none, the next statement makes one."""
        self._hurries = True
        return self._line(counts, position, ANY)

    def first(self, counts: Mapping[str, float], position: int) -> str | None:
        """The first line, as soon as there is something to say; or a line that is overdue."""
        if self._hurries:
            return self._line(counts, position, ANY)
        if self.count or self._since < FIRST_AFTER:
            return None
        return self._line(counts, position, FIRST_GOOD if self._since < FIRST_LATEST else ANY)

    def next(self, counts: Mapping[str, float], position: int, *, turns: bool) -> str | None:
        """A later line; `turns`: a new step of thought begins."""
        due = min(AFTER_MOST, AFTER + GROWTH * self._total)
        if not self.count or self._since < due:
            return None
        if self._since >= LATEST:
            return self._line(counts, position, ANY)
        return self._line(counts, position, GOOD) if turns or self._since > 1.3 * due else None

    def _line(self, counts: Mapping[str, float], position: int, least: float) -> str | None:
        best, best_value = None, least
        most, each_before = max(counts.values(), default=1.0), lateness(position)
        for statement in self._stretch[0 if least == ANY else self._rejected :]:
            value = worth_at(statement, central(statement, counts, most), each_before)
            value -= statement.weak + ECHO * (1 - statement.new) * (not self.count)
            value -= LONG * (statement.words > LINE_WORDS)
            if value > best_value:  # what follows can only lower it
                told = self._told(statement)
                value -= LOST * statement.leans + max(0.0, told - 0.3) + 50 * (told > _TOLD)
                if value > best_value and told < 1:
                    best, best_value = statement, value
        if best is not None or least == ANY:
            self._stretch.clear()
        self._rejected = len(self._stretch)
        if best is None:
            return None
        self._since = 0.0
        self._hurries = False
        self.shown.append(best.terms)
        self.count += 1
        return shorten(best.text, LINE_WORDS)

    def _told(self, statement: Statement) -> float:
        """The share of it that a line has said already, 0 to 1."""
        terms = statement.terms
        return max([len(terms & shown) for shown in self.shown], default=0) / len(terms)
