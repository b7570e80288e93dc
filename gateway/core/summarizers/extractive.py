"""Summaries made of the reasoning's own sentences: no model, deterministic, incremental.

Sentences are judged as they are finished: talk about talking, questions, code and what repeats the
prompt are dropped, what was taken back is taken out. A live line is the best statement of each
stretch of thought; the summary proper is the choice of statements that, within a budget of words,
speaks most like the whole, with the last stated answer among them.
"""

from collections.abc import Sequence

from gateway.core.summarizers.base import Summarizer, Summary
from gateway.core.summarizers.lexicon import META
from gateway.core.summarizers.live import LINE_WORDS, LiveLines, says
from gateway.core.summarizers.reader import Reader
from gateway.core.summarizers.selection import central, select
from gateway.core.summarizers.sentences import Sentence, SentenceSplitter
from gateway.core.summarizers.statements import Prompt, Statement, clean, finish
from gateway.core.summarizers.text import cut, join, one_line, shorten, stems, tokens, words

WEIGHTS = {"late": 1.3, "draft": 1.6, "weak": 0.4}
_POOL = 240
"""Statements kept to choose from; when there are more, the worse half of the older ones goes."""
_VOCABULARY = 20_000
"""Stems counted at most; when there are more, the rarer half is forgotten."""
_BYTES_PER_TOKEN = 4


_ANSWERS_AFTER = 0.5
"""Where the last answer has to stand, as a share of the reasoning."""
_FULL_WORDS = 25
"""A fuller wording of the answer may have so many words."""
_SAID_TERMS = 2
"""Of so many terms must an answer consist to know it again in a conclusion."""
ANSWER_TERMS = frozenset(["answer", "final", "box", "boxed", "correct", "therefore", "result"])
_CONCLUDES_AFTER = 0.8
"""Where a conclusion that is not called the answer has to stand, as a share of the reasoning."""
_CONCLUDES_FROM = -0.5
"""And what it must be worth."""


class ExtractiveSummarizer(Summarizer):
    """See the top of this file."""

    def __init__(self, prompt: str, budget_words: int) -> None:
        self._prompt = Prompt(prompt)
        self._budget = budget_words
        self._splitter = SentenceSplitter()
        self._reader = Reader(self._prompt)
        self._live = LiveLines()
        self._short: list[Sentence] | None = []
        self._short_words = 0.0
        self._pool: list[Statement] = []
        self._counts: dict[str, float] = {}
        self._answer: Statement | None = None
        self._kept: frozenset[int] = frozenset()
        """The statements of the last snapshot, from which the next should not stray for little."""

    def feed(self, text: str) -> list[str]:
        return [line for sentence in self._splitter.feed(text) for line in self._take(sentence)]

    def close(self) -> Summary:
        has_shown = self._live.count > 0
        lines = [line for sentence in self._splitter.close() for line in self._take(sentence)]
        self._kept = frozenset()
        text = self.snapshot(self._budget)
        if not has_shown:
            return Summary(text, text)
        return Summary(text, self.closing(), tuple(lines))

    def closing(self, shown: Sequence[str] | None = None) -> str:
        """The last conclusion if the lines that were shown do not say it, else "".

        shown: the lines, where they were not this summarizer's own.
        """
        conclusion = self._conclusion()
        if conclusion is None:
            return ""
        told = self._live.shown if shown is None else [stems(tokens(line)) for line in shown]
        return "" if says(told, conclusion) else shorten(conclusion.text, LINE_WORDS)

    def snapshot(self, max_words: int) -> str:
        """The summary proper of what was reasoned so far. Only later ones depend on it."""
        if self._short is not None and self._short_words <= max_words:
            return cut(_cleaned(self._short), max_words)
        chosen = self._choose(max_words)
        self._kept = frozenset(s.position for s in chosen)
        if chosen:
            return join(s.text for s in chosen)
        fallback = self._pool[-1].text if self._pool else _cleaned(self._short or [])
        return cut(fallback, max_words)

    def _take(self, sentence: Sentence) -> list[str]:
        lines = []
        self._live.pass_by(len(sentence.text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
        reading = self._reader.read(sentence)
        if self._short is not None:
            self._keep_short(sentence)
        if reading.retracts:
            self._retract(self._reader.position - 2)
        elif (line := self._live.next(self._counts, turns=reading.turns)) is not None:
            lines.append(line)
        if reading.statement is not None:
            self._add(reading.statement, drafted=reading.drafted)
            if (line := self._live.first(self._counts)) is not None:
                lines.append(line)
        return lines

    def _choose(self, max_words: float) -> list[Statement]:
        pinned = self._conclusion()
        if pinned is not None and pinned.words > max_words:
            pinned = None
        position = self._reader.position
        return select(self._pool, self._counts, max_words, pinned, position, self._kept)

    def _add(self, statement: Statement, *, drafted: bool) -> None:
        self._live.add(statement)
        weight = 1.0 + WEIGHTS["late"] * statement.position / 100
        weight *= WEIGHTS["weak"] if statement.weak else 1.0
        weight *= WEIGHTS["draft"] if drafted else 1.0
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

    def _retract(self, position: int) -> None:
        self._live.retract(position)
        while self._pool and self._pool[-1].position >= position:
            if self._pool.pop() is self._answer:
                self._answer = None

    def _keep_short(self, sentence: Sentence) -> None:
        if sentence.in_code:
            return
        self._short_words += words(sentence.text)
        if self._short is not None:
            self._short.append(sentence)
            if self._short_words > 120 or len(self._short) > 120:
                self._short = None

    def _conclusion(self) -> Statement | None:
        """The last stated answer, in its fullest wording; else the last conclusion."""
        position = self._reader.position
        last = self._answer
        if last is None or last.position < position * _ANSWERS_AFTER:
            late = [
                s
                for s in self._pool
                if s.position >= position * _CONCLUDES_AFTER
                and s.concludes
                and s.score > _CONCLUDES_FROM
            ]
            return late[-1] if late else None
        said = last.terms - ANSWER_TERMS or last.terms
        same = [
            s
            for s in self._pool
            if s.position >= position * _ANSWERS_AFTER
            and (s.answers or (s.concludes and len(said) >= _SAID_TERMS))
            and s.words <= _FULL_WORDS
            and said <= s.terms
        ]
        return max(same, key=lambda s: (len(s.terms), s.position), default=last)

    def _thin(self) -> None:
        half = _POOL // 2
        most = max(self._counts.values())
        older = sorted(
            self._pool[:half],
            key=lambda s: s.score - s.weak + 2 * central(s, self._counts, most),
            reverse=True,
        )
        self._pool = sorted(older[: half // 2]) + self._pool[half:]

    def _forget(self) -> None:
        kept = sorted(self._counts.items(), key=lambda item: -item[1])[: _VOCABULARY // 2]
        self._counts = dict(kept)


def _cleaned(sentences: list[Sentence]) -> str:
    """Short reasoning as it is, without openers and, if anything is left, without talk."""
    texts = [text for s in sentences if (text := clean(s.text))]
    stating = [text for text in texts if not META.match(text)]
    kept = stating or texts
    return join([*map(finish, kept[:-1]), *kept[-1:]]) or one_line(
        " ".join(s.text for s in sentences)
    )
