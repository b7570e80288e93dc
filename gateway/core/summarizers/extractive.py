"""Summaries made of the reasoning's own sentences: no model, deterministic, incremental.

A sentence is judged once, when it is finished: talk about the work of answering and code are left
out, what is taken back is removed. A live line is the best statement of a stretch of reasoning; the
summary proper is the choice of statements that, within a budget of words, are worth most and speak
most like the whole.
"""

from collections.abc import Mapping, Sequence

from gateway.core.summarizers.base import Summarizer, Summary
from gateway.core.summarizers.lexicon import leans
from gateway.core.summarizers.live import CLOSING_WORDS, LiveLines, says
from gateway.core.summarizers.phrases import Phrases
from gateway.core.summarizers.reader import Reader
from gateway.core.summarizers.selection import central, follows, select, valued
from gateway.core.summarizers.sentences import Sentence, SentenceSplitter
from gateway.core.summarizers.statements import GivenText, Statement, clean, finish
from gateway.core.summarizers.talk import is_order, plans, talks
from gateway.core.summarizers.text import (
    cut,
    in_small,
    join,
    one_line,
    shorten,
    stems,
    tokens,
    words,
)
from gateway.core.summarizers.weights import LEAST_RESULT

_COUNTS_LATE, _COUNTS_DRAFT, _COUNTS_WEAK = 1.3, 1.6, 0.4
"""What a statement adds to the counts of its stems, by its place and kind."""
_POOL = 240
"""Statements kept to choose from; of more, the worse half of the older ones is dropped."""
_VOCABULARY = 20_000
"""Stems counted at most; of more, the rarer half is forgotten."""
_SHORT_WORDS, _SHORT_SENTENCES = 120, 120
"""Reasoning up to this length is kept whole."""
_BYTES_PER_TOKEN = 4
_TAKES_BACK = 3
"""Sentences before a retraction that it throws doubt on; the last two are removed."""
_MAX_CHARS, _MAX_SENTENCES = 100_000, 4000
"""What is read of a text that arrives at once: its end, with the result. A sentence takes 15 to 30
us, in which no other stream goes on."""
_WRITTEN = 1.0
"""What a statement is worth more that a model wrote for the reader."""
_ANSWER_TERMS = frozenset(["answer", "final", "box", "boxed", "correct", "therefore", "result"])


