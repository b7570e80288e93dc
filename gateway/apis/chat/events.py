"""`events`: named events with ids, for clients written for the gateway."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.apis.base import Answer, Dialect
from gateway.apis.chat.completion import Completion
from gateway.apis.tool_calls import legacy_call
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
    non_streamed = Completion

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._upstream_timings: Any = None

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(
            frame(data, name, str(number + offset))
            for offset, event in enumerate(events)
            for name, data in self._name_and_data(event)
        )

    def _name_and_data(self, event: Event) -> Iterator[tuple[str, str]]:
        """Yields the name and the data of an event; nothing if the format has no place for it."""
        match event:
            case OutputDelta(text):
                yield "final_output_delta", _text(text)
            case ReasoningDelta(text):
                yield "reasoning_delta", _text(text)
            case SummaryDelta(line):
                yield "reasoning_summary_delta", _text(line + "\n")
            case ReasoningSummary(text):
                yield "reasoning_summary", _text(text)
            case PromptSummary(text, ttft_ms):
                yield "prompt_summary", dumps({"text": text, "ttft_ms": ttft_ms})
            case ToolCallDelta(call):
                yield "tool_call_delta", dumps(_tool_call(call))
            case Extra(delta, chunk=chunk):  # the format has no event for unknown delta fields
                self._upstream_timings = chunk.get("timings", self._upstream_timings)
                if (legacy := legacy_call(delta)) is not None:
                    yield "tool_call_delta", dumps(_tool_call(legacy))
            case Done():
                yield "done", dumps(_done(event, self._upstream_timings))
            case Failed(error):
                yield "failed", dumps(error.body())
            case Thoughts() | ChoiceEvent():
                pass  # neither has a place: there is only one choice

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return frame(f'{{"elapsed_ms":{elapsed_ms}}}', "heartbeat")


def _done(done: Done, upstream_timings: Any) -> dict[str, Any]:
    data = {
        "finish_reason": done.finish_reason,
        "usage": done.total_usage,
        "timings": msgspec.to_builtins(done.timings),
    }
    return data if upstream_timings is None else data | {"upstream_timings": upstream_timings}


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
