"""What a sentence of reasoning states, if it states anything, and how much that is worth."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gateway.core.summarizers import lexicon, talk
from gateway.core.summarizers.phrases import ENGLISH, Phrases
from gateway.core.summarizers.text import count_words, in_small, is_whole, one_line, stems, tokens
from gateway.core.summarizers.weights import RESULT, WORTH

_BOLD = r"(?!(?<=[A-Za-z0-9)])\*\*[A-Za-z0-9(])(?:(?<!\s)\*\*|\*\*(?!\s))"
"""Not the operator of `2 ** 3` and `x**2`."""
_EMPHASIS = re.compile(rf"(\b__[a-z]\w*__\b)|{_BOLD}|__(?=\S)|(?<=\S)__")
_ITALIC = re.compile(r"(?<![\w*])[*_](?=\S)([^*_`$\n]{1,200})(?<=\S)[*_](?![\w*])")
_BOLD_OUTSIDE = re.compile(rf"(`[^`]*`|\$(?!\d[\d.,]*[*\s])[^$]*\$)|{_BOLD}")
"""Emphasis in a sentence with code or a formula, in which `**` is an operator."""
_ENDS = re.compile(r"[.!?;…。！？；؟।॥۔។]$|[.!?;…。！？；؟।॥۔။][\"'”’」』）)\]]*$")
_QUESTION = re.compile(r"[?？؟][\"'”)*\s]*$")
_SAYS = re.compile(
    r"^[^:：\"“]{0,70}?(?:\b(?:say|answer|write|respond|reply|produce|response|draft|output|text|"
    r"line|version|verdict|conclusion)\b[^:\"“.]{0,30}:|(?:回复|输出|草稿)[^:：]{0,10}[:：])\s*(?=\S)"
    r"|(?:let me|let's|maybe|perhaps|how about|something like)\b[^:\"“.]{0,40}:\s*(?=[\"“])",
    re.IGNORECASE,
)
_IS_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_CJK_GAP = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_PLAIN_WORD = re.compile(r"(?:[^\W\d_A-Z]{2,}|[ai])(?![\w(=\[]|\s*[=<>]|\s[-+*/^]\s|\.\w|://)")
_DIGIT = re.compile(r"\d")
_FORMULA = re.compile(r"[$\\=<>]|\d\s*[-+*/×]\s*\d")
_WORD = re.compile(r"(?<![\\A-Za-z])[^\W\d_]{2,}")
_RELATION = re.compile(r"[=<>≈≠≤≥→:]|\\(?:n?eq|[lg]eq?|approx|to)\b")
_FIELD = re.compile(r"(?:[A-Z][\w ]{0,24}: (?=[A-Z\d])|[a-z]\w{0,24}: )[^.:]{1,40}\.?$")
"""A name and its value: "City: Kiel"."""
_COUNTS = re.compile(r"(?:[^\s()]+ \(\d{1,3}\)[,;]? ?){3}")
"""Words or letters that are counted: "La (90) casa (91) es (92)"."""
_CHECKED = re.compile(r": ?[✓✔✅☑❌✗✘]\ufe0f?\W*$")
"""A requirement that is checked off."""
_QUOTES = {'"': '"', "“": "”", "「": "」"}
_MAX_OPENERS = 6
_PROMPT_WINDOW = 3000
"""Characters of each end of the prompt, and of the instructions, that are read."""
_FEW_TERMS, _LEAST_TERMS = 3, 2
_LEAST_WORDS = 3
_LEAST_DRAFT_CHARS = 30
"""A shorter draft keeps the word that says what it is."""
_PARTLY, _MOSTLY = 0.4, 0.6
"""Shares of the prompt's word triples from which a statement repeats the prompt."""


