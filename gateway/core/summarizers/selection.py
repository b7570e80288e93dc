"""Which statements a summary is made of.

KL-Sum (Haghighi and Vanderwende 2009, aclanthology.org/N09-1041) adds, again and again, the
sentence with which the summary's words are spread most like the whole text's. Here the whole text
is the statements only, later ones count for more, and each has a value of its own: the weights of
its signs. Statements of little value are left out, even if the budget has room for them.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from functools import cache
from math import log
from typing import NamedTuple

from gateway.core.summarizers.statements import Statement
from gateway.core.summarizers.weights import (
    LEAST_RESULT,
    LEAST_VALUE,
    LOWERED_BY_WORD,
    RESULT,
    WORTH,
)

_RESULT_SHARE, _RESULT_DEPTH = 0.12, 4.0
"""How the likeness to a result adds to the value: as far as it is among the best."""
_REPEATS = 0.57
"""A statement with such a share of its terms in those chosen says nothing new."""
_PAIRED = 0.1
"""What a statement loses that needs the one before it to be chosen with it."""
_KEPT = 0.4
"""What an earlier choice adds, so that a growing summary does not change for little."""
_LEAST_WORDS = 3
_LEAST_COUNT = 0.3
"""What a stem counts that was forgotten."""


def central(statement: Statement, counts: Mapping[str, float], most: float) -> float:
    """How much a statement speaks of what the whole reasoning speaks of, 0 to 1."""
    terms = statement.terms
    return sum([counts.get(term, 0.0) for term in terms]) / most / max(6, len(terms))


def lateness(position: int) -> float:
    """What each sentence before a statement adds to its worth, in a reasoning of this length."""
    length = max(1, position)
    return (WORTH["late"] + WORTH["late in a long one"] * log(length)) / length


def worth_at(statement: Statement, centrality: float, each_before: float) -> float:
    """What a statement is worth in a summary. each_before: see :func:`lateness`."""
    return statement.worth + WORTH["central"] * centrality + each_before * statement.position


def result_at(statement: Statement, centrality: float, position: int) -> float:
    """How much a statement looks like the result of the reasoning up to this position."""
    behind = position - statement.position
    return (
        statement.result
        + RESULT["central"] * centrality
        + RESULT["late"] * statement.position / max(1, position)
        + (RESULT["last three"] if behind < 3 else 0.0)
        + (RESULT["ends"] if behind == 0 else 0.0)
    )


def follows(position: int, shown: Container[int]) -> bool:
    """Whether one of the two sentences before this position is shown.

    Then a sentence there can be understood although it points to an earlier one.
    """
    return position - 1 in shown or position - 2 in shown


class Valued(NamedTuple):
    """A statement with what it is worth in a summary of the reasoning so far."""

    statement: Statement
    value: float
    result: float
    """How much it looks like the result."""


def valued(pool: Sequence[Statement], counts: Mapping[str, float], position: int) -> list[Valued]:
    """The statements with their values. position: how many sentences the reasoning has."""
    most = max(counts.values(), default=1.0)
    central_to = [central(statement, counts, most) for statement in pool]
    results = [result_at(s, c, position) for s, c in zip(pool, central_to, strict=True)]
    each_before = lateness(position)
    near = max(results, default=0.0) - _RESULT_DEPTH
    return [
        Valued(
            statement,
            worth_at(statement, centrality, each_before) + _RESULT_SHARE * max(0.0, result - near),
            result,
        )
        for statement, centrality, result in zip(pool, central_to, results, strict=True)
    ]


def select(
    pool: Sequence[Statement],
    counts: Mapping[str, float],
    budget_words: float,
    position: int,
    kept: Collection[int] = (),
    first: Statement | None = None,
) -> list[Statement]:
    """The statements that fit the budget, in their order.

    counts: how often the reasoning has each stem. position: how many sentences it has. kept: the
    positions of an earlier choice. first: one of the pool that is chosen before the others.
    """
    total = sum(counts.values()) or 1.0

    @cache
    def log_share(term: str) -> float:
        return log(max(counts.get(term, 0.0), _LEAST_COUNT) / total)

    candidates = [
        _Candidate(
            statement,
            value + _KEPT * (statement.position in kept),
            sum(map(log_share, statement.terms)),
            statement.leans,
            result >= LEAST_RESULT,
        )
        for statement, value, result in valued(pool, counts, position)
    ]
    by_position = {c.statement.position: c for c in candidates}
    least = LEAST_VALUE - LOWERED_BY_WORD * max(0.0, budget_words - 60)
    wanted = [c for c in candidates if c.value >= least and not c.statement.weak]
    choice = _Choice(budget_words)
    for candidate in candidates:
        if candidate.statement is first and choice.can_add(candidate.statement):
            choice.add(candidate)
    while choice.left >= _LEAST_WORDS:
        wanted = [c for c in wanted if choice.can_add(c.statement)]
        whole = [g for c in wanted if (g := choice.with_antecedent(c, by_position))]
        if not whole:
            break
        for candidate in max(whole, key=choice.gain):
            choice.add(candidate)
    if not choice.chosen:
        fitting = [c for c in candidates if choice.can_add(c.statement)]
        if fitting:
            choice.add(max(fitting, key=lambda c: c.value - 2 * c.statement.weak))
    return sorted(choice.chosen, key=lambda statement: statement.position)


class _Candidate(NamedTuple):
    statement: Statement
    value: float
    likely: float
    """The logarithm of its stems' shares of the reasoning, summed."""
    leans: bool
    """It points to an earlier sentence."""
    is_result: bool
    """It looks like the result of the reasoning."""


