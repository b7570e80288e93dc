"""Which statements a summary is made of.

KL-Sum (Haghighi and Vanderwende 2009, aclanthology.org/N09-1041) adds, again and again, the
sentence with which the summary's words are spread most like the whole text's. Here the whole text
is the statements only, later ones count for more, and each brings a worth of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from math import log

from gateway.core.summarizers.statements import Statement

WEIGHTS = {"worth": 0.1, "late": 0.9, "lateness_power": 2.8, "repeats": 0.57, "kept": 3.0}
"""Chosen like those of the statements."""
_LEAST_WORDS = 3
_LEAST_COUNT = 0.3
"""What a stem counts that was forgotten."""


def central(statement: Statement, counts: Mapping[str, float], most: float) -> float:
    """How much a statement speaks of what the whole reasoning speaks of, 0 to 1."""
    terms = statement.terms
    return sum([counts.get(term, 0.0) for term in terms]) / most / max(6, len(terms))


def select(
    pool: Sequence[Statement],
    counts: Mapping[str, float],
    budget_words: float,
    pinned: Statement | None,
    position: int,
    kept: Collection[int] = (),
) -> list[Statement]:
    """The statements that fit the budget, in their order.

    counts: how often the reasoning has each stem. pinned: a statement that has to be among them.
    position: how many sentences the reasoning has. kept: the positions of those that an earlier
    choice had, which count for more, so that a growing account does not change for little.
    """
    total = sum(counts.values()) or 1.0
    choice = _Choice(budget_words)
    candidates = []

    @cache
    def log_share(term: str) -> float:
        return log(max(counts.get(term, 0.0), _LEAST_COUNT) / total)

    for statement in pool:
        likely = sum(map(log_share, statement.terms))
        if statement is pinned:
            choice.add(statement, likely)
        elif not statement.weak and not (statement.answers and pinned is not None):
            late = (statement.position / max(1, position)) ** WEIGHTS["lateness_power"]
            stays = WEIGHTS["kept"] * (statement.position in kept)
            worth = WEIGHTS["worth"] * (statement.score + WEIGHTS["late"] * late + stays)
            candidates.append((statement, likely, worth))
    while choice.left >= _LEAST_WORDS:
        candidates = [c for c in candidates if choice.can_add(c[0])]
        if not candidates:
            break
        best = max(candidates, key=lambda c: c[2] - choice.divergence_with(c[0], c[1]))
        choice.add(best[0], best[1])
    return sorted(choice.chosen)


class _Choice:
    """What is chosen so far, with the sums from which the divergence follows.

    With c the count of a stem in the summary, n their sum and q its share of the reasoning:
    KL = sum(c/n * log(c/n / q)) = (sum(c log c) - sum(c log q)) / n - log n.
    """

    def __init__(self, budget_words: float) -> None:
        self.chosen: list[Statement] = []
        self.left = budget_words
        self._stems: dict[str, int] = {}
        self._count = 0
        self._repeats = 0.0
        self._likely = 0.0

    def add(self, statement: Statement, likely: float) -> None:
        self._repeats += self._repeats_with(statement)
        self._likely += likely
        self._count += len(statement.terms)
        for term in statement.terms:
            self._stems[term] = self._stems.get(term, 0) + 1
        self.left -= statement.words
        self.chosen.append(statement)

    def can_add(self, statement: Statement) -> bool:
        """Whether it fits and says something new; once not, never again."""
        if statement.words > self.left or statement in self.chosen:
            return False
        most, terms = WEIGHTS["repeats"], statement.terms
        if len(terms & self._stems.keys()) > most * len(terms):
            return False
        return all(
            len(terms & c.terms) <= most * min(len(terms), len(c.terms)) for c in self.chosen
        )

    def divergence_with(self, statement: Statement, likely: float) -> float:
        """The divergence from the reasoning if it were added."""
        count = self._count + len(statement.terms)
        repeats = self._repeats + self._repeats_with(statement)
        return (repeats - self._likely - likely) / count - log(count)

    def _repeats_with(self, statement: Statement) -> float:
        """What sum(c log c) grows by."""
        grown = 0.0
        for term in statement.terms:
            if had := self._stems.get(term):
                grown += (had + 1) * log(had + 1) - had * log(had)
        return grown
