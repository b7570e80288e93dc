"""The content-block machine of Anthropic's Messages API: events of a turn in, block events out.

In Anthropic's protocol, one block is open at a time: it starts, grows by deltas and stops. Then the
next block starts, with the next index. A model server may interleave text, reasoning and the deltas
of several tool calls. :class:`ContentBlocks` puts them in order. It has a queue of blocks, of which
only the first one streams. The others collect their deltas until they are first. The first block
stops:

- if it is text or thinking: when another block follows it;
- if it is a tool call: when another block follows it and its arguments are a complete JSON object;
- if it is the prompt summary or a line of the reasoning summary: at once, because it never grows.
  Claude Code shows a thinking block only when it stops;
- at the end of the answer, in any case. If the answer fails, it does not stop.

A tool call starts with its first arguments, because its name may arrive in pieces before them.

The arguments are sent in one delta when the block stops, because only then it is known whether they
are JSON. If the token limit cuts an object, a client reads its beginning as an object with fewer
members, and runs the tool with it. Anthropic holds arguments back for the same reason, and has the
same switch: the arguments of a tool with `eager_input_streaming` are sent as they arrive.

For example, two tool calls whose deltas interleave:

    event                      block events
    call 0, name f             none, because the name may be incomplete
    call 0, arguments {"x":    BlockStart(0, f)
    call 1, name g             none, because block 0 is incomplete
    call 1, arguments {"y":1   none
    call 0, arguments 2}       BlockDelta(0, {"x":2}), BlockStop(0), BlockStart(1, g)
    call 1, arguments }        none
    close()                    BlockDelta(1, {"y":1}), BlockStop(1)
"""

from collections import deque
from collections.abc import Hashable
from typing import Any, Literal

import msgspec

from gateway.apis.base import Answer
from gateway.apis.json_texts import ObjectPieces
from gateway.apis.tool_calls import input_as_arguments, legacy_call, read_call_delta
from gateway.core.events import (
    ChoiceEvent,
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Thoughts,
    ToolCallDelta,
)
from gateway.core.thoughts import ThoughtRecord

BlockType = Literal["thinking", "text", "tool_use"]


class BlockStart(msgspec.Struct, frozen=True):
    """A block starts."""

    index: int
    head: dict[str, Any]
    """The block's `type`; for a tool call also `id` and `name`."""


class BlockDelta(msgspec.Struct, frozen=True):
    """A block grows by a piece of its thinking, its text or its arguments."""

    index: int
    text: str
    is_whole: bool = False
    """The text is the complete arguments of a tool call."""


class BlockStop(msgspec.Struct, frozen=True):
    """A block is complete."""

    index: int
    thoughts: ThoughtRecord | None = None
    """The model's thoughts, in the last thinking block before the answer."""


BlockEvent = BlockStart | BlockDelta | BlockStop


class _Block:
    """A block that has not stopped."""

    def __init__(self, type: BlockType, key: Hashable) -> None:
        self.type = type
        self.key = key
        """Distinguishes the block from others of the same type."""
        self.id = ""
        self.name = ""
        self.started = False
        self.never_grows = False
        """The block stops as soon as it has started, even if no block follows."""
        self.pending: list[str] = []
        """Deltas that have not been sent."""
        self.is_eager = False
        """The arguments of the tool call are sent as they come."""
        self.custom_input: list[str] = []
        """The pieces of a custom call's input. The complete input becomes an argument."""
        self._arguments = ObjectPieces()

    def add_arguments(self, delta: str) -> None:
        """Adds to the arguments of a tool call."""
        self.pending.append(delta)
        self._arguments.append(delta)

    def can_start(self) -> bool:
        """Returns whether the start can be sent: the name of a tool call must be complete."""
        return self.type != "tool_use" or bool(self.pending)

    def is_complete(self) -> bool:
        """Returns whether the block can't grow any more once another block follows it."""
        return self.type != "tool_use" or self._arguments.is_complete()


