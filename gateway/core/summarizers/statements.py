"""What a sentence of reasoning states, if it states anything, and how much that is worth."""

import re
from functools import cached_property, lru_cache
from typing import NamedTuple

from gateway.core.summarizers import lexicon
from gateway.core.summarizers.text import count_words, is_whole, one_line, stems, tokens

WEIGHTS = {
    "answer": 0.4,
    "conclusion": 0.4,
    "draft": 0.5,
    "digit": 0.2,
    "equation": 0.2,
    "topic": 0.1,
    "hedge": -0.6,
    "supposition": -0.3,
    "short": -0.8,
    "long": -0.7,
    "echo": -3.0,
    "talk": -1.0,
    "question": -2.5,
    "otherwise": -2.5,
    "task": -0.25,
    "aside": 0.25,
}
"""What a sign is worth. Chosen by random search for ROUGE-1 and key terms on real traces, then
rounded; two searches agreed on hedge, supposition, short, echo and talk; the rest matter little."""

_EMPHASIS = re.compile(r"\*\*|__(?=\S)|(?<=\S)__")
_ITALIC = re.compile(r"(?<![\w*])[*_]([^*_`$\n]{1,200})[*_](?![\w*])")
_ENDS = re.compile(r"[.!?;…。！？；؟।॥۔።][\"'”’」』）)\]]*$")
_QUESTION = re.compile(r"[?？][\"'”)*\s]*$")
_SAYS = re.compile(
    r"^[^:：\"“]{0,70}?(?:\b(?:say|answer|write|respond|reply|produce|response|draft|output|text|"
    r"line|version|verdict|conclusion)\b[^:\"“.]{0,30}:|(?:回复|输出|草稿)[^:：]{0,10}[:：])\s*(?=\S)",
    re.IGNORECASE,
)
_IS_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CJK_GAP = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_PLAIN_WORD = re.compile(r"(?:[^\W\d_A-Z]{2,}|[ai])(?![\w(=\[]|\s*[=<>]|\.\w)")
_DIGIT = re.compile(r"\d")
_QUOTES = {'"': '"', "“": "”", "「": "」"}
_MAX_OPENERS = 6
_PROMPT_WINDOW = 3000
"""Characters of each end of the prompt that are looked at."""
_SHORT, _LONG = 5, 34
"""Words."""
_LEAST_DRAFT_CHARS = 30
"""A shorter one keeps a word that says what it is."""
_PARTLY, _MOSTLY = 0.4, 0.6
"""A statement with such a share of the prompt's triples only repeats it."""


class Statement(NamedTuple):
    """A sentence that states something."""

    position: int
    text: str
    words: float
    terms: frozenset[str]
    score: float
    answers: bool
    """It gives the answer."""
    concludes: bool
    """It draws a conclusion."""
    weak: bool
    """A question, a supposition or an echo: shown only when there is nothing else."""


class Prompt:
    """What the prompt speaks of: its stems and its triples of words. Only its two ends are read."""

    def __init__(self, text: str) -> None:
        if len(text) > 2 * _PROMPT_WINDOW:
            text = f"{text[:_PROMPT_WINDOW]}\n{text[-_PROMPT_WINDOW:]}"
        self._text = text

    @cached_property
    def _tokens(self) -> list[str]:
        return tokens(self._text)

    @cached_property
    def terms(self) -> frozenset[str]:
        """The stems of its words."""
        return stems(self._tokens)

    @cached_property
    def triples(self) -> frozenset[tuple[str, str, str]]:
        """Its runs of three words."""
        found = self._tokens
        return frozenset(zip(found, found[1:], found[2:], strict=False))

    def echoed(self, found: list[str]) -> float:
        """The share of a sentence's triples of words that the prompt has, 0 to 1."""
        triples = list(zip(found, found[1:], found[2:], strict=False))
        if not triples or not self.triples:
            return 0.0
        return sum(map(self.triples.__contains__, triples)) / len(triples)