@dataclass(slots=True, eq=False)
class Statement:
    """A sentence that states something."""

    position: int
    """Its number among the sentences of the reasoning, from 1."""
    text: str
    words: float
    terms: frozenset[str]
    worth: float
    """How much an editor would want it; what comes after it may lower this."""
    result: float
    """How much it looks like the result of the reasoning."""
    answers: bool
    """It gives the answer."""
    weak: bool
    """A question, a plan, a supposition or an echo of the prompt: shown only if there is nothing
    else."""
    slight: bool = False
    """It says little: only a short reasoning shows it."""
    new: float = 1.0
    """The share of its terms that the prompt does not have."""
    phrases: Phrases = ENGLISH
    """Those of its language."""

    @property
    def leans(self) -> bool:
        """It points to an earlier sentence, and needs the statement before it."""
        small = in_small(self.text)
        return lexicon.leans(small) or self.phrases.leans(small)

    def mark(self, sign: str) -> None:
        """Counts a sign that shows only later."""
        self.worth += WORTH.get(sign, 0.0)
        self.result += RESULT.get(sign, 0.0)


_WEIGHTS = {sign: (WORTH.get(sign, 0.0), RESULT.get(sign, 0.0)) for sign in WORTH | RESULT}
_NOTHING = (0.0, 0.0)


def weigh(signs: Mapping[str, float | bool | None]) -> tuple[float, float]:
    """The worth and the result of a statement with these signs, each sign times its value."""
    worth = result = 0.0
    for sign, value in signs.items():
        if value:
            for_worth, for_result = _WEIGHTS.get(sign, _NOTHING)
            worth += for_worth * value
            result += for_result * value
    return worth, result


class GivenText:
    """What the model was given: the prompt and the system's instructions, as stems and as word
    triples. Only the two ends of each text are read."""

    def __init__(self, prompt: str) -> None:
        self._prompt = _ends(prompt)
        self._instructions = ""

    def add(self, instructions: str) -> None:
        """Takes the system's instructions, before the first sentence."""
        self._instructions = _ends(instructions)

    @cached_property
    def _tokens(self) -> list[str]:
        return tokens(self._prompt)

    @cached_property
    def terms(self) -> frozenset[str]:
        """The stems of the prompt's words."""
        return stems(self._tokens)

    @cached_property
    def triples(self) -> frozenset[tuple[str, str, str]]:
        """The runs of three words of prompt and instructions."""
        return frozenset([*_triples(self._tokens), *_triples(tokens(self._instructions))])

    def echoed(self, found: list[str]) -> float:
        """The share of a sentence's word triples that these have, 0 to 1."""
        triples = _triples(found)
        if not triples or not self.triples:
            return 0.0
        return sum(map(self.triples.__contains__, triples)) / len(triples)


def _ends(text: str) -> str:
    if len(text) <= 2 * _PROMPT_WINDOW:
        return text
    return f"{text[:_PROMPT_WINDOW]}\n{text[-_PROMPT_WINDOW:]}"


def _triples(found: list[str]) -> list[tuple[str, str, str]]:
    return list(zip(found, found[1:], found[2:], strict=False))


@lru_cache(maxsize=256)  # a sentence is cleaned to read it, to judge it, and for a short summary
def clean(raw: str, phrases: Phrases = ENGLISH) -> str:
    """The sentence without list marks, emphasis and openers of thinking aloud; with a capital."""
    text = one_line(raw)
    if not text.isascii():
        text = _CJK_GAP.sub("", text)
    text = lexicon.LIST_MARK.sub("", text)
    if "`" not in text and "$" not in text:
        if "*" in text or "_" in text:
            text = _ITALIC.sub(r"\1", _EMPHASIS.sub(r"\1", text))
            text = text.replace("*:", ":").replace(":*", ":")
    elif "*" in text:
        text = _BOLD_OUTSIDE.sub(r"\1", text).replace(":* ", ": ")
    text = lexicon.LIST_MARK.sub("", text.strip(" *" if text.endswith("__") else " *_"))
    foreign = phrases is not ENGLISH
    small = in_small(text)
    for _ in range(_MAX_OPENERS):
        match = lexicon.OPENER.match(small) or (foreign and phrases.opener(small))
        if not match or match.end() == len(small):
            break
        text, small = text[match.end() :], small[match.end() :]
    return _capital(text)


