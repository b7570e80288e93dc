"""Words, terms and cuts of a text. Pure functions."""

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from gateway.core.summarizers.lexicon import STOP

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_NO_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Scripts that write a sentence without spaces: Thai, Lao, Burmese, Khmer. A run of five characters
stands for a word."""
_BETWEEN = r"\s!-/:-@\[-`{-~\u2000-\u206f\u3000-\u3020\uff00-\uff0f\uff1a-\uff20"
"""What stands between words: white space and punctuation."""
_TOKEN = re.compile(
    rf"[{_CJK}]|[{_NO_SPACES}]{{1,5}}|[0-9]+(?:[.,][0-9]+)*"
    rf"|[^{_BETWEEN}{_CJK}{_NO_SPACES}0-9]+(?:'[a-z]+)?"
)
_CJK_FROM, _CJK_WORD, _NO_SPACES_WORD = "\u3040", 0.6, 0.2
"""Words that one character counts for where words are not written apart."""
_IS_NO_SPACES = re.compile(f"[{_NO_SPACES}]").match
_DOLLAR = re.compile(r"\$(?:\d[\d.,]*[A-Za-z]?(?![\w\\${^])(?! *[\\=^])|[A-Za-z_]{3,}\b(?![$^]))")
"""A dollar sign of an amount or of a variable."""
_MAX_TERM_CHARS = 40
_NOTHING = frozenset([""])
_SUFFIXES = ("ing", "edly", "ed", "ies", "es", "s", "ly")


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; a number is one, and so is a CJK character."""
    return _TOKEN.findall(in_small(text))


def in_small(text: str) -> str:
    """The text in small letters and with straight apostrophes, as the patterns have it."""
    return text.lower() if text.isascii() else text.lower().replace("’", "'")


def words(text: str) -> float:
    """How many words a text has; a CJK character counts for 0.6 of one."""
    return count_words(_TOKEN.findall(text))


def count_words(found: Collection[str]) -> float:
    """How many words the tokens are."""
    if "".join(found).isascii():
        return float(len(found))
    return sum(map(_weight, found))


def _weight(word: str) -> float:
    if word < "\u0e00":
        return 1.0
    if word >= _CJK_FROM:
        return _CJK_WORD if len(word) == 1 and word < "\ud7b0" else 1.0
    return _NO_SPACES_WORD * len(word) if _IS_NO_SPACES(word) else 1.0


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without an English ending; crude, but the same for all forms that matter.

    "" for a word without meaning of its own: an article, a pronoun, an auxiliary, a letter.
    """
    if word in STOP or (len(word) == 1 and word < _CJK_FROM and not word.isdigit()):
        return ""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def content(found: Iterable[str]) -> list[str]:
    """The words that carry meaning."""
    return [word for word in _terms(found) if stem(word)]


def stems(found: Iterable[str]) -> frozenset[str]:
    """What some words speak of: the stems of those that carry meaning."""
    return frozenset(map(stem, _terms(found))) - _NOTHING


def _terms(found: Iterable[str]) -> list[str]:
    return [word[:_MAX_TERM_CHARS] for word in found]


def one_line(text: str) -> str:
    """All white space runs as one space."""
    return " ".join(text.split())


def cut(text: str, max_words: float, max_chars: int = 10_000) -> str:
    """The beginning of a text within both limits, at a word's end, with "…" where it was cut.

    It does not end inside code or a formula, if there is anything before them.
    """
    if len(text) < max_chars and words(text) <= max_words:
        return text  # as nearly always
    count = 0.0
    end = 0
    for match in _TOKEN.finditer(text):
        count += _weight(match.group())
        if count > max_words or match.end() > max_chars - 1:
            kept = outside_spans(text[:end]).rstrip(" ,;:(–—-") or text[:end].rstrip(" ,;:")
            return (kept or text[: min(max_chars - 1, 200)]) + "…"
        end = match.end()
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def shorten(text: str, max_words: float) -> str:
    """A text within a number of words, cut at the end of a clause where there is one."""
    if words(text) <= max_words:
        return text
    kept = cut(text, max_words)
    if kept.count("(") > kept.count(")") and kept.rindex("(") > len(kept) // 2:
        return kept[: kept.rindex("(")].rstrip() + "…"
    clause = max(kept.rfind(mark) for mark in (", ", "; ", "，", "；", " — ", " ("))
    if clause > len(kept) // 2 and outside_spans(kept[:clause]) == kept[:clause]:
        return kept[:clause].rstrip() + "…"
    return kept


def join(statements: Iterable[str]) -> str:
    """Statements as one paragraph; no space after the full stop of a script that writes none."""
    text = ""
    for statement in statements:
        text += statement if not text or text[-1] in "。！？；" else f" {statement}"
    return text


def outside_spans(text: str) -> str:
    """The text up to where an unfinished piece of code or formula begins."""
    if text.count("`") % 2:
        text = text[: text.rindex("`")]
    if opens_formula(text):
        text = text[: text.rindex("$")]
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]")):
        if text.count(opening) > text.count(closing):
            text = text[: text.rindex(opening)]
    return text


def opens_formula(text: str) -> bool:
    """Whether a formula between dollar signs is not closed. "$50" and "$http" open none."""
    if text.count("$") % 2 == 0:
        return False
    return _DOLLAR.sub("", text).count("$") % 2 == 1


def is_whole(text: str) -> bool:
    """Whether the formulas, code and brackets that it opens are closed."""
    if text.count("`") % 2 or text.count("(") != text.count(")") or opens_formula(text):
        return False
    return text.count("[") == text.count("]") and text.count("{") == text.count("}")
