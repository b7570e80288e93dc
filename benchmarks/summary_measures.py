"""Measures of a summary's quality, on a trace whose answer is known.

The summarizer never sees the answer. Words are Latin words and numbers; a CJK character counts as
0.6 words. All measures are shares, from 0 to 1. The part of a summary beyond the budget is cut off
before measuring.
"""

import bisect
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from summary_lexicon import ANSWERS, META, OPENER, RETRACTS, STOP

from gateway.core.summarizers.text import stem

_CJK = r"\u3400-\u9fff\u3040-\u30ff\uac00-\ud7af"
_TOKEN = re.compile(
    rf"[{_CJK}]|\d+(?:[.,]\d+)*"
    r"|[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u0980-\u09ff]+(?:'[a-z]+)?"
)
_IS_CJK = re.compile(f"[{_CJK}]")
_SENTENCE = re.compile(rf"(?<=[.!?])[\"')\]]*\s+(?=[A-Z0-9\"'(\[*$\\`{_CJK}])|(?<=[。！？；])|\n+")
_WHOLE = re.compile(r"[.!?:;。！？；)\]}$`\"'*…⟩]$|\d$")
_NOT_A_TERM = {"answer", "final", "boxed", "correct", "therefore", "thus"}
_MOST_KEYS = 12

Trigrams = frozenset[tuple[str, str, str]]