@lru_cache(maxsize=256)  # a sentence is cleaned to read it, to judge it, and for a short account
def clean(raw: str) -> str:
    """Without list marks, emphasis and openers of thinking aloud; with a capital."""
    text = one_line(raw)
    if not text.isascii():
        text = _CJK_GAP.sub("", text)
    text = lexicon.LIST_MARK.sub("", text)
    if "`" not in text and "$" not in text:
        if "*" in text or "_" in text:
            text = _ITALIC.sub(r"\1", _EMPHASIS.sub("", text))
            text = text.replace("*:", ":").replace(":*", ":")
    else:
        text = text.replace("**", "").replace(":* ", ": ")
    text = lexicon.LIST_MARK.sub("", text.strip(" *_"))
    for _ in range(_MAX_OPENERS):
        match = lexicon.OPENER.match(text)
        if not match or match.end() == len(text):
            break
        text = text[match.end() :]
    return _capital(text)


def _capital(text: str) -> str:
    """Names in code and variables stay as they are."""
    return text[0].upper() + text[1:] if _PLAIN_WORD.match(text) else text


def finish(text: str) -> str:
    """With a full stop and without a quotation mark that has no partner."""
    for opening, closing in _QUOTES.items():
        if (
            (text.count(opening) % 2)
            if opening == closing
            else (text.count(opening) != text.count(closing))
        ):
            text = text.removeprefix(opening) if text.startswith(opening) else text
            if text.endswith(closing) and text.count(closing) % 2:
                text = text[:-1]
    text = text.rstrip(" ,;—–-|")
    if text and not _ENDS.search(text):
        text += "。" if _IS_CJK.search(text[-3:]) else "."
    return _capital(text)


def unwrap_draft(text: str) -> tuple[str, bool]:
    """The draft that follows "I'll say:", and whether there was one."""
    match = _SAYS.match(text) if ":" in text or "：" in text else None
    if not match:
        return text, False
    draft = text[match.end() :].strip(" *")
    if len(draft) >= _LEAST_DRAFT_CHARS:
        return clean(draft), True
    draft = draft.strip(" *'\"`.“”")
    if draft.lower().startswith("answer"):
        return draft, True
    if "answer" in match.group().lower() and any(map(str.isalnum, draft)):
        return f"Answer: {draft}", True
    return text, False


def judge(
    raw: str, position: int, prompt: Prompt, drafted: bool, hypothetical: bool
) -> Statement | None:
    """The statement that a sentence makes, or None when it makes none."""
    if lexicon.TABLE_ROW.match(raw) or lexicon.is_code(raw):
        return None
    text = clean(raw)
    answers = lexicon.ANSWERS.search(text) and not lexicon.PLACEHOLDER.search(text)
    text, said = unwrap_draft(text)
    if not text or lexicon.META.match(text.lstrip('"“(')) or text.endswith((":", "：")):
        return None
    if lexicon.FORM.search(text) and not answers:
        return None
    question = bool(_QUESTION.search(text))
    text = finish(text)
    found = tokens(text)
    length = count_words(found)
    has_digit = _DIGIT.search(text) is not None
    bag = stems(found)
    says_much = has_digit or (len(bag) >= 3 and length >= 4)
    if not bag or not (answers or says_much):
        return None
    if not is_whole(text):
        return None
    echo = prompt.echoed(found)
    supposes = hypothetical or lexicon.SUPPOSES.search(text)
    concludes = bool(lexicon.CONCLUDES.match(raw.lstrip(" *-_")))
    hedged = lexicon.HEDGES.search(text)
    otherwise = bool(lexicon.OTHERWISE.match(text))
    tried = otherwise or hypothetical or bool(lexicon.SUPPOSITION.match(text))
    signs = {
        "answer": answers,
        "conclusion": concludes,
        "draft": said or drafted,
        "digit": has_digit,
        "equation": "=" in text,
        "topic": min(3, len(bag & prompt.terms)),
        "hedge": hedged,
        "supposition": supposes,
        "short": length < _SHORT,
        "long": max(0.0, (length - _LONG) / 30 + (length > _LONG)),
        "echo": max(0.0, echo - 0.25),
        "talk": lexicon.TALKS.search(text),
        "question": question,
        "otherwise": otherwise,
        "task": lexicon.TASK.search(text),
        "aside": "(" in text or "（" in text,
    }
    score = sum([WEIGHTS[sign] * worth for sign, worth in signs.items()])
    weak = question or hypothetical or echo > _MOSTLY or bool(lexicon.LET.match(text))
    return Statement(
        position,
        text,
        length,
        bag,
        score,
        answers=answers and not (question or tried or echo > _PARTLY),
        concludes=concludes and not (weak or hedged or tried),
        weak=weak,
    )
