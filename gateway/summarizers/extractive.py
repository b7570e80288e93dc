"""Summaries made of the reasoning's own sentences: no model, deterministic, incremental.

Sentences are taken as they are finished. Talk about talking ("Okay, let me see…") is dropped, the
rest is scored by what it states. A live line is the best sentence of each stretch of thought; the
summary proper is the best of the whole within a budget of words, with the last stated conclusion.
"""

import re
from collections import Counter
from typing import NamedTuple

from gateway.summarizers.text import cut, one_line, sentence_end, words

_FIRST_LINE_CHARS = 120
"""A first live line after about 30 tokens of reasoning …"""
_LINE_CHARS = 600
"""… and the next after about 150 more; the stretches grow as the thinking grows long."""
_GROWTH = 0.08
_LINE_WORDS = 30
_MAX_SENTENCE_CHARS = 1500
"""A text without any sentence's end is cut here, so that nothing grows without bound."""
_POOL = 400
_FENCE = "```"

_OPENER = re.compile(
    r"^(?:(?:okay|ok|so|well|hmm+|wait|now|but|and|also|alright|right|actually|let me see|yes)"
    r"\b[,.!…\s]*"
    r"|(?:嗯|好的|那么|等等|所以|首先|然后)[，,、。]?\s*|[-*•#>\s]+|\d{1,2}[.)]\s+)+",
    re.IGNORECASE,
)
_META = re.compile(
    r"^(?:let me|let's|let us|i'll|i will|i need to (?:figure|find|think|make sure|consider)|"
    r"(?:the )?user (?:wants|asks|is asking|asked|says)|the question (?:is|asks)|"
    r"i should (?:answer|respond|produce|provide)|that makes sense|makes sense|"
    r"we (?:are|need) (?:asked|to (?:figure|answer|produce))|用户|让我|我需要)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"^(?:therefore|thus|hence|in conclusion|the (?:final )?answer|the result|this means|overall|"
    r"in total|so the|finally|因此|所以|答案|结论)|\\boxed|\banswer is\b",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\b(?:maybe|perhaps|might|if|suppose|assume|possibly|not sure)\b|也许|可能|如果", re.IGNORECASE
)
_RETRACTS = re.compile(
    r"^(?:wait,? (?:no|that)|no,|that'?s (?:wrong|not right)|scratch that|i made a mistake|不对)",
    re.IGNORECASE,
)
_TERM = re.compile(r"[^\W_]{3,}|\d+|[\u4e00-\u9fff]{2}")


class Summary(NamedTuple):
    """The end of an account."""

    text: str
    """The summary proper, "" when there was nothing to summarize."""
    closing: str
    """What is still to show for someone who has seen the live lines, or ""."""


class _Sentence(NamedTuple):
    position: int
    text: str
    terms: frozenset[str]
    score: float
    concludes: bool


class ExtractiveSummarizer:
    """One account of one text of reasoning."""

    def __init__(self, prompt: str, budget_words: int) -> None:
        self._prompt_terms = _terms(prompt)
        self._budget = budget_words
        self._tail = ""
        self._in_code = False
        self._position = 0
        self._short: list[str] | None = []
        self._pool: list[_Sentence] = []
        self._counts: Counter[str] = Counter()
        self._stretch: list[_Sentence] = []
        self._stretch_chars = 0
        self._chars = 0
        self._lines: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Takes the next piece of reasoning; gives the live lines that it finishes, mostly none."""
        look_from = max(0, len(self._tail) - 2)
        self._tail += text
        before = len(self._lines)
        at = 0
        while len(self._tail) > at:
            end, following = sentence_end(self._tail, at, look_from) or (len(self._tail) + 1, 0)
            if min(end, len(self._tail)) - at > _MAX_SENTENCE_CHARS:
                end = following = at + _MAX_SENTENCE_CHARS
            if end > len(self._tail):
                break
            self._take(self._tail[at:end])
            self._maybe_line()
            at = following
        self._tail = self._tail[at:]
        return self._lines[before:]

    def close(self) -> Summary:
        """The reasoning is over."""
        self._take(self._tail)
        self._tail = ""
        conclusion = self._conclusion()
        if self._short is not None:
            text = " ".join(filter(None, map(_clean, self._short))) or one_line(
                " ".join(self._short)
            )
        else:
            text = self._select(conclusion)
        if not self._lines:
            return Summary(text, text)
        shown = conclusion is None or any(conclusion.text[:40] in line for line in self._lines)
        return Summary(
            text, "" if shown or conclusion is None else cut(conclusion.text, _LINE_WORDS)
        )

    def _take(self, raw: str) -> None:
        raw = raw.strip()
        if not raw:
            return
        self._chars += len(raw) + 1
        self._stretch_chars += len(raw) + 1
        if raw.startswith(_FENCE):
            self._in_code = not self._in_code
            return
        if self._in_code:
            return
        self._position += 1
        if self._short is not None:
            self._short.append(raw)
            if self._chars > 12 * self._budget or words(" ".join(self._short)) > self._budget:
                self._short = None
        if _RETRACTS.match(raw):
            for kept in (self._pool, self._stretch):
                if kept and kept[-1].position >= self._position - 2:
                    kept.pop()
        sentence = self._judge(raw)
        if sentence is not None:
            self._counts.update(sentence.terms)
            self._pool.append(sentence)
            self._stretch.append(sentence)
            if len(self._pool) > _POOL:
                self._thin()

    def _judge(self, raw: str) -> _Sentence | None:
        """The sentence with its score, or None when it states nothing."""
        text = _clean(raw)
        terms = _terms(text)
        if not text or _META.match(text) or text.endswith(("?", "？", ":", "：")) or len(terms) < 3:
            return None
        concludes = bool(_CONCLUDES.search(text))
        length = words(text)
        score = (
            0.8 * concludes
            + 0.7 * any(map(str.isdigit, text))
            + 0.6 * ("=" in text)
            + 0.25 * min(3, len(terms & self._prompt_terms))
            - 0.7 * bool(_HEDGES.search(text))
            - 1.0 * (length < 5)
            - 0.8 * (length > 34)
            - 1.0 * (len(terms & self._prompt_terms) > 0.6 * len(terms))
        )
        return _Sentence(self._position, text, terms, score, concludes)

    def _maybe_line(self) -> None:
        due = _LINE_CHARS + _GROWTH * self._chars if self._lines else _FIRST_LINE_CHARS
        if self._stretch_chars < due or not self._stretch:
            return
        best = max(self._stretch, key=lambda s: (s.score + self._centrality(s), -s.position))
        line = cut(best.text, _LINE_WORDS)
        if line not in self._lines:
            self._lines.append(line)
        self._stretch.clear()
        self._stretch_chars = 0

    def _centrality(self, sentence: _Sentence) -> float:
        """How much a sentence speaks of what the whole reasoning speaks of, 0 to 2."""
        most = max(self._counts.values(), default=1)
        return 2 * sum(self._counts[t] / most for t in sentence.terms) / max(6, len(sentence.terms))

    def _conclusion(self) -> _Sentence | None:
        concluding = [s for s in self._pool if s.concludes]
        candidates = concluding or self._pool
        return candidates[-1] if candidates else None

    def _select(self, conclusion: _Sentence | None) -> str:
        """The best sentences that fit the budget, in their order, the conclusion among them."""
        if conclusion is None:
            return cut(self._lines[-1], self._budget) if self._lines else ""
        chosen = [conclusion]
        left = self._budget - words(conclusion.text)
        ranked = sorted(self._pool, key=lambda s: s.score + self._centrality(s), reverse=True)
        for sentence in ranked:
            length = words(sentence.text)
            repeats = any(len(sentence.terms & c.terms) > 0.5 * len(sentence.terms) for c in chosen)
            if length <= left and not repeats:
                chosen.append(sentence)
                left -= length
        text = " ".join(s.text for s in sorted(chosen))
        return cut(text, self._budget)

    def _thin(self) -> None:
        """Keeps the better half of the older sentences."""
        half = _POOL // 2
        older = sorted(self._pool[:half], key=lambda s: s.score + self._centrality(s), reverse=True)
        self._pool = sorted(older[: half // 2]) + self._pool[half:]


def _clean(raw: str) -> str:
    """Without list marks, emphasis and openers, with a capital."""
    text = one_line(_OPENER.sub("", raw.replace("**", "").strip()))
    return text[:1].upper() + text[1:]


def _terms(text: str) -> frozenset[str]:
    return frozenset(term.lower() for term in _TERM.findall(text))