def without_marks(raw: str) -> str:
    """The sentence without the marks before its first word."""
    bare = raw.lstrip(" *-_>•")
    mark = lexicon.LIST_MARK.match(bare) if bare[:1].isdigit() else None
    return bare[mark.end() :].lstrip(" *_") if mark else bare


def _capital(text: str) -> str:
    """Names in code and variables stay as they are."""
    return text[0].upper() + text[1:] if _PLAIN_WORD.match(text) else text


def finish(text: str) -> str:
    """The text with a full stop and without a quotation mark that has no partner."""
    for opening, closing in _unpaired(text):
        text = text.removeprefix(opening)
        if text.endswith(closing) and text.count(closing) % 2:
            text = text[:-1]
    text = text.rstrip(" ,;—–-|")
    if text and not _ENDS.search(text):
        text += "。" if _IS_CJK.search(text[-3:]) else "."
    return _capital(text)


def unwrap_draft(text: str, phrases: Phrases = ENGLISH) -> tuple[str, bool]:
    """The draft that follows "I'll say:", and whether there was one."""
    match = _SAYS.match(text) if ":" in text or "：" in text else None
    if not match:
        return text, False
    draft = text[match.end() :].strip(" *")
    if len(draft) >= _LEAST_DRAFT_CHARS:
        return clean(draft, phrases), True
    draft = draft.strip(" *'\"`.“”")
    if draft.lower().startswith("answer"):
        return draft, True
    if "answer" in match.group().lower() and any(map(str.isalnum, draft)):
        return f"Answer: {draft}", True
    return text, False


@dataclass(slots=True)
class Place:
    """Where a sentence stands."""

    position: int
    restated: bool = False
    """Under a heading that a restatement of the prompt follows."""
    hypothetical: bool = False
    """It follows from a supposition."""
    begins: str | None = None
    """The sign of the word that joins it to those before it."""
    is_short: bool = False
    """The reasoning is short so far: statements count that say little."""


def _is_cut(text: str, *, concludes: bool) -> bool:
    """Whether it breaks off, or is cut out of a quotation.

    A conclusion may end a quotation: it is the model's draft of its answer.
    """
    return text.endswith(("...", "…")) or any(
        sum(map(text.count, {opening, closing})) > 1
        or not (text.startswith(opening) or (concludes and text.endswith(closing)))
        for opening, closing in _unpaired(text)
    )


def _unpaired(text: str) -> list[tuple[str, str]]:
    """The kinds of quotation marks of which one has no partner."""
    if text.isascii():
        return [('"', '"')] if text.count('"') % 2 else []
    return [
        (opening, closing)
        for opening, closing in _QUOTES.items()
        if (
            text.count(opening) % 2
            if opening == closing
            else text.count(opening) != text.count(closing)
        )
    ]


def _is_tally(text: str, *, has_digit: bool) -> bool:
    """Whether it counts words or letters, or checks a requirement off."""
    return (has_digit and _COUNTS.search(text) is not None) or (
        not text.isascii() and _CHECKED.search(text) is not None
    )


def _says_something(text: str, terms: frozenset[str]) -> bool:
    """Whether it says enough for a short reasoning."""
    return len(terms) >= _LEAST_TERMS or _FIELD.match(text) is not None


def _is_fragment(text: str, small: str, length: float, *, has_digit: bool) -> bool:
    """Whether it is a clause without its sentence, a bare number or list, or only an opener."""
    if text[0] in "=→" or lexicon.SUBORDINATE.match(small):
        return True
    if _WORD.search(text) is None and _RELATION.search(text) is None:
        return True
    return length < _LEAST_WORDS and not has_digit and ":" not in text and text.isascii()


def _is_talk(small: str, phrases: Phrases, *, concludes: bool) -> bool:
    """Whether it is about the work of answering; a conclusion only if it is a note on form."""
    if talk.is_about_the_answer(small):
        return True
    unquoted = small.lstrip('"“(')
    return not concludes and talk.talks(unquoted, phrases)