class _Choice:
    """What is chosen so far, with the sums from which the divergence follows.

    With c the count of a stem in the summary, n their sum and q its share of the reasoning:
    KL = sum(c/n * log(c/n / q)) = (sum(c log c) - sum(c log q)) / n - log n.
    """

    def __init__(self, budget_words: float) -> None:
        self.chosen: list[Statement] = []
        self._positions: set[int] = set()
        self.left = budget_words
        self._stems: dict[str, int] = {}
        self._count = 0
        self._repeats = 0.0
        self._likely = 0.0

    def add(self, candidate: _Candidate) -> None:
        statement, likely = candidate.statement, candidate.likely
        self._repeats += self._repeats_with(statement)
        self._likely += likely
        self._count += len(statement.terms)
        for term in statement.terms:
            self._stems[term] = self._stems.get(term, 0) + 1
        self.left -= statement.words
        self.chosen.append(statement)
        self._positions.add(statement.position)

    def can_add(self, statement: Statement) -> bool:
        """Whether it fits and says something new; once not, never again."""
        if statement.words > self.left or statement in self.chosen:
            return False
        most, terms = _REPEATS, statement.terms
        if len(terms & self._stems.keys()) > most * len(terms):
            return False
        return all(
            len(terms & c.terms) <= most * min(len(terms), len(c.terms)) for c in self.chosen
        )

    def with_antecedent(
        self, candidate: _Candidate, by_position: Mapping[int, _Candidate]
    ) -> list[_Candidate]:
        """The candidate, behind the one that it points to unless that is chosen.

        Empty if that one can't be chosen and the candidate is not the result.
        """
        if not self._loses(candidate):
            return [candidate]
        position = candidate.statement.position
        before = by_position.get(position - 1) or by_position.get(position - 2)
        if before is not None and self._can_stand_before(before, candidate):
            return [before, candidate]
        return [candidate] if candidate.is_result else []

    def _can_stand_before(self, before: _Candidate, candidate: _Candidate) -> bool:
        fits = before.statement.words + candidate.statement.words <= self.left
        return fits and not (before.statement.weak or self._loses(before))

    def _loses(self, candidate: _Candidate) -> bool:
        """Whether it would stand without the statement that it points to."""
        return candidate.leans and not follows(candidate.statement.position, self._positions)

    def gain(self, group: Sequence[_Candidate]) -> float:
        """What a candidate adds; with an antecedent of less value, less."""
        candidate = group[-1]
        value = candidate.value
        if len(group) > 1:
            value = min(value, (group[0].value + value) / 2) - _PAIRED
        return value - self.divergence_with(candidate)

    def divergence_with(self, candidate: _Candidate) -> float:
        """The divergence from the reasoning if it were added."""
        count = self._count + len(candidate.statement.terms)
        repeats = self._repeats + self._repeats_with(candidate.statement)
        return (repeats - self._likely - candidate.likely) / count - log(count)

    def _repeats_with(self, statement: Statement) -> float:
        """What sum(c log c) grows by."""
        grown = 0.0
        for term in statement.terms:
            if had := self._stems.get(term):
                grown += (had + 1) * log(had + 1) - had * log(had)
        return grown
