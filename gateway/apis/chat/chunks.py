"""The base of the dialects made of OpenAI chunks: the chunk, its phase, and the end.

Every chunk is a full `chat.completion.chunk` with one choice, even one that only carries a phase:
simple clients read `choices[0].delta` of everything.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from gateway.apis.base import Answer, Dialect
from gateway.apis.chat.completion import Completion
from gateway.apis.chat.figures import figures_of
from gateway.apis.chat.sealed import sealed_block
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
from gateway.core.sse import DONE, dumps, frame, quote

PROMPT_SUMMARY = "prompt_summary"
REASONING = "reasoning"
REASONING_SUMMARY = "reasoning_summary"
FINAL_OUTPUT = "final_output"

_END = frame(DONE.decode())
_LASTING = frozenset({"system_fingerprint", "service_tier"})
"""Members of the upstream's chunks that are repeated in each chunk; others are sent once."""


class ChunkDialect(Dialect):
    """Encodes events as chunks. A dialect chooses the deltas for the summaries and the trace."""

    non_streamed = Completion
    shows_timings: ClassVar[bool]

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._index = 0
        self._choices: dict[int, ChunkDialect] = {}
        self._phase = ""
        self._members: dict[str, Any] = {
            "id": f"chatcmpl-{answer.id}",
            "object": "chat.completion.chunk",
            "created": answer.created,
            "model": answer.model,
        }
        self._head = dumps(self._members)[:-1]
        self._once: dict[str, Any] = {}
        """Unknown members of the upstream's chunks, for the next chunk."""
        self._choice_once: dict[str, Any] = {}
        """Unknown members of the upstream's choice, for the next chunk."""
        self._seals = 0
        self._held_details: dict[str, Any] = {}
        """The member `reasoning_details` for the delta of the tool call that follows."""

    def prompt_summary(self, event: PromptSummary) -> bytes:
        """Returns the chunks for the first event. Their first delta has the role."""
        raise NotImplementedError

    def summary(self, line: str) -> str:
        """Returns the delta for a live line, as JSON."""
        raise NotImplementedError

    def end_summary(self, closing: str) -> str:
        """Returns the delta for the end of the summary; "" for none.

        closing: see ReasoningSummary.
        """
        raise NotImplementedError

    def trace(self, text: str) -> str:
        """Returns the delta for a piece of the trace."""
        raise NotImplementedError

    def enter(self, phase: str) -> bytes:
        """Returns the bytes before the first chunk of a phase."""
        return b""

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        if len(events) == 1:
            return self._encode(events[0])  # the usual case
        return b"".join(map(self._encode, events))

    def chunk_in(self, phase: str, delta: str, *, choice: str = "", more: str = "") -> bytes:
        """Returns a chunk of a phase; :meth:`enter` comes before the first. See :meth:`chunk`."""
        chunk = self.chunk(delta, phase, choice=choice, more=more)
        if phase == self._phase:
            return chunk
        self._phase = phase
        return self.enter(phase) + chunk

    def chunk(
        self, delta: str, phase: str, *, event: str = "", choice: str = "", more: str = ""
    ) -> bytes:
        """Returns one chunk.

        delta: a JSON object. choice, more: JSON of further members of the choice and of the chunk,
        with a leading comma.
        """
        if self._once or self._choice_once:
            choice += _members(self._choice_once)
            more += _members(self._once)
            self._choice_once, self._once = {}, {}
        data = (
            f'{self._head},"choices":[{{"index":{self._index},"delta":{delta}{choice},'
            f'"finish_reason":null}}],"phase":"{phase}"{more}}}'
        )
        return frame(data, event)

    def _encode(self, event: Event) -> bytes:
        match event:
            case OutputDelta(text):
                return self.chunk_in(FINAL_OUTPUT, f'{{"content":{quote(text)}}}')
            case ReasoningDelta(text):
                # The phase does not go back if the model thinks again after it began to answer.
                late = self._phase == FINAL_OUTPUT
                return self.chunk_in(FINAL_OUTPUT if late else REASONING, self.trace(text))
            case SummaryDelta(line):
                return self.chunk_in(REASONING_SUMMARY, self.summary(line))
            case ReasoningSummary(closing=closing):
                delta = self.end_summary(closing)
                return self.chunk_in(REASONING_SUMMARY, delta) if delta else b""
            case PromptSummary():
                return self.prompt_summary(event)
            case ToolCallDelta(call):
                details, self._held_details = self._held_details, {}
                return self.chunk_in(FINAL_OUTPUT, dumps({"tool_calls": [call], **details}))
            case Thoughts():
                return self._sealed(event)
            case Extra():
                return self._extra(event)
            case ChoiceEvent(index, Done() as done):
                return self._choice(index)._finish(done)
            case ChoiceEvent(index, event):
                return self._choice(index)._encode(event)
            case Done():
                finish = b"" if self._choices else self._finish(event)
                return finish + self._usage(event) + _END
            case Failed(error):
                return frame(dumps(error.body())) + _END

    def _sealed(self, thoughts: Thoughts) -> bytes:
        """Returns the chunk with the sealed thoughts, or holds them for the tool call that follows:
        clients find the thoughts of a call only in its own delta."""
        if self.answer.seal is None:
            return b""
        details = {"reasoning_details": [sealed_block(self.answer, thoughts, self._seals)]}
        self._seals += 1
        if thoughts.call_id:
            self._held_details = details
            return b""
        return self.chunk(dumps(details), self._phase)

    def _extra(self, extra: Extra) -> bytes:
        if lasting := {name: extra.chunk[name] for name in _LASTING if name in extra.chunk}:
            self._members |= lasting
            self._head = dumps(self._members)[:-1]
        for name in extra.chunk.keys() - _LASTING:
            is_ours = name == "timings" and self.shows_timings
            self._once[f"upstream_{name}" if is_ours else name] = extra.chunk[name]
        self._choice_once |= extra.choice
        if not extra.delta and "logprobs" not in extra.choice:
            return b""
        return self.chunk_in(FINAL_OUTPUT if extra.answers else self._phase, dumps(extra.delta))

    def _choice(self, index: int) -> "ChunkDialect":
        """Returns the dialect of one of several choices: each has its own phase."""
        if index not in self._choices:
            self._choices[index] = type(self)(self.answer)
            self._choices[index]._index = index
        return self._choices[index]

    def _finish(self, done: Done) -> bytes:
        """Returns the chunk with the finish reason."""
        more: dict[str, Any] = {"phase": FINAL_OUTPUT, **self._once}
        if self.shows_timings:
            more |= figures_of(done)
        choice = {"index": self._index, "delta": {}, "finish_reason": done.finish_reason}
        choice |= self._choice_once
        finish = frame(f'{self._head},"choices":[{dumps(choice)}],{dumps(more)[1:]}')
        return self.enter(FINAL_OUTPUT) + finish

    def _usage(self, done: Done) -> bytes:
        """Returns the chunk with the usage, if the client asked for it and it is known."""
        usage = done.total_usage
        if not self.answer.include_usage or usage is None:
            return b""
        return frame(f'{self._head},"choices":[],"usage":{dumps(usage)}}}')


def _members(members: dict[str, Any]) -> str:
    """Returns the JSON of further members of an object, with a leading comma."""
    return f",{dumps(members)[1:-1]}" if members else ""
