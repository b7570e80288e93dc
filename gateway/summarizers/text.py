"""Small things about text that both summarizers need. Pure functions."""

import re

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_CJK_WORD = 0.6
"""Words that one CJK character counts for."""

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s|(?<=[.!?…][\"')\]])\s|(?<=[。！？；])|\n")
_NOT_AN_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Mrs|Ms|St|No|Fig|Eq)|\b[A-Z]|^\d{1,3})\.$"
)


def words(text: str) -> float:
    """How many words a text has; a CJK character counts for 0.6 of one."""
    return sum(_CJK_WORD if _IS_CJK.match(word) else 1 for word in _WORD.findall(text))


def one_line(text: str) -> str:
    """All white space runs as one space."""
    return " ".join(text.split())


def cut(text: str, max_words: float, max_chars: int = 10_000) -> str:
    """The beginning of a text within both limits, at a word's end, with "…" where it was cut."""
    count = 0.0
    end = 0
    for match in _WORD.finditer(text):
        count += _CJK_WORD if _IS_CJK.match(match.group()) else 1
        if count > max_words or match.end() > max_chars - 1:
            return (text[:end].rstrip(" ,;:") or text[: max_chars - 1]) + "…"
        end = match.end()
    return text


def sentence_end(text: str, at: int, look_from: int) -> tuple[int, int] | None:
    """Where the sentence that begins at `at` ends and the next begins; None: it is not finished.

    look_from: nothing before it can be an end; for texts that grow.
    """
    for match in _SENTENCE_END.finditer(text, max(at + 1, look_from)):
        if "\n" in match.group() or not _NOT_AN_END.search(text[at : match.start()]):
            return match.span()
    return None


def sentences(text: str) -> list[str]:
    """The sentences of a text, stripped; a line's end always ends one."""
    found = []
    at = 0
    while ends := sentence_end(text, at, at):
        found.append(text[at : ends[0]])
        at = ends[1]
    found.append(text[at:])
    return [stripped for sentence in found if (stripped := sentence.strip())]
