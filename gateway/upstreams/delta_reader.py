"""Reads the deltas of one choice into parts."""

from typing import Any

from gateway.core.parts import Content, Label, Other, Reasoning, ToolCalls
from gateway.upstreams.delta_texts import (
    LABELLED,
    LITELLMS,
    MIRRORS,
    is_flagged_thought,
    is_thought,
    reasoning_of,
    text_in,
    thought_in,
)
from gateway.upstreams.part_joiner import PartJoiner
from gateway.upstreams.signed import SignedReader
from gateway.upstreams.stream_errors import bad_chunk
from gateway.upstreams.tool_calls import ToolCallReader
from gateway.upstreams.unknown_members import unknown_members

_KNOWN = frozenset(
    {"role", "content", "tool_calls", "reasoning_opaque", "extra_content", *LABELLED, *MIRRORS}
)
"""Fields that are not passed on as unknown ones: parts of other types hold their content."""
_LABELS = frozenset({*LABELLED, *MIRRORS})
_CALLS = ("tool_use", "tool_call", "function_call")
"""Types of the items of a content list that are tool calls."""
_TAG = "<thought>"
"""A tag that may open Google's flagged thoughts."""


class DeltaReader:
    """Reads the deltas of one choice, in order.

    It keeps state because the meaning of a delta depends on the deltas before it.
    """

    def __init__(self, parts: PartJoiner, *, is_probe: bool = False) -> None:
        """parts: receives the parts.

        is_probe: the reader reads one delta from the middle of a stream, and leaves out the parts
        that depend on earlier deltas.
        """
        self._parts = parts
        self._is_probe = is_probe
        self._has_label = is_probe
        """There was a field for reasoning."""
        self._calls = ToolCallReader()
        self._old_call = ToolCallReader()
        """For OpenAI's old `function_call`, of which an answer has at most one."""
        self._signed = SignedReader()
        self.reasoning_field = ""
        """The member of LABELLED in which the reasoning comes; "" while unknown."""
        self._has_tagged_thoughts: bool | None = None
        """Whether flagged thoughts have tags around them as well; None until that is known."""
        self.held_text = ""
        """Flagged text that may be the beginning of a tag; the next text shows whether it is."""

    def read(self, delta: dict[str, Any]) -> None:
        """Adds the parts of a delta, or of the message of an answer in one piece."""
        content = delta.get("content")
        if len(delta) == 1 and isinstance(content, str):
            self._text(Content, content)  # the usual case
            return
        self._reasoning(delta)
        if isinstance(content, str):
            if is_flagged_thought(delta):
                self._flagged(content)
            else:
                self._text(Content, content)
        elif content:
            for item in content if isinstance(content, list) else [content]:
                self._item(item)
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list | dict):
            self._tool_calls(calls if isinstance(calls, list) else [calls])
        other = unknown_members(delta, _KNOWN)
        if isinstance(call := other.pop("function_call", None), dict) and not calls:
            other |= self._function_call(call)
        if isinstance(inner := other.pop(LITELLMS, None), dict) and (
            kept := unknown_members(inner, _KNOWN)
        ):
            other[LITELLMS] = kept
        if other:
            self._parts.add(Other(other))

    def close(self) -> None:
        """The answer has ended: adds the held text, which was no tag."""
        text, self.held_text = self.held_text, ""
        self._text(Reasoning, text)

    def _reasoning(self, delta: dict[str, Any]) -> None:
        field, reasoning = reasoning_of(delta)
        self.reasoning_field = field or self.reasoning_field
        # The frame of a probe has been read before, and with it everything beside its text.
        if not self._is_probe and (signed := self._signed.read(delta)) is not None:
            self._parts.add(signed)
        if not self._has_label:
            self._has_label = bool(reasoning) or not delta.keys().isdisjoint(_LABELS)
            if self._has_label and not reasoning:
                self._parts.add(Label())
        self._text(Reasoning, reasoning)

    def finish_calls(self) -> None:
        """The model has ended its answer: adds the rest of the tool calls."""
        for delta in self._calls.finish():
            self._parts.add_piece(ToolCalls, delta)
        for delta in self._old_call.finish():
            self._parts.add(Other({"function_call": delta["function"]}))

    @property
    def is_within_arguments(self) -> bool:
        """The arguments of a tool call have begun and not ended."""
        return self._calls.is_within_arguments

    def _function_call(self, call: dict[str, Any]) -> dict[str, Any]:
        """Returns the member `function_call` for a piece of an old call; {} if it adds nothing."""
        delta = self._old_call.read({"index": 0, "function": call})
        return {"function_call": delta["function"]} if delta is not None else {}

    def _tool_calls(self, calls: list[Any]) -> None:
        for call in calls:
            if not isinstance(call, dict) or self._calls.has_too_many:
                continue
            if (delta := self._calls.read(call)) is not None:
                self._parts.add_piece(ToolCalls, delta)
        if self._calls.has_too_many:
            self._parts.add(bad_chunk("The upstream sent too many tool calls."))

    def _flagged(self, content: str) -> None:
        """Reads text that Google flags as thoughts.

        If there are tags around it, it is content, in which the splitter finds the tags.
        """
        if self._is_probe:
            return  # its type depends on the text before it, so such frames get no template
        text, self.held_text = self.held_text + content, ""
        if self._has_tagged_thoughts is None:
            head = text.lstrip()
            if _TAG.startswith(head) and head != _TAG:
                self.held_text = text
                return
            self._has_tagged_thoughts = head.startswith(_TAG)
        self._text(Content if self._has_tagged_thoughts else Reasoning, text)

    def _item(self, item: Any) -> None:
        """Reads an item of a content list, as Mistral and Databricks send them."""
        if isinstance(item, dict) and item.get("type") in _CALLS:
            self._tool_calls([item])
        elif is_thought(item):
            self._text(Reasoning, thought_in(item))
        else:
            self._text(Content, text_in(item))

    def _text(self, type: type[Content] | type[Reasoning], text: str) -> None:
        if text:
            if self.held_text:
                self.close()
            self._parts.add_piece(type, text)
