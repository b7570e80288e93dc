"""The prompt in one line: what is asked, and its topic where the ask alone does not name it.

No model is called: the line is there before the upstream is. Code, logs and attachments are named,
not shown; reminders and environment blocks that clients add are left out. Only the two ends of a
long prompt are read, so that the time does not grow with it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from gateway.core.summarizers.blocks import name_blocks
from gateway.core.summarizers.lexicon import is_code
from gateway.core.summarizers.phrases import languages
from gateway.core.summarizers.sentences import sentences
from gateway.core.summarizers.text import cut, one_line, stems, tokens, words

MAX_WORDS = 30
MAX_CHARS = 160
_OPENING_WORDS = 10
_OPENING_CHARS = 70
_HEAD_CHARS, _TAIL_CHARS = 900, 1100
"""How much of the two ends of a long prompt is read."""
_MAX_END_CHARS = 100_000
"""How much of the two ends is searched for blocks: 20 MB of tags would take a second."""
_MOST_SENTENCES = 200
_MOST_REMINDERS = 8
"""Messages that are looked through for one that asks something."""
_ALONE_TERMS = 6
"""An ask with so many terms, and without a pronoun, needs no opening before it."""
_GIVEN = 3.0
"""What a sentence loses that belongs to the text an ask is about."""
_SECOND = 2.5
"""The score of a second ask that is shown."""
_NO_TEXT = "(no text)"
_HANDOVERS = (
    "Another language model started to solve this problem",
    "This session is being continued from a previous conversation",
    "The conversation up to here, summed up:",
)
"""How Codex, Claude Code and the gateway begin the summary of a conversation, which they put in its
place."""
_OTHER_ASKS = "|".join(phrases.asks for phrases in languages().values())
_OTHER_WANTS = "|".join(phrases.wants for phrases in languages().values())
_OTHER_PARTS = "|".join(phrases.parts for phrases in languages().values())
_ASKS = re.compile(
    r"[¿¡]?(?:what|why|how|when|where|which|who|whose|is|are|can|could|do|does|did|should|would|explain"
    r"|write|give|list|show|find|fix|translate|compare|describe|summari[sz]e|calculate|compute"
    r"|solve|create|make|tell|help|implement|prove|convert|name|choose|pick|rate|grade|review"
    r"|suggest|recommend|generate|design|analy[sz]e|classify|extract|identify|determine|count|sort"
    r"|answer|rewrite|improve|debug|refactor|add|draft|plan|evaluate)\b"
    r"|请|帮|写|解释|翻译|计算|比较|总结|如何|怎么|为什么|什么"
    rf"|[¿¡]?(?:{_OTHER_ASKS})",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"\b(?:I need|I want|I'd like|I would like|I'm trying to|please|your task"
    rf"|can you|could you)\b|请|{_OTHER_WANTS}",
    re.IGNORECASE,
)
_FOLLOWING = re.compile(
    r"\b(?:following|below|this (?:text|essay|email|article|passage|sentence|paragraph|review"
    r"|story|poem|letter|code|function))\b|以下|下面",
    re.IGNORECASE,
)
_COLON = re.compile(r"[:：]\W*$|[:：]\s*[\"“«「'‘]")
_ITEM = re.compile(r"(?:[-*•]|\(?\d{1,2}[.)])\s+")
"""The mark of an item of a list."""
_ASIDE = re.compile(r"(?:\s+[(]|（)[^()（）]*[)）](?!\w)")
_WRAPS = re.compile(
    r"(?:answer|solve|consider|read|respond to|address|complete)\b.{0,20}\b(?:following|below|next)"
    r"\b.{0,30}\b(?:question|problem|puzzle|riddle|query|task|request|prompt|exercise)s?\b"
    r"|.{0,40}\b(?:adhere to|follow|obey|observe) (?:the|these) (?:following )?"
    r"(?:instruction|rule|requirement|guideline|constraint)s\b",
    re.IGNORECASE,
)
"""It only says that the ask comes next."""
_DISPLAY = re.compile(r"\\\[.{60,}?\\\]|(?<![\\$])\$\$[^$]{60,}?\$\$", re.DOTALL)
"""A formula that would fill the line."""
_OPTION = re.compile(r"\(?[A-H]\)\s")
"""An answer to choose."""
_QUOTED = re.compile(r"[:：]\s*[\"“«「'‘].{8,}|(?<![^\s(])[\"“«「][^\"”»」]{80,}", re.DOTALL)
_LEANS = re.compile(
    r"\b(?:it|its|that|them|they|those|these|he|she|him|her)\b|它|他们", re.IGNORECASE
)
_POLITE = re.compile(
    r"^(?:(?:please|can you|could you|would you|hi|hello|hey|dear \w+|thanks|thank you|你好|您好)"
    r"(?: there| all)?(?:[\s,!.，。！]+|$))+",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"^(?:end|begin|start|finish|format|respond|reply|answer|output|return|do not|don't|no|only"
    r"|use|keep|be|ps|thanks|thank you|cheers|regards|think step by step"
    r"|(?:the )?(?:first|last|final) line of your"
    r"|your (?:answer|response|reply|output) (?:should|must))\b",
    re.IGNORECASE,
)
"""Orders about the form of the answer, which often stand last."""
_PART = re.compile(
    r"(?:you(?: are|'re)|act as|as) (?:an?|the|my|our) (?:[\w/+.-]+ ){0,4}?(?:ai|assistant|expert"
    r"|engineer|developer|programmer|architect|analyst|writer|editor|author|teacher|tutor|translator"
    r"|specialist|professional|professor|consultant|scientist|researcher|agent|chatbot|bot|model"
    r"|lawyer|reviewer|planner|advisor|coach|chef|historian|mathematician)\b"
    rf"|{_OTHER_PARTS}",
    re.IGNORECASE,
)
"""The part that the model is to play: "You are a senior engineer at a bank."."""


class Prompt(NamedTuple):
    """What is asked: the last user message."""

    summary: str
    """One line of at most 30 words and 160 characters."""
    text: str
    """Its text, "" if there is none; for a summarizer of reasoning."""
    continues: bool = False
    """The model has answered it before, and goes on, mostly with the results of its tools."""
    instructions: str = ""
    """The texts of the system's messages."""


