"""From sentences to statements: what a sentence is, given those before it.

Reasoning has sections. Under a heading like "Analyze the request" the prompt is said again; after
"Draft:" comes what the answer will say; what follows "Suppose that …" holds only if that does.
"""

from typing import NamedTuple

from gateway.summarizers import lexicon
from gateway.summarizers.sentences import FENCES, Sentence
from gateway.summarizers.statements import Prompt, Statement, clean, judge

_MAX_LABEL_CHARS = 40
_MAX_NAMES = 4
_MAX_BLOCK_LINES = 400
"""A block longer than this is told of before it ends."""


class Reading(NamedTuple):
    """What one sentence brought."""

    statement: Statement | None
    drafted: bool
    retracts: bool
    """It takes back what was said just before."""
    turns: bool
    """A new step of thought begins with it."""


_NOTHING = Reading(None, drafted=False, retracts=False, turns=False)


class Reader:
    """Reads the sentences of one reasoning in their order."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._position = 0
        self._restates = False
        self._drafts = False
        self._supposes = False
        self._label = ""
        self._language = ""
        self._block_lines = 0
        self._names: list[str] = []

    @property
    def position(self) -> int:
        """The number of sentences so far."""
        return self._position

    def read(self, sentence: Sentence) -> Reading:
        """Takes the next sentence."""
        self._position += 1
        if sentence.in_code:
            return self._code_line(sentence.text.strip())
        raw = sentence.text.strip()
        plain = clean(raw)
        self._sections(sentence, raw)
        if sentence.begins_paragraph:
            self._supposes = False
        retracts = bool(lexicon.RETRACTS.match(raw.lstrip(" *_-")))
        turns = sentence.begins_paragraph or bool(lexicon.TURNS.match(raw))
        statement = self._statement(raw, plain)
        if lexicon.SUPPOSITION.match(plain):
            self._supposes = True
        return Reading(statement, self._drafts, retracts, turns)

    def _sections(self, sentence: Sentence, raw: str) -> None:
        if not sentence.begins_line:
            return
        heading = bool(lexicon.HEADING.match(sentence.text))
        if heading:
            self._restates = bool(lexicon.RESTATES.search(raw))
        if heading or raw.endswith((":", "：")):
            self._drafts = bool(lexicon.DRAFTS.search(raw)) or (self._drafts and not heading)

    def _statement(self, raw: str, plain: str) -> Statement | None:
        if self._restates:
            return None
        if len(raw) < _MAX_LABEL_CHARS and lexicon.ANSWER_LABEL.search(raw):
            self._label = "Answer: " if raw.isascii() else "答案："
            return None
        labelled, self._label = self._label + raw, ""
        follows = self._supposes and bool(lexicon.FOLLOWS.match(plain))
        return judge(labelled, self._position, self._prompt, self._drafts, follows)

    def _code_line(self, line: str) -> Reading:
        """A block of code is told of by its size and the names that it defines."""
        if not line.startswith(FENCES):
            self._block_lines += 1
            match = lexicon.DEFINES.match(line)
            if match and len(self._names) < _MAX_NAMES:
                self._names.append(match[1][:_MAX_LABEL_CHARS])
            if self._block_lines < _MAX_BLOCK_LINES:
                return _NOTHING
        elif not self._block_lines:
            self._language = line.strip("`~ ")[:_MAX_LABEL_CHARS]
            return _NOTHING
        statement = self._block()
        self._block_lines = 0
        self._names = []
        return Reading(statement, drafted=False, retracts=False, turns=False)

    def _block(self) -> Statement:
        lines = f"{self._block_lines} line{'s' if self._block_lines > 1 else ''}"
        names = f": {', '.join(self._names)}" if self._names else ""
        text = f"⟨{self._language or 'code'}, {lines}{names}⟩"
        terms = frozenset(self._names or [text])
        return Statement(
            self._position, text, 3.0 + len(self._names), terms, 0.0, False, False, True
        )