def judge(raw: str, place: Place, given: GivenText, phrases: Phrases = ENGLISH) -> Statement | None:
    """The statement that a sentence makes, or None if it makes none. The sentence is not code."""
    foreign = phrases is not ENGLISH
    if lexicon.TABLE_ROW.match(in_small(raw)):
        return None
    text = clean(raw, phrases)
    small = in_small(text)
    answers = (lexicon.ANSWERS.search(small) and not lexicon.PLACEHOLDER.search(small)) or (
        foreign and phrases.answers(small)
    )
    text, drafted = unwrap_draft(text, phrases)
    if drafted:
        small = in_small(text)
    if text.endswith((":", "：")) and lexicon.gives_verdict(text, tokens(text)):
        text = text.rstrip(" :：").partition(" because")[0]
    if not text or text.endswith((":", "：", ",", "，")):
        return None
    bare = in_small(without_marks(raw))
    chooses = lexicon.CHOOSES.search(bare) or lexicon.CALLS.match(small) is not None
    concludes = bool(lexicon.CONCLUDES.match(bare)) or (foreign and phrases.concludes(bare))
    if talk.DEFERS.match(small):
        return None
    if not (chooses or answers) and _is_talk(small, phrases, concludes=concludes):
        return None
    if not answers and _is_cut(text, concludes=concludes):
        return None
    text = finish(text)
    small = in_small(text)
    found = tokens(text)
    length = count_words(found)
    has_digit = _DIGIT.search(text) is not None
    judges = lexicon.gives_verdict(text, found)
    follows = place.begins in ("begins so", "begins therefore")
    if not (answers or follows) and _is_tally(text, has_digit=has_digit):
        return None
    if not (answers or judges) and talk.cites_rules(small, given.terms):
        return None
    settles = chooses or concludes or judges
    terms = stems(found)
    says_much = has_digit or settles or (len(terms) >= _FEW_TERMS and length >= 4)
    if not terms or not (answers or says_much or (place.is_short and _says_something(text, terms))):
        return None
    if not is_whole(text):
        return None
    if not answers and _is_fragment(text, small, length, has_digit=has_digit):
        return None
    may_be_phrase = found[0].endswith("ing") or text.endswith(("`.", ")."))
    if may_be_phrase and not (answers or settles) and lexicon.is_phrase(small):
        return None
    question = bool(_QUESTION.search(text))
    if not answers and not question and lexicon.names_topic(small):
        return None
    echo = given.echoed(found)
    otherwise = bool(lexicon.OTHERWISE.match(small))
    tried = otherwise or place.hypothetical or bool(lexicon.SUPPOSITION.match(small))
    supposes = (
        place.hypothetical
        or lexicon.SUPPOSES.search(small)
        or (foreign and phrases.supposes(small))
    )
    plans = talk.plans(small, phrases)
    orders = (found[0] in talk.IMPERATIVES and talk.is_order(text)) or (
        found[0] in talk.PROMISES and not has_digit
    )
    states = answers or has_digit or follows
    weak = (
        question
        or place.hypothetical
        or place.restated
        or echo > _MOSTLY
        or bool(lexicon.LET.match(small))
        or orders
        or (plans and not chooses and talk.obliges(small, states=states))
    )
    signs: dict[str, float | bool | None] = {
        "answer": answers,
        "settles": settles,
        "restated": place.restated,
        "digit": has_digit,
        "formula": _FORMULA.search(text) is not None,
        "topic": min(3, len(terms & given.terms)),
        "echo": max(0.0, echo - 0.25),
        "supposition": supposes,
        "question": question,
        "otherwise": otherwise,
        "weak": weak,
        "plan": plans,
        "I": text.startswith(("I ", "I'")),
        "because": not lexicon.BECAUSE.isdisjoint(found),
        "final": judges or not lexicon.FINAL.isdisjoint(found),
        "opening": place.position <= 3,
    }
    if place.begins is not None:
        signs[place.begins] = True
    worth, result = weigh(signs)
    return Statement(
        place.position,
        text,
        length,
        terms,
        worth=worth,
        result=result,
        answers=bool(answers) and not (question or tried or echo > _PARTLY),
        weak=weak,
        slight=not (says_much or answers),
        new=1 - len(terms & given.terms) / len(terms),
        phrases=phrases,
    )