def prompt_of(messages: Sequence[Mapping[str, Any]]) -> Prompt:
    """The prompt of a conversation; messages that are not the user's are never shown.

    A user message that holds only a client's reminders is not a prompt: the one before it is.
    """
    asked = [(at, m.get("content")) for at, m in enumerate(messages) if m.get("role") == "user"]
    if len(asked) > 1 and _shows_results(messages):
        asked.pop()
    if not asked:
        return Prompt(_NO_TEXT, "")
    newest = found = _Read.of(*asked[-1])
    is_resumed = False
    for at, content in reversed(asked[-_MOST_REMINDERS:-1]):
        if not (found.is_handover or found.is_added):
            break
        is_resumed = is_resumed or found.is_handover
        found = _Read.of(at, content)
    if newest.is_handover and (found.is_handover or found.is_added):
        found = newest  # the ask itself is gone
    room = MAX_CHARS - len(found.attachments) - bool(found.attachments)
    line = _line(found.named, MAX_WORDS - words(found.attachments), room)
    line = cut(f"{line} {found.attachments}".strip(), MAX_WORDS, MAX_CHARS)
    is_answered = (is_resumed and found is not newest) or _is_answered(messages, found.number)
    return Prompt(line or _NO_TEXT, found.text, is_answered, _instructions(messages))


def _instructions(messages: Sequence[Mapping[str, Any]]) -> str:
    given = (m.get("content") for m in messages if m.get("role") in ("system", "developer"))
    return "\n".join(_parts(content)[0] for content in given)


class _Read(NamedTuple):
    """A message of the user."""

    number: int
    text: str
    attachments: str
    """A phrase for what is attached."""
    named: str
    """The text with its blocks named."""

    @classmethod
    def of(cls, number: int, content: object) -> "_Read":
        text, attachments = _parts(content)
        return cls(number, text, attachments, _windows(text))

    @property
    def is_added(self) -> bool:
        """A client's reminders are all that it holds."""
        has_more = bool(self.attachments) or bool(words(self.named))
        return not has_more and bool(words(self.text[:_HEAD_CHARS]))

    @property
    def is_handover(self) -> bool:
        """It sums up the conversation so far, which has become too long."""
        return self.text.startswith(_HANDOVERS)


