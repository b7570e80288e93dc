"""What a model wrote of a part of the reasoning, and whether a reader may see it. Pure.

Language, numbers, words and form can be checked. Other inventions can't.
"""

import re
from functools import cached_property
from typing import Literal, NamedTuple

from gateway.core.summarizers.numbers import numbers
from gateway.core.summarizers.phrases import ENGLISH, SMALL_ENGLISH_WORDS, recognize
from gateway.core.summarizers.talk import META
from gateway.core.summarizers.text import in_small, one_line, stem, stems, tokens, words
from gateway.core.tokens import estimate, size

MAX_WORDS = 40
"""A longer reply is dropped."""
_GROUNDED = 0.5
"""The share of a reply's terms that the prompt, the reasoning or the lines before it have."""
_ROOT_CHARS = 4
_REPEATED = 0.8
"""A reply with such a share of its terms in one line that was shown is dropped."""
_SAMPLE_CHARS = 2400
"""Of the reasoning, to see its language."""
_MAX_PROMPT_CHARS = 24_000

Fault = Literal[
    "empty",
    "thinks aloud",
    "refusal",
    "talk",
    "too long",
    "cut off",
    "number",
    "not grounded",
    "repeat",
    "language",
]
"""Why a reply is not shown."""

_HEADING = re.compile(r"\*\*([^*\n]{1,80})\*\*[:：.]?\s*")
_LIST_MARK = re.compile(r"(?:[-*•–]|\d{1,2}[.)])\s+")
_ENDS = re.compile(r"[.!?…。！？؟।۔][\"'”’」）)]*$")
_SENTENCE = re.compile(r"[^.!?。！？]+")
_HAN, _KANA = re.compile(r"[\u4e00-\u9fff]"), re.compile(r"[\u3040-\u30ff]")
_MARKER = re.compile(
    r"</?[a-z:_]*(?:think|thought|reason)\w*>|◁/?think▷|\[/?THINK\]|<\|\W?\w", re.IGNORECASE
)
_ALOUD = re.compile(r"\b(?:hmm+|wait,)|^(?:okay|ok|alright|wait|let's|so,|well,)\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"""(?:
     (?:i|we)(?:'m|\s+am|\s+are)?\s+(?:(?:very\s+|so\s+)?sorry|afraid|unable|not\s+able|cannot|can't
       |can\s+not|could\s+not|couldn't|won't|apologi[sz]e|do\s+not\s+have|don't\s+have)
    |sorry|unfortunately|apologies|as\s+an?\s+(?:ai|language|assistant)|my\s+apologies
    |(?:sure|certainly|of\s+course|absolutely|got\s+it|understood|great|yes|no\s+problem)[,.:!]
    |here(?:'s|\s+is|\s+are|\s+comes)|(?:in\s+)?(?:summary|short|conclusion)[:,]
    |(?:the\s+|a\s+)?(?:one-line\s+)?(?:summary|line|answer)\s*(?:is\b|:)
    |there\s+is\s+(?:nothing|no\s+(?:new|reasoning))|(?:please|could\s+you)\s+(?:provide|share|give)
    |es\s+tut\s+mir\s+leid|entschuldigung|leider|ich\s+kann\s+(?:nicht|das\s+nicht)|natürlich[,!]
    |klar[,!]|gerne?[,!]|hier\s+ist
    |(?:je\s+suis\s+)?désolée?|je\s+ne\s+peux\s+pas|bien\s+sûr|voici
    |lo\s+siento|no\s+puedo|claro[,!]|por\s+supuesto|aquí\s+(?:está|tienes)
    |desculpe|não\s+posso|com\s+certeza|aqui\s+está|mi\s+dispiace|non\s+posso|certo[,!]|ecco
    |извините|простите|к\s+сожалению|я\s+не\s+могу|конечно|вот\s+(?:краткое|строка)
    |抱歉|对不起|很抱歉|我无法|我不能|作为(?:一个)?(?:AI|人工智能|语言模型)|好的[，,。!！]|当然|以下是
    |申し訳|すみません|もちろん|以下[はに]|はい[、,]|죄송|물론|다음은
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def thinks_aloud(text: str) -> bool:
    """Whether a text has markers of reasoning, of whatever family."""
    return _MARKER.search(text) is not None


class Reply(NamedTuple):
    """What a model wrote, each in one line."""

    heading: str
    """"" if it has none."""
    sentences: str

    @property
    def line(self) -> str:
        """As it is shown."""
        return f"**{self.heading}** {self.sentences}" if self.heading else self.sentences


def read_reply(text: str) -> Reply:
    """Reads the text that a model wrote."""
    text = text.strip()
    heading = _HEADING.match(text)
    if heading is not None:
        return Reply(heading[1].strip(), one_line(text[heading.end() :]))
    mark = _LIST_MARK.match(text)
    return Reply("", one_line(text[mark.end() :] if mark else text))


class Sources:
    """What replies may speak of: the prompt, the reasoning that was asked about, the lines."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._shown: list[frozenset[str]] = []

    def add_reasoning(self, text: str) -> None:
        """The model is asked about this part."""
        self._numbers.update(numbers(text))
        self._terms.update(_roots(text))

    def add_line(self, line: str) -> None:
        """This line is shown."""
        self._shown.append(_roots(line))

    def add_written(self, line: str) -> None:
        """This line is shown, and a model wrote it."""
        self.add_line(line)
        self._terms.update(self._shown[-1])

    def fault(self, reply: Reply, part: str, max_tokens: int) -> Fault | None:
        """Why a reply about this part of the reasoning may not be shown; None: it may.

        max_tokens: the limit that the model was given.
        """
        sentences, line = reply.sentences, reply.line
        if not sentences:
            return "empty"
        if thinks_aloud(line) or _ALOUD.search(sentences):
            return "thinks aloud"
        if _REFUSAL.match(sentences) or sentences.endswith((":", "：")):
            return "refusal"
        if any(META.match(in_small(sentence.strip())) for sentence in _SENTENCE.findall(sentences)):
            return "talk"
        if words(line) > MAX_WORDS:
            return "too long"
        if _is_cut_off(sentences, max_tokens):
            return "cut off"
        if not numbers(line) <= self._numbers:
            return "number"
        terms = _roots(sentences)
        if not terms or len(terms & self._terms) < _GROUNDED * len(terms):
            return "not grounded"
        if any(len(terms & earlier) >= _REPEATED * len(terms) for earlier in self._shown):
            return "repeat"
        return None if _same_language(sentences, part[:_SAMPLE_CHARS]) else "language"

    @cached_property
    def _numbers(self) -> set[str]:
        """Read, like the terms, when it is first needed: the start of a turn waits for nothing."""
        return numbers(self._prompt)

    @cached_property
    def _terms(self) -> set[str]:
        return set(_roots(self._prompt[:_MAX_PROMPT_CHARS]))


def _is_cut_off(sentences: str, max_tokens: int) -> bool:
    """Whether a reply ended at its token limit, in the middle of a sentence."""
    if _ENDS.search(sentences):
        return False
    return estimate(size(sentences)) > 0.8 * max_tokens or not stem((tokens(sentences) or [""])[-1])


def _roots(text: str) -> frozenset[str]:
    """The beginnings of the words that carry meaning: a model may change their endings."""
    return frozenset(stem[:_ROOT_CHARS] for stem in stems(tokens(text)) if not stem[0].isdigit())


def _same_language(reply: str, source: str) -> bool:
    """False where a reply is certainly in another language than the text that it is about."""
    if _is_chinese(reply) != _is_chinese(source):
        return False
    said_words = frozenset(tokens(reply))
    said, meant = recognize(reply, said_words), recognize(source, frozenset(tokens(source)))
    if said is meant:
        return True
    return said is ENGLISH and len(said_words & SMALL_ENGLISH_WORDS) < 2


def _is_chinese(text: str) -> bool:
    return not _KANA.search(text) and len(_HAN.findall(text)) > len(text) / 6
