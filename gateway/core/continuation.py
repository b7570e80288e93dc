"""The second answer of a turn: what it is asked with, how it is read.

It goes on where the thinking was ended, or where an upstream has broken off.

The gateway has cut the first answer in the middle of the thinking. Of the second one everything is
answer, whatever field it comes in: a server that is handed a message with its thinking done may
take what follows for more of it. Only a new start marker begins reasoning again. What the model or
the server repeats of the end of the thinking is left out.
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
    # Of the Qwen3 report; four servers send it as well.
    (
        ("qwen*", "qwq*"),
        "Considering the limited time by the user, I have to give the solution based on the "
        "thinking directly now.",
    ),
    # Of vLLM's documentation.
    (("*",), "I have to give the solution based on the reasoning directly now."),
)
"""Globs over models → the sentence with which their thinking is ended. A model that is stopped
without a word often goes on thinking in its answer."""
_MAX_DROPPED = 200
"""Characters behind the last sentence of cut thoughts that the model is not handed back."""
_SENTENCE_END = re.compile(r"[.!?。！？]\s+(?=\S*\Z|\S)|\n")
_ANSWERS = Belief("answer", "request")
_THINKS = Belief("reasoning", "request")
BrokenIn = Literal["thinking", "answer"]
"""What an upstream has broken off in."""
_MIN_ANSWER_TOKENS = 512
_ANSWER_SHARE = 4
"""A fourth of `max_tokens` is left for the answer, however much the thinking took."""


def closing_sentence(model: str) -> str:
    """Returns the sentence that ends a model's thinking, as a paragraph of its own."""
    name = plain_name(model)
    found = next(s for globs, s in _SENTENCES if any(fnmatchcase(name, glob) for glob in globs))
    return f"\n\n{found}\n"


def cut_thoughts(thoughts: str) -> str:
    """Returns thoughts that were cut anywhere, up to the end of a line or of a sentence near it."""
    start = max(0, len(thoughts) - _MAX_DROPPED)
    ends = [found.end() for found in _SENTENCE_END.finditer(thoughts, start)]
    return thoughts[: ends[-1]] if ends else thoughts


def answer_limits(
    body: Mapping[str, Any], spent_tokens: int, *, reserves: bool = True
) -> dict[str, int]:
    """Returns the members that limit the second answer: what the first one has left over.

    reserves: a share is left for the answer, even if the thinking has spent it.
    """
    limits = {}
    for name in ("max_tokens", "max_completion_tokens"):
        if type(limit := body.get(name)) is int and limit > 0:
            reserved = max(_MIN_ANSWER_TOKENS, limit // _ANSWER_SHARE) if reserves else 1
            limits[name] = max(limit - spent_tokens, min(limit, reserved))
    return limits


def continued(first: Reading, *, is_prefill: bool) -> Reading:
    """Returns how a second answer is read, from how it would be read by itself.

    is_prefill: the model goes on behind its thinking. Otherwise it was told not to think; what the
    server labels as reasoning is reasoning then.
    """
    family = first.text.family
    reader = ContinuationReader(first.reader, family) if is_prefill else first.reader
    return first._replace(reader=reader, text=TextReading(family, _ANSWERS))


def taken_over(first: Reading, broken_in: BrokenIn, shown_space: str) -> Reading:
    """Returns how an answer is read that goes on in the middle of a thought or of a sentence.

    shown_space: white space at the end of what was said. Servers strip it from a prefill, so the
    model says it again.
    """
    family, reader = first.text.family, first.reader
    belief = _THINKS
    if broken_in == "answer":
        reader, belief = ContinuationReader(reader, family, at_head=False), _ANSWERS
    if shown_space:
        reader = BehindSpaceReader(reader, shown_space)
    return first._replace(reader=reader, text=TextReading(family, belief))


class _ReaderAround:
    """A reader that changes what another one reads."""

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
    """Reads an answer whose thinking is done: all its text is content."""

    def __init__(self, reader: Reader, family: Family, *, at_head: bool = True) -> None:
        """at_head: the answer begins with it, perhaps with a repeated end marker."""
        super().__init__(reader)
        self._ends = tuple(marker for block in family.blocks for marker in block.end)
        self._head: str | None = "" if at_head else None
        """The begin of the text, while it may be a repeated end marker; None once that is sure."""

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
        """The text without white space and one end marker at the head of the answer."""
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
    """What there was of an answer before another one went on with it."""

    usage: Mapping[str, Any] | None
    """None where it ended before the usage came."""
    thought: int
    """An estimate of the tokens of its thinking."""
    answered: int
    """An estimate of its other tokens."""


class BehindSpaceReader(_ReaderAround):
    """Reads an answer without the white space at its head that was shown already."""

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
    """Returns the usage of both answers: of the prompt, what the first request took.

    is_prefill: the prompt of the second request holds what the first one wrote.
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