def _is_answered(messages: Sequence[Mapping[str, Any]], number: int) -> bool:
    """Has the model said something after this message, and been sent more since?"""
    roles = [message.get("role") for message in messages[number + 1 :]]
    while roles and roles[-1] == "assistant":
        roles.pop()  # the begin of the answer, which the model goes on with
    return "assistant" in roles


def _shows_results(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Is the end a user's message without words behind a tool's result, to show its images?"""
    before, last = messages[-2], messages[-1]
    shown = before.get("role") == "tool" and last.get("role") == "user"
    return shown and not _parts(last.get("content"))[0]


def _windows(text: str) -> str:
    if len(text) > 2 * _MAX_END_CHARS:
        text = f"{text[:_MAX_END_CHARS]}\n{text[-_MAX_END_CHARS:]}"
    text = name_blocks(text)
    if len(text) > _HEAD_CHARS + _TAIL_CHARS:
        return f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
    return text


def _line(text: str, max_words: float, max_chars: int) -> str:
    whole = one_line(text)
    if len(whole) <= max_chars and words(whole) <= max_words:
        return whole
    found = sentences(_DISPLAY.sub(" ⟨formula⟩\n", text))[:_MOST_SENTENCES]
    bags = [stems(tokens(sentence)) for sentence in found]
    counts = Counter(term for bag in bags for term in bag)
    given_from = next((i + 1 for i, s in enumerate(found) if _gives(s)), len(found))
    scores = [
        _ask_score(found, i, bags[i], counts) - _GIVEN * (i >= given_from)
        for i in range(len(found))
    ]
    best = max(range(len(found)), key=lambda i: (scores[i], -i))
    ask = _fitted(_whole(found, best), max_words, max_chars)
    openings = ((i, _polite(found[i])) for i in range(best))
    first = next((i for i, bare in openings if words(bare) >= 3 and not _is_about_form(bare)), best)
    if _PART.match(_polite(found[first])):
        first = best
    stands_alone = len(bags[best]) >= _ALONE_TERMS and not _LEANS.search(ask)
    if best == first or stands_alone:
        return _with_second(found, scores, best, ask, max_words, max_chars)
    long = max(_OPENING_WORDS, max_words - words(ask))
    wide = max(_OPENING_CHARS, max_chars - len(ask) - 3)
    opening = cut(_polite(found[first]), long, wide).rstrip("….")
    left = max_words - words(opening)
    return f"{opening} … {cut(ask, left, max_chars - len(opening) - 3)}"


def _with_second(
    found: Sequence[str],
    scores: Sequence[float],
    best: int,
    ask: str,
    max_words: float,
    max_chars: int,
) -> str:
    """The ask, and another one if both have room: "Rate the essay. … What would you change?"."""
    for index in sorted(range(len(found)), key=lambda i: -scores[i]):
        if scores[index] < _SECOND:
            break
        other = _polite(found[index])
        if index == best or _ITEM.match(other) or _COLON.search(other) or _is_about_form(other):
            continue
        pair = [ask, other] if index > best else [other, ask]
        both = (" " if abs(index - best) == 1 else " … ").join(pair)
        if len(both) <= max_chars and words(both) <= max_words:
            return both
    return cut(ask, max_words, max_chars)


def _gives(sentence: str) -> bool:
    """Whether it asks something about the text that follows it: "Translate this into French:"."""
    bare = _POLITE.sub("", sentence)
    asks = _ASKS.match(bare) or _WANTS.search(sentence)
    given = _FOLLOWING.search(sentence) or _COLON.search(sentence)
    return bool(asks) and bool(given) and not _WRAPS.match(bare)


def _whole(found: Sequence[str], best: int) -> str:
    """The ask with the list that completes it: "Write a query that shows:", or its questions."""
    ask = found[best]
    if _ITEM.match(ask):
        before = found[_list_start(found, best) : best]
        after = takewhile(_is_asked, found[best + 1 :])
        return " ".join(map(_polite, [*before, ask, *after]))
    if ask.rstrip().endswith((":", "：")) and not _FOLLOWING.search(ask):
        items = takewhile(_ITEM.match, found[best + 1 :])
        listed = ", ".join(_ITEM.sub("", one_line(item), count=1).rstrip(".;,") for item in items)
        return f"{_polite(ask)} {listed}".rstrip()
    return _object(_polite(ask))


def _list_start(found: Sequence[str], at: int) -> int:
    """Where the list of asks begins that this item belongs to, with the line that leads to it."""
    start = at
    for index in range(at - 1, -1, -1):
        if _is_asked(found[index]):
            start = index
        elif not index or not _is_asked(found[index - 1]):
            break  # it is more than the second sentence of an item
    leads = start > 0 and found[start - 1].rstrip().endswith((":", "："))
    return start - leads


def _is_asked(sentence: str) -> bool:
    """Whether it is an item of a list that asks something."""
    item = _ITEM.match(sentence)
    if item is None:
        return False
    return _is_question(sentence) or _ASKS.match(sentence, item.end()) is not None


def _is_question(sentence: str) -> bool:
    return sentence.rstrip("\"'”»)").endswith(("?", "？", "؟"))


def _fitted(ask: str, max_words: float, max_chars: int) -> str:
    """The ask without what stands in brackets, if it is too long with it."""
    is_long = len(ask) > max_chars or words(ask) > max_words
    return one_line(_ASIDE.sub("", ask)) if is_long else ask


def _is_about_form(bare: str) -> bool:
    """Whether a sentence says only how to answer, or that the ask comes next."""
    return _WRAPS.match(bare) is not None or _FORM.match(bare) is not None


def _object(ask: str) -> str:
    """The ask without a long quotation behind its colon."""
    match = _QUOTED.search(ask)
    return ask[: match.start()].rstrip(" :：") if match and match.start() > 8 else ask


def _polite(sentence: str) -> str:
    """The sentence without greetings and requests for kindness."""
    whole = one_line(sentence)
    bare = one_line(_POLITE.sub("", sentence)) or whole
    return bare if len(bare) == len(whole) else bare[0].upper() + bare[1:]


def _ask_score(
    found: Sequence[str], index: int, bag: frozenset[str], counts: Mapping[str, int]
) -> float:
    sentence = found[index]
    bare = _POLITE.sub("", sentence)
    return (
        2.5 * _is_question(sentence)
        + 2.5 * bool(_ASKS.match(bare))
        + 1.5 * bool(_WANTS.search(sentence))
        + 2.5 * _gives(sentence)
        + 0.8 * (index == 0)
        + 0.7 * (index == len(found) - 1)
        + 0.1 * min(5, sum(counts[term] > 1 for term in bag))
        - 0.03 * max(0.0, words(sentence) - 20)
        - 1.0 * sentence.startswith(("-", "*", "•", "(", "|"))
        - 3.0 * bool(_OPTION.match(sentence))
        - 2.0 * bool(_FORM.match(bare) or _PART.match(bare))
        - 4.0 * bool(_WRAPS.match(bare))
        - 5.0 * is_code(sentence)
        - 5.0 * (words(bare) < 3)
    )


def _parts(content: object) -> tuple[str, str]:
    """The text of a message and a phrase that names what is attached to it."""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return "", ""
    texts = []
    kinds: dict[str, list[str]] = {}
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict):
            kinds.setdefault(_kind(part), []).append(_file_name(part))
    named = [_attached(kind, names) for kind, names in kinds.items()]
    return "\n".join(texts), f"+ {', '.join(named)}" if named else ""


def _kind(part: Mapping[str, Any]) -> str:
    kind = str(part.get("type", "")).removeprefix("input_").removesuffix("_url")
    return kind if kind in ("image", "audio", "file", "video") else "attachment"


def _file_name(part: Mapping[str, Any]) -> str:
    inner = part.get("file")
    name = part.get("filename") or (inner.get("filename") if isinstance(inner, dict) else None)
    return one_line(name)[:40] if isinstance(name, str) else ""


def _attached(kind: str, names: Sequence[str]) -> str:
    count = len(names)
    shown = f" ({names[0]})" if count == 1 and names[0] else ""
    return f"{count} {kind}{'s' if count > 1 else ''}{shown}"
