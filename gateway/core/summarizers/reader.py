"""Reads sentences in their order and makes statements of them.

Reasoning has sections. Under a heading like "Analyze the request" the prompt is restated; after
"Draft:" comes the text of the answer; what follows "Suppose that …" holds only if that does.
"""

from typing import NamedTuple

from gateway.core.summarizers import lexicon, talk
from gateway.core.summarizers.phrases import ENGLISH, recognize
from gateway.core.summarizers.sentences import FENCES, Sentence
from gateway.core.summarizers.statements import (
    GivenText,
    Place,
    Statement,
    clean,
    judge,
    without_marks,
)
from gateway.core.summarizers.text import in_small, tokens, words

_MAX_LABEL_CHARS = 40
_MAX_NAMES = 4
_RECOGNIZED_CHARS = 200
"""The language is recognized by the first sentences up to this length."""
_LEAST_CODE_LINES = 3
_MAX_TOOL_SENTENCES = 400
"""A call or result that is not closed within so many sentences is over."""
_TELL_EACH = 20
"""Lines after which code that goes on is told of."""


class Reading(NamedTuple):
    """What one sentence brings."""

    statement: Statement | None
    drafted: bool
    retracts: bool
    """It takes back what was said just before."""
    turns: bool
    """A new step of thought begins with it."""


_NOTHING = Reading(None, drafted=False, retracts=False, turns=False)


class Reader:
    """Reads the sentences of one reasoning in their order."""

    def __init__(self, given: GivenText) -> None:
        self._given = given
        self._position = 0
        self._restates = False
        self._drafts = False
        self._denies = False
        self._supposes = False
        self._label = ""
        self._language = ""
        self._code_lines = 0
        self._names: list[str] = []
        self._tool_end = ""
        """The tag that ends a tool's text."""
        self._tool_sentences = 0
        self.phrases = ENGLISH
        """Those of the reasoning's language."""
        self._beginning = ""
        self._first_words: set[str] = set()
        """The text and the words by which the language is recognized."""

    @property
    def position(self) -> int:
        """The number of sentences so far."""
        return self._position

    def read(self, sentence: Sentence, *, is_short: bool) -> Reading:
        """Takes the next sentence. is_short: the reasoning is short so far."""
        self._position += 1
        raw = sentence.text.strip()
        if self._is_of_a_tool(raw):
            return _NOTHING
        is_code = sentence.in_code or lexicon.is_code(raw)
        if is_code and (sentence.in_code or sentence.begins_line):
            return self._code_line(raw)
        if len(self._beginning) < _RECOGNIZED_CHARS:
            self._recognize(raw)
        phrases = self.phrases
        plain = clean(raw, phrases)
        self._sections(sentence, raw)
        if sentence.begins_paragraph:
            self._supposes = False
        bare = in_small(without_marks(raw))
        retracts = bool(lexicon.RETRACTS.match(bare)) or phrases.retracts(bare)
        turns = sentence.begins_paragraph or bool(lexicon.TURNS.match(in_small(raw)))
        joined = lexicon.BEGINS.match(bare)
        begins = f"begins {joined.lastgroup}" if joined is not None else None
        stated = (
            None if is_code else self._statement(sentence, raw, plain, begins, is_short=is_short)
        )
        statement = stated or self._end_of_code().statement
        if lexicon.SUPPOSITION.match(in_small(plain)):
            self._supposes = True
        return Reading(statement, self._drafts, retracts, turns)

    def _is_of_a_tool(self, raw: str) -> bool:
        """Whether a tool wrote it, or it calls one: it is not the model's thought."""
        begins = lexicon.TOOL_TEXT.match(raw) if raw[0] == "<" and not self._tool_end else None
        if begins is not None:
            self._tool_end, self._tool_sentences = f"</{begins[1]}>", 0
        if not self._tool_end:
            return False
        self._tool_sentences += 1
        if self._tool_end in raw or self._tool_sentences > _MAX_TOOL_SENTENCES:
            self._tool_end = ""
        return True

    def _recognize(self, raw: str) -> None:
        self._beginning += f"{raw} "
        self._first_words.update(tokens(raw))
        self.phrases = recognize(self._beginning, self._first_words)

    def _sections(self, sentence: Sentence, raw: str) -> None:
        leads = raw.endswith((":", "：", ":**"))
        if leads or (sentence.begins_line and lexicon.LIST_MARK.match(raw) is None):
            self._denies = leads and lexicon.DENIES.match(in_small(raw)) is not None
        if not sentence.begins_line:
            return
        heading = bool(lexicon.HEADING.match(sentence.text))
        if heading:
            self._restates = bool(lexicon.RESTATES.search(in_small(raw)))
        if heading or raw.endswith((":", "：")):
            self._drafts = bool(lexicon.DRAFTS.search(in_small(raw))) or (
                self._drafts and not heading
            )

    def _statement(
        self, sentence: Sentence, raw: str, plain: str, begins: str | None, *, is_short: bool
    ) -> Statement | None:
        if self._denies or (raw[0] in "#*0123456789" and lexicon.TITLE.match(raw)):
            return None
        if len(raw) < _MAX_LABEL_CHARS and lexicon.ANSWER_LABEL.search(in_small(raw)):
            self._label = "Answer: " if raw.isascii() else "答案："
            return None
        if raw.endswith((":", ":**")) and lexicon.LEADS.search(in_small(raw)):
            self._label = f"{plain.rstrip('*')} "
            return None
        label, self._label = self._label, ""
        if label and not talk.talks(in_small(plain), self.phrases):
            raw = label + without_marks(raw)
        follows = self._supposes and bool(lexicon.FOLLOWS.match(in_small(plain)))
        place = Place(
            self._position,
            restated=self._restates,
            hypothetical=follows,
            begins=begins,
            is_short=is_short,
        )
        return judge(raw, place, self._given, self.phrases)

    def _code_line(self, line: str) -> Reading:
        """Code is told of by its size and the names that it defines."""
        self._label = ""
        if line.startswith(FENCES):
            language = line.strip("`~ ")[:_MAX_LABEL_CHARS]
            ended = self._end_of_code()
            self._language = language
            return ended
        self._code_lines += 1
        match = lexicon.DEFINES.match(line)
        if match and len(self._names) < _MAX_NAMES:
            self._names.append(match[1][:_MAX_LABEL_CHARS])
        if self._code_lines % _TELL_EACH:
            return _NOTHING
        return _NOTHING._replace(statement=self._code(" so far"))

    def _end_of_code(self) -> Reading:
        told = self._code() if self._code_lines >= _LEAST_CODE_LINES else None
        self._code_lines = 0
        self._language = ""
        self._names = []
        return _NOTHING._replace(statement=told)

    def _code(self, so_far: str = "") -> Statement:
        names = f": {', '.join(self._names)}" if self._names else ""
        text = f"⟨{self._language or 'code'}, {self._code_lines} lines{so_far}{names}⟩"
        return Statement(
            self._position,
            text,
            words(text),
            frozenset([*self._names, text]),
            worth=0.0,
            result=-4.0,
            answers=False,
            weak=True,
        )
