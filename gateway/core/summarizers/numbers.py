"""The numbers that a text names, in digits or in English or Chinese words. Pure functions.

A summary may name only numbers that its source names, in whatever spelling.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_WITH_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_DECIMAL_COMMA = re.compile(r"(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(_ONES.split())}
_SMALL |= {word: value for value, word in zip(range(20, 100, 10), _TENS.split(), strict=True)}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "dozen": 12}
_WORD = rf"(?:{'|'.join([*_SMALL, *_SCALES])})"
_AND = r"(?<=hundred) and |(?<=thousand) and "
_ENGLISH = re.compile(rf"\b{_WORD}(?:(?:[ -]|{_AND}){_WORD})*s?\b", re.IGNORECASE)

_HAN_ONES = {han: value for value, han in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_TENS = {"十": 10, "百": 100, "千": 1000}
_HAN_SCALES = {"万": 10**4, "亿": 10**8}
_HAN = re.compile(f"[{''.join([*_HAN_ONES, *_HAN_TENS, *_HAN_SCALES])}]+")


def numbers(text: str) -> set[str]:
    """The numbers in a text, each in one spelling: 1,000.50 and 1000,5 are 1000.5."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    found = {number for run in _DIGITS.findall(text) for number in _readings(run)}
    found.update(str(_value_of(words)) for words in _in_words(text))
    if not text.isascii():
        found.update(str(_han_value(run)) for run in _HAN.findall(text) if run != "一")
    return found


def _readings(run: str) -> Iterator[str]:
    """What digits with points and commas between them say."""
    if not run.isascii():
        run = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in run)
    if _WITH_THOUSANDS.fullmatch(run):
        yield _plain(run.replace(",", ""))
    elif _DECIMAL_COMMA.fullmatch(run):
        yield _plain(run.replace(".", "").replace(",", "."))
    elif "," in run:  # a list
        for part in run.split(","):
            yield _plain(part)
    else:
        yield _plain(run)


def _plain(number: str) -> str:
    """Without zeros that say nothing. A date or a version stays as it is."""
    if number.count(".") == 1:
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0" if "." not in number else number


def _in_words(text: str) -> Iterator[Sequence[str]]:
    for match in _ENGLISH.finditer(text):
        words = [word for word in re.split("[ -]", match[0].lower()) if word != "and"]
        words = [word if word in _SMALL else word.removesuffix("s") for word in words]
        if words != ["one"]:  # mostly a pronoun
            yield words


def _value_of(words: Sequence[str]) -> int:
    """The value of words such as two, hundred, fifty."""
    total, part = 0, 0
    for word in words:
        if word in _SMALL:
            part += _SMALL[word]
        elif word in ("hundred", "dozen"):
            part = max(1, part) * _SCALES[word]
        else:
            total, part = total + max(1, part) * _SCALES[word], 0
    return total + part


def _han_value(run: str) -> int:
    """The value of 二百五十; digits alone, as in 二〇二六, are read one by one."""
    if all(han in _HAN_ONES for han in run):
        return int("".join(str(_HAN_ONES[han]) for han in run))
    total, section, digit = 0, 0, 0
    for han in run:
        if han in _HAN_ONES:
            digit = _HAN_ONES[han]
        elif han in _HAN_TENS:
            section, digit = section + max(1, digit) * _HAN_TENS[han], 0
        else:
            total = (total + max(1, section + digit)) * _HAN_SCALES[han]
            section = digit = 0
    return total + section + digit