def tokens(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [t.lower() for t in _TOKEN.findall(text)]


def words(text: str) -> float:
    """How many words a text has."""
    return sum(0.6 if _IS_CJK.match(t) else 1.0 for t in _TOKEN.findall(text))


def reasoning_tokens(text: str) -> float:
    """About how many tokens of a model a text is: 4 characters each, 1.5 for CJK."""
    cjk = len(_IS_CJK.findall(text))
    return cjk / 1.5 + (len(text) - cjk) / 4


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [s.strip() for s in _SENTENCE.split(text) if s and s.strip()]


def content(found: Iterable[str]) -> list[str]:
    """Words with a meaning of their own."""
    return [t for t in found if t not in STOP and (len(t) > 1 or t.isdigit() or _IS_CJK.match(t))]


def stems(text: str) -> set[str]:
    """The stems of the words with a meaning."""
    return set(map(stem, content(tokens(text))))


def cut(text: str, budget: float) -> str:
    """The beginning of a text within a budget of words."""
    count = 0.0
    for match in _TOKEN.finditer(text):
        count += 0.6 if _IS_CJK.match(match.group()) else 1.0
        if count > budget + 1e-9:
            return text[: match.start()].rstrip()
    return text


def _norm(text: str) -> str:
    return re.sub(rf"[^0-9a-z{_CJK}]+", " ", text.lower()).strip()


def _trigrams(texts: Iterable[str]) -> list[tuple[str, str, str]]:
    return [
        triple
        for found in map(tokens, texts)
        for triple in zip(found, found[1:], found[2:], strict=False)
    ]


def rouge(ours: Sequence[str], theirs: Sequence[str], n: int = 1) -> float:
    """ROUGE-n F1 of two lists of words (Lin 2004)."""
    first, second = (
        Counter(zip(*(found[i:] for i in range(n)), strict=False)) for found in (ours, theirs)
    )
    if not first or not second:
        return 0.0
    both = (first & second).total()
    return 2 * both / (first.total() + second.total())


def meta_talk(summary: str) -> float:
    """The share of words that are about the work of answering, and not about the topic."""
    every = talk = 0.0
    for sentence in sentences(summary):
        bare = re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", sentence).strip(" *_#")
        count = words(bare)
        every += count
        stated = bare
        while (match := OPENER.match(stated)) and match.end():
            stated = stated[match.end() :]
        talks = META.match(stated.strip(" *_#")) or not content(tokens(stated))
        talk += count if talks else count - words(stated)
    return talk / every if every else 0.0


class Trace:
    """One trace, with what the measures need of it."""

    def __init__(self, prompt: str, reasoning: str, answer: str) -> None:
        self.prompt = prompt
        self.reasoning = reasoning
        self.answer = answer

    @cached_property
    def _sentences(self) -> list[str]:
        return sentences(self.reasoning)

    @cached_property
    def _joined(self) -> tuple[str, list[int]]:
        starts = []
        joined: list[str] = []
        length = 0
        for sentence in map(_norm, self._sentences):
            starts.append(length)
            joined.append(sentence + " ")
            length += len(sentence) + 1
        return "".join(joined), starts

    @cached_property
    def vocabulary(self) -> set[str]:
        """The stems of the reasoning."""
        return set(map(stem, tokens(self.reasoning)))

    @cached_property
    def prompt_trigrams(self) -> Trigrams:
        """Runs of three words of the prompt."""
        return frozenset(_trigrams([self.prompt]))

    @cached_property
    def trigrams(self) -> Trigrams:
        """Runs of three words of the reasoning."""
        return frozenset(_trigrams([self.reasoning]))

    @cached_property
    def answer_stems(self) -> list[str]:
        """The words of the answer."""
        return list(map(stem, tokens(self.answer)))

    @cached_property
    def last_answer(self) -> set[str] | None:
        """The terms of the last sentence of the reasoning that states an answer, if any does."""
        stated = [s for s in self._sentences if ANSWERS.search(s)]
        return stems(stated[-1]) - _NOT_A_TERM if stated else None

    @cached_property
    def keys(self) -> list[str]:
        """At most 12 terms that are in the answer and in the reasoning, but not in the prompt."""
        without_code = re.sub(r"```.*?```", " ", self.answer, flags=re.DOTALL)
        body = without_code if len(without_code) > 40 else self.answer
        known = set(map(stem, tokens(self.prompt)))
        counts = Counter(map(stem, content(tokens(body))))
        numbered = re.sub(r"(?m)^\s*(?:[-*]\s*)?\d+[.)]\s", " ", body)
        for number in re.findall(r"\d+(?:[.,]\d+)*", numbered):
            counts[number.replace(",", "")] += 2
        for name in re.findall(r"(?<=[a-z,;:] )[A-Z][A-Za-z]{2,}|`([A-Za-z_][\w.]*)`", body):
            counts[stem(name.lower())] += bool(name)
        found = [k for k in counts if k and k in self.vocabulary and k not in known]
        return sorted(found, key=lambda k: (-counts[k], k))[:_MOST_KEYS]

    @cached_property
    def final_result(self) -> str | None:
        """The result that the answer names as such.

        None if there is none, if the reasoning does not state it, or if the prompt does.
        """
        for pattern in (
            r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}",
            r"(?i)(?:final\s+answer|answer|result)\s*(?:is|:|=)+\s*\**\s*\$*\\?\(?\s*([^\n.*$]{1,40})",
            r"答案[是为：:\s*]+([^\n。*]{1,30})",
        ):
            if found := re.findall(pattern, self.answer):
                plain = re.sub(r"\\(?:text|frac|dfrac|mathrm|left|right)", " ", found[-1])
                result = _norm(plain)
                if result and len(result.split()) <= 6:
                    stated = result in _norm(self.reasoning) and result not in _norm(self.prompt)
                    return result if stated else None
        return None

    def place(self, sentence: str) -> int | None:
        """The number of the sentence of the reasoning that this one was taken from."""
        sought = _norm(sentence)
        joined, starts = self._joined
        length = len(sought)
        for probe in (
            sought,
            sought[length // 4 :],
            sought[: max(20, length * 2 // 3)],
            " ".join(sought.split()[2:10]),
        ):
            if len(probe) >= 8 and (at := joined.rfind(probe)) >= 0:
                return bisect.bisect_right(starts, at) - 1
        return None

    def taken_back(self, place: int) -> bool:
        """Whether one of the next two sentences takes this one back."""
        after = self._sentences[place + 1 : place + 3]
        return any(RETRACTS.match(s.lstrip(" *_-")) for s in after)

    def is_stale(self, sentence: str) -> bool:
        """Whether the sentence states an answer other than the last one."""
        if self.last_answer is None or not ANSWERS.search(sentence):
            return False
        own = stems(sentence) - _NOT_A_TERM
        least = min(len(own), len(self.last_answer))
        return bool(own) and len(own & self.last_answer) / max(1, least) < 0.5


def measure(trace: Trace, summary: str, budget: int) -> dict[str, float]:
    """All measures of one summary; `keys` and `final` only where the trace has any."""
    shown = cut(summary, budget)
    own = list(map(stem, tokens(shown)))
    found: dict[str, float] = {
        "R1": rouge(own, trace.answer_stems),
        "R2": rouge(own, trace.answer_stems, 2),
        "R1c": rouge(content(own), content(trace.answer_stems)),
        "meta": meta_talk(shown),
        "over": float(words(summary) > budget * 1.05),
        "words": words(shown) / 100,
    }
    if trace.keys:
        found["keys"] = statistics.mean(k in set(own) for k in trace.keys)
    if trace.final_result:
        found["final"] = float(f" {trace.final_result} " in f" {_norm(shown)} ")
    triples = _trigrams(sentences(shown))
    found["novel"] = _share(t not in trace.trigrams for t in triples)
    found["echo"] = _share(t in trace.prompt_trigrams for t in triples)
    stated = [s for s in sentences(shown) if len(content(tokens(s))) >= 2]
    places = [place for s in stated if (place := trace.place(s)) is not None]
    found["retract"] = _share(map(trace.taken_back, places))
    found["stale"] = _share(map(trace.is_stale, stated))
    found["broken"] = _share(map(is_broken, stated))
    found["redund"] = redundancy(stated)
    return found


def redundancy(stated: Sequence[str]) -> float:
    """The mean, over all sentences, of the highest overlap of terms with another sentence."""
    bags = [stems(s) for s in stated]
    highest = [
        max((_overlap(a, b) for j, b in enumerate(bags) if j != i), default=0.0)
        for i, a in enumerate(bags)
    ]
    return statistics.mean(highest) if highest else 0.0


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))


def _share(flags: Iterable[bool]) -> float:
    every = list(flags)
    return sum(every) / len(every) if every else 0.0


def is_broken(sentence: str) -> bool:
    """Whether a sentence is cut: without an end or a beginning, or with an open formula."""
    return bool(
        not _WHOLE.search(sentence)
        or sentence.count("$") % 2
        or sentence.count("```") % 2
        or abs(sentence.count("(") - sentence.count(")")) > 1
        or re.match(r"[a-z,;)]", sentence.strip(" *_-"))
    )


def churn(snapshots: Sequence[str]) -> float:
    """The mean share of a snapshot's words that the next one lacks."""
    lost = []
    for one, other in itertools.pairwise(snapshots):
        had, has = Counter(tokens(one)), Counter(tokens(other))
        if had:
            lost.append(1 - (had & has).total() / had.total())
    return statistics.mean(lost) if lost else 0.0
