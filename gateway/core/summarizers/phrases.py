"""The phrases of each language that the summarizers know, beside English and Chinese.

One file a language, `languages/<name>.toml`, that a native speaker can mend; English and Chinese
have their own patterns in the lexicon, which always apply. To add a language: add its file.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "languages"
_LEAST_WORDS = 2
"""Common words of a language that a text must have to be taken for it."""
_NEVER = r"(?!)"
_SMALL_WORDS = "the is of and to in that it so for this we are be with"
SMALL_ENGLISH_WORDS = frozenset(_SMALL_WORDS.split())
"""They tell English from other languages."""


class Phrases:
    """What words do in the reasoning of one language. English: none beside the lexicon's.

    The texts that the methods take are in small letters.
    """

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        """data: the content of a language's file."""
        data = data or {}
        self.common_words = frozenset(data.get("common_words", ()))
        self._spaced = data.get("spaced", True)
        script = data.get("script")
        self.script = re.compile(f"[{script}]", re.IGNORECASE) if script else None
        self.asks = self._at_start(data.get("asks", ()))
        self.wants = self._anywhere(data.get("wants", ()))
        self.parts = self._at_start(data.get("parts", ()))
        """What asks, wants and gives a part to play in a prompt, as patterns to be joined."""
        openers = "|".join(_longest_first(data.get("openers", ())))
        self._opener = re.compile(rf"(?:{openers})[\s,.:;!…،、。—–-]+" if openers else _NEVER)
        self._talk = re.compile(self._at_start(data.get("talk", ())))
        self._plans = re.compile(self._at_start(data.get("plans", ())))
        self._supposes = re.compile(self._at_start(data.get("supposes", ())))
        self._concludes = re.compile(self._at_start(data.get("concludes", ())))
        self._retracts = re.compile(self._at_start(data.get("retracts", ())))
        self._leans = re.compile(self._at_start(data.get("leans", ())))
        self._doubts = re.compile(self._anywhere(data.get("doubts", ())))
        self._answers = re.compile(self._anywhere(data.get("answers", ())))

    def opener(self, text: str) -> re.Match[str] | None:
        """The match of an opener of thinking aloud."""
        return self._opener.match(text)

    def talks(self, text: str) -> bool:
        """Whether a sentence is about the work of answering."""
        return self._talk.match(text) is not None

    def plans(self, text: str) -> bool:
        """Whether a sentence says what the model is going to do."""
        return self._plans.match(text) is not None

    def supposes(self, text: str) -> bool:
        """Whether a sentence only tries something out."""
        return self._supposes.match(text) is not None

    def concludes(self, text: str) -> bool:
        """Whether a sentence draws a conclusion."""
        return self._concludes.match(text) is not None

    def retracts(self, text: str) -> bool:
        """Whether a sentence takes back the one before it."""
        return self._retracts.match(text) is not None

    def leans(self, text: str) -> bool:
        """Whether the subject of a sentence stands in an earlier one."""
        return self._leans.match(text) is not None

    def doubts(self, text: str) -> bool:
        """Whether a sentence is a guess."""
        return self._doubts.search(text) is not None

    def answers(self, text: str) -> bool:
        """Whether a sentence states the answer."""
        return self._answers.search(text) is not None

    def _at_start(self, phrases: Sequence[str]) -> str:
        if not phrases:
            return _NEVER
        ends = r"(?!\w)" if self._spaced else ""
        return rf"(?:{'|'.join(_longest_first(phrases))}){ends}"

    def _anywhere(self, phrases: Sequence[str]) -> str:
        begins = r"(?<!\w)" if self._spaced else ""
        return begins + self._at_start(phrases)


def _longest_first(phrases: Iterable[str]) -> list[str]:
    return sorted(phrases, key=lambda phrase: -len(phrase))


ENGLISH = Phrases()


@cache
def languages() -> dict[str, Phrases]:
    """The phrases of every language that has a file, by its name."""
    files = sorted(FOLDER.glob("*.toml"))
    return {file.stem: Phrases(tomllib.loads(file.read_text("utf-8"))) for file in files}


def recognize(text: str, words: AbstractSet[str]) -> Phrases:
    """The phrases of the language of a text, ENGLISH if it is none of the others.

    words: the words of the text in lower case.
    """
    best, best_count = ENGLISH, max(_LEAST_WORDS - 1, len(words & SMALL_ENGLISH_WORDS))
    for phrases in languages().values():
        if phrases.script is not None:
            count = 0 if text.isascii() else len(phrases.script.findall(text)) // 2
        else:
            count = len(words & phrases.common_words)
        if count > best_count:
            best, best_count = phrases, count
    return best
