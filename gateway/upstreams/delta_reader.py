"""Reads the deltas of one choice into parts."""

from typing import Any

from gateway.core.parts import Content, Label, Other, Reasoning, ToolCalls
from gateway.upstreams.delta_texts import (
    LABELLED,
    MIRRORS,
    is_flagged_thought,
    joined_texts,
    reasoning_of,
)
from gateway.upstreams.part_joiner import PartJoiner
from gateway.upstreams.signed import SignedReader
from gateway.upstreams.stream_errors import bad_chunk
from gateway.upstreams.tool_calls import ToolCallIndexer, clean_function
from gateway.upstreams.unknown_members import unknown_members

_KNOWN = frozenset(
    {"role", "content", "tool_calls", "reasoning_opaque", "extra_content", *LABELLED, *MIRRORS}
)
"""What is not handed on as an unknown field: it is said otherwise, or is reasoning in disguise."""
_TAG = "<thought>"
"""What Google's flagged thoughts may begin with."""


class DeltaReader:
    """Reads one delta after the other. Its state is what a delta means because of those before."""

    def __init__(self, parts: PartJoiner, *, is_probe: bool = False) -> None:
        """parts: where the parts go. is_probe: it reads a single delta of a later place in the
        stream, and leaves out what depends on the deltas before it."""
        self._parts = parts
        self._is_probe = is_probe
        self._has_label = is_probe
        """There was a field for reasoning."""
        self._calls = ToolCallIndexer()
        self._signed = SignedReader()
        self.reasoning_field = ""
        """The member of LABELLED in which the reasoning comes; "" while unknown."""
        self._has_tagged_thoughts: bool | None = None
        """Whether flagged thoughts stand between tags as well; None until it is known."""
        self.held_text = ""
        """Flagged text that may be the begin of a tag; the text after it tells."""

    def read(self, delta: dict[str, Any]) -> None:
        """Adds the parts of a delta, or of the message of an answer in one piece."""
        content = delta.get("content")
        if len(delta) == 1 and isinstance(content, str):
            self._text(Content, content)  # as nearly every delta is
            return
        self._reasoning(delta)
        if isinstance(content, str):
            if is_flagged_thought(delta):
                self._flagged(content)
            else:
                self._text(Content, content)
        elif isinstance(content, list):
            for item in content:
                self._item(item)
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            self._tool_calls(calls)
        other = unknown_members(delta, _KNOWN)
        if isinstance(call := other.get("function_call"), dict):
            other["function_call"] = clean_function(call)
        if other:
            self._parts.add(Other(other))

    def close(self) -> None:
        """The answer has ended: adds the held text, which was no tag."""
        text, self.held_text = self.held_text, ""
        self._text(Reasoning, text)

    def _reasoning(self, delta: dict[str, Any]) -> None:
        field, reasoning = reasoning_of(delta)
        self.reasoning_field = field or self.reasoning_field
        # A probe is a frame that has been read before, so what it has beside its text is known.
        if not self._is_probe and (signed := self._signed.read(delta)) is not None:
            self._parts.add(signed)
        if not self._has_label:
            self._has_label = bool(reasoning) or not delta.keys().isdisjoint(LABELLED)
            if self._has_label and not reasoning:
                self._parts.add(Label())
        self._text(Reasoning, reasoning)

    def _tool_calls(self, calls: list[Any]) -> None:
        for call in calls:
            if isinstance(call, dict) and not self._calls.has_too_many:
                self._parts.add_piece(ToolCalls, self._calls.with_index(call))
        if self._calls.has_too_many:
            self._parts.add(bad_chunk("The upstream sent too many tool calls."))

    def _flagged(self, content: str) -> None:
        """Text that Google flags as thoughts: with tags around it, the text says it itself."""
        if self._is_probe:
            return  # what it is depends on the text before it: such frames have no template
        text, self.held_text = self.held_text + content, ""
        if self._has_tagged_thoughts is None:
            head = text.lstrip()
            if _TAG.startswith(head) and head != _TAG:
                self.held_text = text
                return
            self._has_tagged_thoughts = head.startswith(_TAG)
        self._text(Content if self._has_tagged_thoughts else Reasoning, text)

    def _item(self, item: Any) -> None:
        """An item of a content list, as Mistral and Databricks send them."""
        match item:
            case str():
                self._text(Content, item)
            case {"type": "thinking" | "reasoning"}:
                thoughts = item.get("thinking") or item.get("summary")
                self._text(Reasoning, joined_texts(thoughts, "text"))
            case _:
                self._text(Content, joined_texts([item], "text"))

    def _text(self, type: type[Content] | type[Reasoning], text: str) -> None:
        if text:
            if self.held_text:
                self.close()
            self._parts.add_piece(type, text)
