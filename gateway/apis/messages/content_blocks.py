"""An answer as blocks, one after another: the order that Anthropic's Messages API asks for.

A block is whole before the next one begins. So what belongs to a later block waits while an earlier
one may still grow: text and thinking are whole when something else follows, a tool call when its
arguments are whole JSON, and everything at the end of the answer. Nothing is lost by that: of calls
that come in turns, the first one streams and the others follow.
"""

import json
from collections import deque
from collections.abc import Hashable
from typing import Any, Literal

import msgspec

from gateway.apis.base import Answer
from gateway.apis.tool_calls import piece_of
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
    ToolCallDelta,
)

Kind = Literal["thinking", "text", "tool_use"]


class Started(msgspec.Struct, frozen=True):
    """A block begins; `head` has its type and, for a tool call, `id` and `name`."""

    index: int
    head: dict[str, Any]


class Grown(msgspec.Struct, frozen=True):
    """A block gets more text: of thinking, of the answer, or of a call's arguments."""

    index: int
    text: str


class Stopped(msgspec.Struct, frozen=True):
    """A block is whole."""

    index: int


Step = Started | Grown | Stopped


class _Block:
    """One block while it grows."""

    def __init__(self, kind: Kind, key: Hashable) -> None:
        self.kind = kind
        self.key = key
        self.id = ""
        self.name = ""
        self.started = False
        self.done = False
        """Nothing more comes, whether or not something else follows."""
        self.waiting: list[str] = []
        self._arguments: list[str] = []
        self._whole: bool | None = None

    def argue(self, piece: str) -> None:
        """Adds to a call's arguments."""
        self.waiting.append(piece)
        self._arguments.append(piece)
        self._whole = None

    def may_start(self) -> bool:
        """A call's name is whole when its arguments begin."""
        return self.kind != "tool_use" or bool(self.waiting)

    def is_whole(self) -> bool:
        """Can nothing more be added, now that something else has followed?"""
        if self.kind != "tool_use":
            return True
        if self._whole is None:
            self._whole = read_object("".join(self._arguments)) is not None
        return self._whole


class Blocks:
    """Takes the events of one answer; gives the steps in which its blocks come about."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._omitted = answer.echo.get("display") == "omitted"
        self._queue: deque[_Block] = deque()
        self._calls: dict[int, _Block] = {}
        self._index = 0
        self.called = False
        """A tool was called."""
        self.refused = False
        """The model refused in the words of the API, not its own."""

    def add(self, event: Event) -> list[Step]:
        """Takes the next event. The end is said by :meth:`close`."""
        match event:
            case OutputDelta(text):
                self._write("text", "text", text)
            case ReasoningDelta(text):
                self._write("thinking", "trace", text)
            case SummaryDelta(line):
                # With the trace live in one block, only the whole summary has a place in another.
                if self._answer.reasoning == "summary":
                    self._write("thinking", "summary", f"{line}\n\n")
            case ReasoningSummary(text, closing):
                paragraph = text if self._answer.reasoning == "both" else closing
                if paragraph:
                    self._write("thinking", "summary", f"{paragraph}\n\n")
            case PromptSummary(text):
                if self._omitted:
                    self._write("thinking", "omitted", "")
                elif self._answer.reasoning != "none":
                    self._write("thinking", "prompt", f"{text}\n\n")
                    self._queue[-1].done = True
            case ToolCallDelta(call):
                self._call(call)
            case Extra(delta):
                if isinstance(refusal := delta.get("refusal"), str):
                    self.refused = True
                    self._write("text", "text", refusal)
            case Done() | Failed() | ChoiceEvent():
                pass  # there is one choice, and its end is close()
        return self._steps(closing=False)

    def close(self) -> list[Step]:
        """The answer is over: what waits comes out."""
        return self._steps(closing=True)

    def _write(self, kind: Kind, key: Hashable, text: str) -> None:
        """Adds to the last block if it is the same, else begins another."""
        if not self._queue or self._queue[-1].key != key:
            self._queue.append(_Block(kind, key))
        if text:
            self._queue[-1].waiting.append(text)

    def _call(self, delta: dict[str, Any]) -> None:
        index = delta["index"]
        block = self._calls.get(index)
        if block is None:
            block = self._calls[index] = _Block("tool_use", ("call", index))
            self._queue.append(block)
            self.called = True
        piece = piece_of(delta)
        block.id = block.id or piece.id
        if not block.started:
            block.name += piece.name
        if piece.arguments:
            block.argue(piece.arguments)

    def _steps(self, *, closing: bool) -> list[Step]:
        """Lets the first block grow, and the next one begin where the first is whole."""
        steps: list[Step] = []
        while self._queue:
            block = self._queue[0]
            over = closing or block.done or (len(self._queue) > 1 and block.is_whole())
            if not block.started and (over or block.may_start()):
                block.started = True
                steps.append(Started(self._index, self._head(block)))
            if block.started and block.waiting:
                steps.append(Grown(self._index, "".join(block.waiting)))
                block.waiting.clear()
            if not over:
                break
            steps.append(Stopped(self._index))
            self._queue.popleft()
            self._index += 1
        return steps

    def _head(self, block: _Block) -> dict[str, Any]:
        if block.kind != "tool_use":
            return {"type": block.kind}
        # A call must have an id, because its result will name it.
        id = block.id or f"toolu_{self._answer.id}_{self._index}"
        return {"type": "tool_use", "id": id, "name": block.name}


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, or None. Only white space could follow it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