class ContentBlocks:
    """The content blocks of one answer; see the module's docstring."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._omits_thinking = answer.echo.get("display") == "omitted"
        self._eager_tools = frozenset(answer.echo.get("eager_tools", ()))
        self._queue: deque[_Block] = deque()
        self._calls: dict[int, _Block] = {}
        self._index = 0
        self._thoughts: ThoughtRecord | None = None
        self._has_thinking = False
        """There is a thinking block, or will be one, that can hold the seal."""
        self.has_tool_use = False
        self.has_refusal = False
        """The upstream sent a `refusal`."""

    def add(self, event: Event) -> list[BlockEvent]:
        """Adds the next event of the turn. The end of the turn is a call of :meth:`close`."""
        match event:
            case OutputDelta(text):
                self._add_text("text", "text", text)
            case ReasoningDelta(text):
                self._add_text("thinking", "trace", text)
            case SummaryDelta(line):
                # In `both` the trace streams in one block, and the summary follows it in another.
                if self._answer.reasoning == "summary":
                    self._add_whole("line", f"{line}\n\n")
            case ReasoningSummary(text, closing):
                paragraph = text if self._answer.reasoning == "both" else closing
                if paragraph:
                    self._add_text("thinking", "summary", f"{paragraph}\n\n")
            case PromptSummary(text, continues=continues):
                if self._omits_thinking:
                    self._add_text("thinking", "omitted", "")
                elif self._answer.reasoning != "none":
                    self._has_thinking = True
                    if not continues:
                        self._add_whole("prompt", f"{text}\n\n")
            case ToolCallDelta(call):
                self._add_call(call)
            case Extra(delta):
                if isinstance(refusal := delta.get("refusal"), str):
                    self.has_refusal = True
                    self._add_text("text", "text", refusal)
                if (
                    legacy := legacy_call(delta, tools=bool(self._answer.echo.get("tools")))
                ) is not None:
                    self._add_call(legacy)
            case Thoughts(record):
                self._thoughts = record
                is_open = bool(self._queue) and self._queue[-1].type == "thinking"
                if self._has_thinking and not is_open:
                    # The blocks of all lines have stopped, so an empty block gets the seal.
                    self._add_text("thinking", "seal", "")
            case Done() | Failed() | ChoiceEvent():
                pass  # close() ends the answer, and there is only one choice
        return self._advance(closing=False)

    def close(self) -> list[BlockEvent]:
        """Ends the answer: returns the rest of the queued blocks, and stops them."""
        for block in self._queue:
            if block.custom_input:
                block.add_arguments(input_as_arguments("".join(block.custom_input)))
                block.custom_input.clear()
        return self._advance(closing=True)

    def _add_text(self, type: BlockType, key: Hashable, text: str) -> None:
        """Adds to the last block if it has this key, else to a new one."""
        if not self._queue or self._queue[-1].key != key:
            self._queue.append(_Block(type, key))
            self._has_thinking = self._has_thinking or type == "thinking"
        if text:
            self._queue[-1].pending.append(text)

    def _add_whole(self, key: Hashable, text: str) -> None:
        """Adds a thinking block that never grows."""
        block = _Block("thinking", key)
        block.pending.append(text)
        block.never_grows = True
        self._queue.append(block)
        self._has_thinking = True

    def _add_call(self, call: dict[str, Any]) -> None:
        index = call["index"]
        block = self._calls.get(index)
        if block is None:
            block = self._calls[index] = _Block("tool_use", ("call", index))
            self._queue.append(block)
            self.has_tool_use = True
        delta = read_call_delta(call)
        block.id = block.id or delta.id
        if not block.started:
            block.name += delta.name
        if delta.arguments:
            block.add_arguments(delta.arguments)
        if delta.input is not None:
            block.custom_input.append(delta.input)

    def _advance(self, *, closing: bool) -> list[BlockEvent]:
        """Returns the events of the first block. If that block stops, continues with the next."""
        events: list[BlockEvent] = []
        while self._queue:
            block = self._queue[0]
            is_followed = len(self._queue) > 1
            is_over = closing or block.never_grows or (is_followed and block.is_complete())
            if not block.started and (is_over or block.can_start()):
                block.started = True
                block.is_eager = block.name in self._eager_tools
                events.append(BlockStart(self._index, self._head(block)))
            is_held = block.type == "tool_use" and not block.is_eager
            if block.started and block.pending and (is_over or not is_held):
                events.append(BlockDelta(self._index, "".join(block.pending), is_held))
                block.pending.clear()
            if not is_over:
                break
            events.append(BlockStop(self._index, self._take_thoughts(block)))
            self._queue.popleft()
            self._index += 1
        return events

    def _take_thoughts(self, block: _Block) -> ThoughtRecord | None:
        if block.type != "thinking":
            return None
        thoughts, self._thoughts = self._thoughts, None
        return thoughts

    def _head(self, block: _Block) -> dict[str, Any]:
        if block.type != "tool_use":
            return {"type": block.type}
        # The client names the id in the tool's result, so it can't be empty.
        id = block.id or f"toolu_{self._answer.id}_{self._index}"
        return {"type": "tool_use", "id": id, "name": block.name}
