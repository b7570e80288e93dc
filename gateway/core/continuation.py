"""The second answer of a turn: its request, and how to read it.

There are two cases:

- The gateway has cut the first answer in the middle of the thinking. All text of the second answer
  is the answer, even in a field for reasoning: a server may label the text after a prefill as more
  thinking. Only a new start marker begins reasoning again. A repeated end marker is left out.
- An upstream has broken off in the middle of its thinking or its answer. The second answer
  continues there. White space that it repeats is left out.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, Literal, NamedTuple

from gateway.config import plain_name
from gateway.core.families import Family, TextReading
from gateway.core.families.evidence import Belief
from gateway.core.parts import Content, End, Fault, Finish, Label, Part, Reasoning, ToolCalls
from gateway.core.reading import Reader, Reading
from gateway.core.steady import Template
from gateway.core.tokens import usage_counts

_SENTENCES = (
    # From the Qwen3 report; four servers send it as well.
    (
        ("qwen*", "qwq*"),
        "Considering the limited time by the user, I have to give the solution based on the "
        "thinking directly now.",
    ),
    # From vLLM's documentation.
    (("*",), "I have to give the solution based on the reasoning directly now."),
)
"""Globs over models → the sentence that ends their thinking. Without such a sentence, a model often
goes on thinking in its answer."""
_MAX_DROPPED = 200
"""The most characters that are dropped from cut thoughts, so that they end with a sentence."""
_SENTENCE_END = re.compile(r"[.!?。！？]\s+(?=\S*\Z|\S)|\n")
_ANSWERS = Belief("answer", "request")
_THINKS = Belief("reasoning", "request")
BrokenIn = Literal["thinking", "answer"]
"""The phase of the answer in which an upstream has broken off."""
_MIN_ANSWER_TOKENS = 512
_ANSWER_SHARE = 4
"""The answer gets at least a fourth of `max_tokens`, even if the thinking has used all of it."""


def closing_sentence(model: str) -> str:
    """Returns the sentence that ends a model's thinking, as a separate paragraph."""
    name = plain_name(model)
    found = next(s for globs, s in _SENTENCES if any(fnmatchcase(name, glob) for glob in globs))
    return f"\n\n{found}\n"


def cut_thoughts(thoughts: str) -> str:
    """Returns thoughts that were cut anywhere, up to the last end of a line or sentence, if that is
    near the cut."""
    start = max(0, len(thoughts) - _MAX_DROPPED)
    ends = [found.end() for found in _SENTENCE_END.finditer(thoughts, start)]
    return thoughts[: ends[-1]] if ends else thoughts


