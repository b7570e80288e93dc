"""`events`: named events with ids, for clients written for the gateway."""

from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer, Dialect
from gateway.apis.chat.completion import Completion
from gateway.apis.chat.figures import figures_of
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
from gateway.core.sse import dumps, frame, quote


class EventsDialect(Dialect):
    """Encodes an event as a named SSE event, with the event's number as its id."""

    non_streamed = Completion

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._upstream_timings: Any = None

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        found = enumerate(map(self._name_and_data, events), number)
        return b"".join([frame(named[1], named[0], str(at)) for at, named in found if named])

    def _name_and_data(self, event: Event) -> tuple[str, str] | None:
        """Returns the name and the data of an event, or None if the format has no place for it."""
        match event:
            case OutputDelta(text):
                return "final_output_delta", _text(text)
            case ReasoningDelta(text):
                return "reasoning_delta", _text(text)
            case SummaryDelta(line):
                return "reasoning_summary_delta", _text(line + "\n")
            case ReasoningSummary(text):
                return "reasoning_summary", _text(text)
            case PromptSummary(text, ttft_ms, continues):
                more = {"continues": True} if continues else {}
                return "prompt_summary", dumps({"text": text, "ttft_ms": ttft_ms, **more})
            case ToolCallDelta(call):
                return "tool_call_delta", dumps(_tool_call(call))
            case Done():
                return "done", dumps(_done(event, self._upstream_timings))
            case Failed(error):
                return "failed", dumps(error.body())
            case Extra(delta, chunk=chunk):
                self._upstream_timings = chunk.get("timings", self._upstream_timings)
                return self._extra(delta)
            case Thoughts() | ChoiceEvent():
                return None  # neither has a place: there is only one choice

    def _extra(self, delta: dict[str, Any]) -> tuple[str, str] | None:
        """Returns the event of a call in OpenAI's old form; None for other members.

        The call keeps that form if the request has the old form too.
        """
        function = delta.get("function_call")
        if not isinstance(function, dict):
            return None
        if self.answer.echo.get("functions"):
            return "function_call_delta", dumps(function)
        return "tool_call_delta", dumps(_tool_call({"index": 0, "function": function}))

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return frame(f'{{"elapsed_ms":{elapsed_ms}}}', "heartbeat")


def _done(done: Done, upstream_timings: Any) -> dict[str, Any]:
    data = {
        "finish_reason": done.finish_reason,
        "usage": done.total_usage,
        **figures_of(done),
    }
    return data if upstream_timings is None else {**data, "upstream_timings": upstream_timings}


def _text(text: str) -> str:
    return f'{{"text":{quote(text)}}}'


def _tool_call(call: dict[str, object]) -> dict[str, object]:
    function = call.get("function") or call.get("custom")
    function = function if isinstance(function, dict) else {}
    data = {
        "index": call["index"],
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
        "input": function.get("input"),
    }
    return {key: value for key, value in data.items() if value is not None}
