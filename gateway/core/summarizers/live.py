"""When a live line is due, and which statement of the latest stretch of thought it is."""

from collections import deque
from collections.abc import Iterable, Mapping

from gateway.core.summarizers.selection import central
from gateway.core.summarizers.statements import Statement
from gateway.core.summarizers.text import shorten

LINE_WORDS = 30
FIRST_AFTER = 18
"""Tokens of reasoning before the first line …"""
FIRST_LATEST = 46
"""… after which a weaker statement will do for it."""
AFTER = 190
"""Tokens between lines, at a new step of thought; the thinking's length adds to it."""
GROWTH = 0.02
AFTER_MOST = 250
LATEST = 270
"""After so much silence any statement will do, so that with its own length it ends within 350."""
_GOOD = 0.5
_REMEMBERED = 40
"""Lines that a new one is compared with."""


def says(lines: Iterable[frozenset[str]], statement: Statement) -> bool:
    """Whether lines with these terms say it already."""
    return any(len(statement.terms & terms) >= 0.75 * len(statement.terms) for terms in lines)


class LiveLines:
    """The append-only account. Lengths are in tokens of reasoning."""

    def __init__(self) -> None:
        self._stretch: list[Statement] = []
        self._since = 0.0
        self._total = 0.0
        self.shown: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)
        """The terms of the lines so far."""
        self.count = 0

    def pass_by(self, tokens: float) -> None:
        """So much was reasoned since the last call."""
        self._since += tokens
        self._total += tokens

    def add(self, statement: Statement) -> None:
        """A candidate for the next line."""
        self._stretch.append(statement)

    def retract(self, position: int) -> None:
        """What was stated from this position on was taken back."""
        while self._stretch and self._stretch[-1].position >= position:
            self._stretch.pop()

    def first(self, counts: Mapping[str, float]) -> str | None:
        """The first line, as soon as there is something to say."""
        if self.count or self._since < FIRST_AFTER:
            return None
        return self._line(counts, 0.0 if self._since < FIRST_LATEST else -9.0)

    def next(self, counts: Mapping[str, float], *, turns: bool) -> str | None:
        """A later line; `turns`: a new step of thought begins."""
        due = min(AFTER_MOST, AFTER + GROWTH * self._total)
        if not self.count or self._since < due:
            return None
        if self._since >= LATEST:
            return self._line(counts, -99.0)
        return self._line(counts, _GOOD) if turns or self._since > 1.3 * due else None

    def _line(self, counts: Mapping[str, float], least: float) -> str | None:
        most = max(counts.values(), default=1.0)
        best, best_worth = None, least
        for statement in self._stretch:
            worth = statement.score + 2.0 * central(statement, counts, most) - 1.5 * statement.weak
            if worth > best_worth:  # that it was told already can only make it less
                told = self._told(statement)
                worth -= 2.0 * max(0.0, told - 0.3) + 50 * (told > 0.7)
                if worth > best_worth:
                    best, best_worth = statement, worth
        if best is None:
            return None
        self._stretch.clear()
        self._since = 0.0
        self.shown.append(best.terms)
        self.count += 1
        return shorten(best.text, LINE_WORDS)

    def _told(self, statement: Statement) -> float:
        """The share of it that a line has said already, 0 to 1."""
        terms = statement.terms
        return max((len(terms & shown) for shown in self.shown), default=0) / len(terms)
