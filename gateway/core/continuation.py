"""The second answer of a turn whose thinking was ended: what it is asked with, how it is read.

The gateway has cut the first answer in the middle of the thinking. Of the second one everything is
answer, whatever field it comes in: a server that is handed a message with its thinking done may
take what follows for more of it. Only a new start marker begins reasoning again. What the model or
the server repeats of the end of the thinking is left out.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

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


def answer_limits(body: Mapping[str, Any], thought_tokens: int) -> dict[str, int]:
    """Returns the members that limit the second answer: what the thinking has left over."""
    limits = {}
    for name in ("max_tokens", "max_completion_tokens"):
        if type(limit := body.get(name)) is int and limit > 0:
            reserved = min(limit, max(_MIN_ANSWER_TOKENS, limit // _ANSWER_SHARE))
            limits[name] = max(limit - thought_tokens, reserved)
    return limits


def continued(first: Reading, *, is_prefill: bool) -> Reading:
    """Returns how a second answer is read, from how it would be read by itself.

    is_prefill: the model goes on behind its thinking. Otherwise it was told not to think; what the
    server labels as reasoning is reasoning then.
    """
    family = first.text.family
    reader = ContinuationReader(first.reader, family) if is_prefill else first.reader
    return Reading(reader, TextReading(family, _ANSWERS))


class ContinuationReader:
    """Reads an answer whose thinking is done: all its text is content."""

    def __init__(self, reader: Reader, family: Family) -> None:
        self._reader = reader
        self._ends = tuple(marker for block in family.blocks for marker in block.end)
        self._head: str | None = ""
        """The begin of the text, while it may be a repeated end marker; None once that is sure."""

    @property
    def frames(self) -> int:
        """See Reader."""
        return self._reader.frames

    @property
    def answer_id(self) -> str:
        """See Reader."""
        return self._reader.answer_id

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """See Reader."""
        found = self._reader.template
        return None if found is None or self._head is not None else (found[0], Content)

    def feed(self, lines: Sequence[bytes]) -> list[Part]:
        """Takes the lines of one read, without line ends."""
        return self._read(self._reader.feed(lines))

    def close(self) -> list[Part]:
        """The body has ended."""
        parts = self._read(self._reader.close())
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


def joined_usage(
    first: Mapping[str, Any] | None,
    second: Mapping[str, Any] | None,
    thought_tokens: int,
    *,
    is_prefill: bool,
) -> dict[str, Any] | None:
    """Returns the usage of both answers: of the prompt, what the first request took.

    first: None where it was cut before it came. thought_tokens: an estimate for that case.
    is_prefill: the prompt of the second request holds the thoughts.
    """
    if second is None:
        return None
    ours, theirs = usage_counts(first), usage_counts(second)
    thought = thought_tokens if ours.completion is None else ours.completion
    prompt = ours.prompt
    if prompt is None and theirs.prompt is not None:
        prompt = max(0, theirs.prompt - thought) if is_prefill else theirs.prompt
    written = thought + (theirs.completion or 0)
    reasoned = thought + (0 if is_prefill else theirs.reasoning or 0)
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