class ExtractiveSummarizer(Summarizer):
    """See the top of this file."""

    def __init__(self, prompt: str, budget_words: int) -> None:
        self._given = GivenText(prompt)
        self._budget = budget_words
        self._splitter = SentenceSplitter()
        self._reader = Reader(self._given)
        self._live = LiveLines()
        self._short: dict[int, Sentence] | None = {}
        """The sentences by their positions, while the reasoning is short."""
        self._short_words = 0.0
        self._slight: list[Statement] = []
        """Statements that say little; only a short reasoning shows them."""
        self._pool: list[Statement] = []
        self._counts: dict[str, float] = {}
        self._answer: Statement | None = None
        self._is_written = False
        self._last = ""
        """The latest sentence as it was written, for a reasoning without a single statement."""
        self._kept: frozenset[int] = frozenset()
        """The statements of the last snapshot, from which the next should not stray for little."""

    def leave_out(self, instructions: str) -> None:
        self._given.add(instructions)

    def feed(self, text: str) -> list[str]:
        sentences = self._splitter.feed(text[-_MAX_CHARS:])
        if not sentences:  # as after nearly every token
            return []
        return [line for sentence in sentences[-_MAX_SENTENCES:] for line in self._take(sentence)]

    def hurry(self) -> list[str]:
        line = self._live.hurry(self._counts, self._reader.position)
        return [line] if line is not None else []

    def feed_written(self, text: str) -> None:
        """Takes whole sentences that a model wrote for the reader: they are worth more."""
        self._is_written = True
        self.feed(f"{text}\n\n")
        self._is_written = False

    def close(self) -> Summary:
        has_shown = self._live.count > 0
        lines = [line for sentence in self._splitter.close() for line in self._take(sentence)]
        self._kept = frozenset()
        text = self.snapshot(self._budget)
        if not has_shown:
            return Summary(text, text)
        return Summary(text, self.closing(), tuple(lines))

    def closing(self, shown: Sequence[str] | None = None) -> str:
        """The result of the reasoning if the lines that were shown do not say it, else "".

        shown: the lines, where they were not this summarizer's own.
        """
        result = self._result()
        if result is None:
            return ""
        told = self._live.shown if shown is None else [stems(tokens(line)) for line in shown]
        return "" if says(told, result) else shorten(result.text, CLOSING_WORDS)

    def snapshot(self, max_words: int) -> str:
        """The summary proper of the reasoning so far. Only later snapshots depend on it."""
        if self._short is not None and self._short_words <= max_words:
            return cut(self._brief(self._short) or one_line(self._last), max_words)
        chosen = self._choose(max_words)
        self._kept = frozenset(statement.position for statement in chosen)
        if chosen:
            return join(statement.text for statement in chosen)
        fallback = self._pool[-1].text if self._pool else self._last
        return cut(one_line(fallback), max_words)

    def _choose(self, max_words: float) -> list[Statement]:
        """The statements of the summary proper. If they do not say the result, it comes first."""
        pool, counts, position = self._candidates(), self._counts, self._reader.position
        chosen = select(pool, counts, max_words, position, self._kept)
        result = self._result()
        if result is None or says((statement.terms for statement in chosen), result):
            return chosen
        return select(pool, counts, max_words, position, self._kept, result)

    def _brief(self, sentences: Mapping[int, Sentence]) -> str:
        """All that a short reasoning states, once each; its last plan if it states nothing."""
        found = sorted([*self._candidates(), *self._slight], key=lambda s: s.position)
        stated = [s for s in found if not s.weak]
        result = self._result()
        told = [s for s in stated if s is result or not _is_said(s, stated)]
        shown = {s.position for s in told}
        whole = [s for s in told if not s.leans or follows(s.position, shown)]
        if whole:
            return join(s.text for s in whole)
        if not told:
            return _cleaned(sentences, self._reader.phrases)
        before = sentences.get(told[0].position - 1)
        antecedent = clean(before.text, self._reader.phrases) if before is not None else ""
        return join([*filter(None, [antecedent]), *(s.text for s in told)])

    def _take(self, sentence: Sentence) -> list[str]:
        lines = []
        self._last = sentence.text
        self._live.pass_by(len(sentence.text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
        reading = self._reader.read(sentence, is_short=self._short is not None)
        if self._short is not None:
            self._keep_short(sentence)
        if reading.retracts:
            self._take_back()
        else:
            line = self._live.next(self._counts, self._reader.position, turns=reading.turns)
            lines += [line] if line is not None else []
        if reading.statement is not None and reading.statement.slight:
            self._slight.append(reading.statement)
        elif reading.statement is not None:
            self._add(reading.statement, drafted=reading.drafted)
            line = self._live.first(self._counts, self._reader.position)
            lines += [line] if line is not None else []
        return lines

    def _take_back(self) -> None:
        """Removes the two sentences before this one, and throws doubt on the third."""
        position = self._reader.position
        for statement in self._pool[-_TAKES_BACK:]:
            if position - statement.position <= _TAKES_BACK:
                statement.mark("taken back")
        self._live.retract(position - 2)
        self._slight = [s for s in self._slight if s.position < position - 2]
        while self._pool and self._pool[-1].position >= position - 2:
            if self._pool.pop() is self._answer:
                self._answer = None

    def _add(self, statement: Statement, *, drafted: bool) -> None:
        statement.worth += _WRITTEN * self._is_written
        self._live.add(statement)
        weight = 1.0 + _COUNTS_LATE * statement.position / 100
        weight *= _COUNTS_WEAK if statement.weak else 1.0
        weight *= _COUNTS_DRAFT if drafted else 1.0
        counts = self._counts
        for term in statement.terms:
            counts[term] = counts.get(term, 0.0) + weight
        if len(counts) > _VOCABULARY:
            self._forget()
        if statement.answers:
            self._answer = statement
        self._pool.append(statement)
        if len(self._pool) > _POOL:
            self._thin()

    def _candidates(self) -> list[Statement]:
        """The pool without the answers that a later one replaced."""
        last = self._answer
        if last is None:
            return self._pool
        said = last.terms - _ANSWER_TERMS or last.terms
        return [s for s in self._pool if not s.answers or s is last or said & s.terms]

    def _keep_short(self, sentence: Sentence) -> None:
        if sentence.in_code or self._short is None:
            return
        self._short_words += words(sentence.text)
        self._short[self._reader.position] = sentence
        if self._short_words > _SHORT_WORDS or len(self._short) > _SHORT_SENTENCES:
            self._short = None
            self._slight.clear()

    def _result(self) -> Statement | None:
        """The statement that looks most like the result, if one does."""
        found = valued(self._candidates(), self._counts, self._reader.position)
        likely = [v for v in found if not v.statement.weak and v.result >= LEAST_RESULT]
        return max(likely, key=lambda v: v.result).statement if likely else None

    def _thin(self) -> None:
        half = _POOL // 2
        most = max(self._counts.values())
        older = sorted(
            self._pool[:half],
            key=lambda s: s.worth - s.weak + central(s, self._counts, most),
            reverse=True,
        )
        kept = sorted(older[: half // 2], key=lambda s: s.position)
        self._pool = kept + self._pool[half:]

    def _forget(self) -> None:
        kept = sorted(self._counts.items(), key=lambda item: -item[1])[: _VOCABULARY // 2]
        self._counts = dict(kept)


def _is_said(statement: Statement, others: Sequence[Statement]) -> bool:
    """Whether another statement says it more fully, or a later one as fully."""
    numbers = {term for term in statement.terms if term[0].isdigit()}
    matter = statement.terms - _ANSWER_TERMS
    return any(
        (says([other.terms], statement) or (bool(matter) and matter <= other.terms))
        and numbers <= other.terms
        and (len(other.terms), other.position) > (len(statement.terms), statement.position)
        for other in others
        if other is not statement
    )


def _cleaned(sentences: Mapping[int, Sentence], phrases: Phrases) -> str:
    """Short reasoning that states nothing: what it says beside talk, or its last plan or order."""
    texts = [text for s in sentences.values() if (text := clean(s.text.strip(), phrases))]
    stating = [text for text in texts if not talks(in_small(text), phrases)]
    told = [text for text in stating if not is_order(text) and not text.endswith((":", "："))]
    planned = [text for text in texts if plans(in_small(text), phrases)]
    orders = [text for text in texts if is_order(text)]
    kept = told or planned[-1:] or orders[:1] or texts[-1:]
    if kept and leans(in_small(kept[0])):
        at = texts.index(kept[0])
        kept = [*texts[max(0, at - 1) : at], *kept]
    return join([*map(finish, kept[:-1]), *kept[-1:]])