def answer_limits(
    body: Mapping[str, Any], spent_tokens: int, *, reserves: bool = True
) -> dict[str, int]:
    """Returns the members that limit the second answer to the tokens that the first one left.

    reserves: the answer gets a share of the limit, even if the thinking has used all of it.
    """
    limits = {}
    for name in ("max_tokens", "max_completion_tokens"):
        if type(limit := body.get(name)) is int and limit > 0:
            reserved = max(_MIN_ANSWER_TOKENS, limit // _ANSWER_SHARE) if reserves else 1
            limits[name] = max(limit - spent_tokens, min(limit, reserved))
    return limits


def continued(first: Reading, *, is_prefill: bool) -> Reading:
    """Returns how to read the answer after a cut.

    first: how to read an answer of this upstream that is not a second one. is_prefill: the model
    continues after its thinking, so all text is the answer. Otherwise it was told not to think, and
    text that the server labels as reasoning is reasoning.
    """
    family = first.text.family
    reader = ContinuationReader(first.reader, family) if is_prefill else first.reader
    return first._replace(reader=reader, text=TextReading(family, _ANSWERS))


def taken_over(first: Reading, broken_in: BrokenIn, shown_space: str) -> Reading:
    """Returns how to read an answer that continues in the middle of a thought or of a sentence.

    first: how to read an answer of this upstream that is not a second one. shown_space: white space
    at the end of the text so far. Servers strip it from a prefill, so the model writes it again.
    """
    family, reader = first.text.family, first.reader
    belief = _THINKS
    if broken_in == "answer":
        reader, belief = ContinuationReader(reader, family, at_head=False), _ANSWERS
    if shown_space:
        reader = BehindSpaceReader(reader, shown_space)
    return first._replace(reader=reader, text=TextReading(family, belief))


class _ReaderAround:
    """Changes the parts of another reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def frames(self) -> int:
        """See Reader."""
        return self._reader.frames

    @property
    def answer_id(self) -> str:
        """See Reader."""
        return self._reader.answer_id

    @property
    def reasoning_field(self) -> str:
        """See Reader."""
        return self._reader.reasoning_field

    def feed(self, lines: Sequence[bytes]) -> list[Part]:
        """Takes the lines of one read, without line ends."""
        return self._read(self._reader.feed(lines))

    def close(self) -> list[Part]:
        """The body has ended."""
        return self._read(self._reader.close())

    def _read(self, parts: Sequence[Part]) -> list[Part]:
        raise NotImplementedError


class ContinuationReader(_ReaderAround):
    """Reads an answer after its thinking: all its text is content."""

    def __init__(self, reader: Reader, family: Family, *, at_head: bool = True) -> None:
        """at_head: it begins at the head of the answer, perhaps with a repeated end marker."""
        super().__init__(reader)
        self._ends = tuple(marker for block in family.blocks for marker in block.end)
        self._head: str | None = "" if at_head else None
        """The beginning of the text, while it may become a repeated end marker; None afterwards."""

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """See Reader."""
        found = self._reader.template
        return None if found is None or self._head is not None else (found[0], Content)

    def close(self) -> list[Part]:
        """The body has ended."""
        parts = super().close()
        return [*self._release(), *parts]

    def _read(self, parts: Sequence[Part]) -> list[Part]:
        read: list[Part] = []
        for part in parts:
            match part:
                case Content(text) | Reasoning(text):
                    if text := self._without_end(text):
                        read.append(Content(text))
                case Label():
                    pass
                case ToolCalls() | Finish() | End() | Fault():
                    read += [*self._release(), part]
                case _:
                    read.append(part)
        return read

    def _without_end(self, text: str) -> str:
        """Returns the text without white space and one end marker at the head of the answer."""
        if self._head is None:
            return text
        head = (self._head + text).lstrip()
        if any(end.startswith(head) and end != head for end in self._ends):
            self._head = head
            return ""
        marker = next((end for end in self._ends if head.startswith(end)), "")
        rest = head[len(marker) :].lstrip()
        self._ends = () if marker else self._ends
        self._head = None if rest else ""
        return rest

    def _release(self) -> list[Part]:
        held, self._head = self._head, self._head and ""
        return [Content(held)] if held else []


class FirstAnswer(NamedTuple):
    """The tokens of an answer that another one continues."""

    usage: Mapping[str, Any] | None
    """The upstream's counts; None if the answer ended before they came."""
    thought: int
    """The estimated tokens of its thinking."""
    answered: int
    """The estimated tokens of its answer."""


class BehindSpaceReader(_ReaderAround):
    """Leaves out the white space at the head of an answer that the client already has."""

    def __init__(self, reader: Reader, shown: str) -> None:
        super().__init__(reader)
        self._shown = shown

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """See Reader."""
        return None if self._shown else self._reader.template

    def _read(self, parts: Sequence[Part]) -> list[Part]:
        if not self._shown:
            return [*parts]
        read: list[Part] = []
        for part in parts:
            if not isinstance(part, Content | Reasoning):
                read.append(part)
            elif text := self._without_shown(part.text):
                read.append(type(part)(text))
        return read

    def _without_shown(self, text: str) -> str:
        pairs = zip(text, self._shown, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._shown = self._shown[same:] if same == len(text) else ""
        return text[same:]


def joined_usage(
    first: FirstAnswer, second: Mapping[str, Any] | None, *, is_prefill: bool
) -> dict[str, Any] | None:
    """Returns the usage of both answers. The prompt is that of the first request.

    is_prefill: the prompt of the second request contains the text of the first answer.
    """
    if second is None:
        return None
    ours, theirs = usage_counts(first.usage), usage_counts(second)
    before = first.thought + first.answered if ours.completion is None else ours.completion
    prompt = ours.prompt
    if prompt is None and theirs.prompt is not None:
        prompt = max(0, theirs.prompt - before) if is_prefill else theirs.prompt
    written = before + (theirs.completion or 0)
    reasoned = before - first.answered + (0 if is_prefill else theirs.reasoning or 0)
    details = second.get("completion_tokens_details")
    usage = dict(second) | {
        "completion_tokens": written,
        "completion_tokens_details": (dict(details) if isinstance(details, Mapping) else {})
        | {"reasoning_tokens": reasoned},
    }
    if prompt is not None:
        usage |= {"prompt_tokens": prompt, "total_tokens": prompt + written}
        if theirs.cached is not None:
            cached = {"cached_tokens": min(prompt, theirs.cached)}
            usage["prompt_tokens_details"] = dict(second["prompt_tokens_details"]) | cached
    return usage
