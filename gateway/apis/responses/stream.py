"""`responses`: the answers of OpenAI's Responses API.

Part 0 of the first reasoning item's summary is the prompt summary; each line of the reasoning
summary is another part. The item's content is the trace (`raw`, `both`). Then come messages and
function calls. For example:

    response.created, response.in_progress
    item 0, reasoning         summary: "What is 2+2?\\n\\n", "I add.\\n\\n", "It is 4.\\n\\n"
    item 1, message           "The answer is 4."
    response.completed        the whole response

gateway.apis.responses.output_items explains the events of an item. OpenAI's SDKs know all of these
events. Events have no SSE ids: openai-python raises an error at a comment that follows an id.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.apis.base import Answer, Dialect
from gateway.apis.responses.compaction import compaction_item
from gateway.apis.responses.output_items import EventWriter, OutputItems
from gateway.apis.tool_calls import legacy_call
from gateway.apis.usage import TokenCounts, token_counts
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
from gateway.core.finish_reasons import meaning_of
from gateway.core.sse import comment, dumps, frame, quote
from gateway.errors import Cancelled, ErrorInfo, StreamLost, UpstreamBroke

_KEEPALIVE_MS = 60_000
"""Milliseconds between keepalive events: some clients give up after five minutes without an event,
and do not count comments."""
_INCOMPLETE_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reason → the API's reason for an incomplete response."""
_DEFAULTS: dict[str, Any] = {
    "background": False,
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
    "previous_response_id": None,
    "store": False,
    "truncation": "disabled",
    "usage": None,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "metadata": {},
    "instructions": None,
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Members of a response; those that echo the request override them.

Strict clients want a number for each sampling parameter; these are OpenAI's defaults.
"""


COMPLETED_AT_LENGTH = "completed_at_length"
"""A key of `Answer.echo`: an answer that reached its length limit counts as completed."""
COMPACTION = "compaction"
"""A key of `Answer.echo`: the answer is the summary for an item `compaction`."""
KEPT_MESSAGES = "kept_messages"
"""A key of `Answer.echo`: the messages beside that item in the answer of /compact."""
_OWN_KEYS = (COMPLETED_AT_LENGTH, COMPACTION, KEPT_MESSAGES)


class _NullWriter:
    """Drops the events: the answer is not streamed."""

    def write_event(self, type: str, **members: Any) -> None: ...
    def write_delta(self, type: str, location: str, text: str) -> None: ...


class ResponseObject:
    """Collects the events of a turn into one `response`, and writes each step to `writer`.

    The `response` is the non-streamed answer; the last event of a streamed answer contains it.
    """

    def __init__(self, answer: Answer, writer: EventWriter | None = None) -> None:
        self._answer = answer
        self._writer = writer or _NullWriter()
        self._items = OutputItems(answer, self._writer)
        self._body = {
            "id": f"resp_{answer.id}",
            "object": "response",
            "created_at": answer.created,
            "status": "queued" if answer.echo.get("background") else "in_progress",
            "model": answer.model,
            "output": self._items.output,
            **_DEFAULTS,
            **{name: value for name, value in answer.echo.items() if name not in _OWN_KEYS},
        }
        self._add = self._add_to_compaction if answer.echo.get(COMPACTION) else self._add_item
        self._compaction: list[str] = []
        """The pieces of the summary, in a compaction."""
        self.error: ErrorInfo | None = None

    def begin(self) -> None:
        """The model has been called: the status is no longer `queued`."""
        self._body["status"] = "in_progress"

    def body(self) -> dict[str, Any]:
        """Returns the `response` object in its present state."""
        kept = self._answer.echo.get(KEPT_MESSAGES)
        if kept is None:
            return self._body
        own = {name: self._body[name] for name in ("id", "created_at", "model", "usage")}
        output = [*kept, *self._items.output]
        return {**own, "object": "response.compaction", "output": output}

    def add(self, events: Sequence[Event]) -> None:
        """Adds the next events."""
        for event in events:
            self._add(event)

    def _add_to_compaction(self, event: Event) -> None:
        match event:
            case OutputDelta(text):
                self._compaction.append(text)
            case Done():
                self._finish_compaction(event, "".join(self._compaction).strip())
            case ToolCallDelta() | Extra():
                pass
            case _:
                self._add_item(event)

    def _add_item(self, event: Event) -> None:
        items = self._items
        match event:
            case OutputDelta(text):
                items.add_text(text)
            case ReasoningDelta(text):
                items.add_reasoning(text)
            # Parts end in a blank line, because clients join them without a separator.
            case SummaryDelta(text) | ReasoningSummary(closing=text):
                if text:
                    items.add_summary(f"{text}\n\n")
            case PromptSummary(text, continues=continues):
                if self._answer.reasoning != "none" and not continues:
                    items.add_summary(f"{text}\n\n")
            case ToolCallDelta(call):
                items.add_call(call)
            case Extra():
                self._add_extra(event)
            case Done():
                self._finish(event)
            case Failed(error):
                self._fail(error)
            case Thoughts(record):
                if self._answer.seal is not None:
                    items.add_seal(self._answer.seal(record))
            case ChoiceEvent():
                pass  # there is only one choice

    def _add_extra(self, extra: Extra) -> None:
        refusal = extra.delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._items.add_refusal(refusal)
        if (
            call := legacy_call(extra.delta, tools=bool(self._answer.echo.get("tools")))
        ) is not None:
            self._items.add_call(call)
        logprobs = extra.choice.get("logprobs", {}).get("content")
        if logprobs and isinstance(logprobs, list):
            self._items.add_logprobs(logprobs)
        if "service_tier" in extra.chunk:
            self._body["service_tier"] = extra.chunk["service_tier"]

    def _finish_compaction(self, done: Done, summary: str) -> None:
        if not summary:
            self._fail(UpstreamBroke("The model wrote no summary of the conversation.").info)
            return
        self._items.add_whole(compaction_item(f"cmp_{self._answer.id}", summary))
        # A summary that reached its length limit is better than none.
        self._finish(msgspec.structs.replace(done, finish_reason="stop"))

    def _finish(self, done: Done) -> None:
        incomplete_reason = _INCOMPLETE_REASONS.get(done.finish_reason)
        if done.finish_reason == "length" and self._answer.echo.get(COMPLETED_AT_LENGTH):
            incomplete_reason = None
        status = "incomplete" if incomplete_reason else "completed"
        self._items.close(status)
        self._body |= {"status": status, "usage": _usage(token_counts(done, self._answer))}
        if incomplete_reason:
            self._body["incomplete_details"] = {"reason": incomplete_reason}
        else:
            if meaning_of(done.finish_reason) == "unknown":
                self._body["incomplete_details"] = {"reason": done.finish_reason}
            seconds = (done.timings.total_ms or 0) // 1000
            self._body["completed_at"] = self._answer.created + seconds
        self._writer.write_event(f"response.{status}", response=self._body)

    def _fail(self, error: ErrorInfo) -> None:
        self.error = error
        if error.code == Cancelled.code:
            # The API has no event for this status, and its response has no output.
            self._body |= {"status": "cancelled", "output": []}
            self._writer.write_event("response.failed", response=self._body)
            return
        self._items.break_off()
        members = {"code": error.code, "message": error.message, "param": error.param}
        self._writer.write_event("error", **members, error={"type": error.type, **members})
        # The API defines only these two codes for a failed response.
        code = "rate_limit_exceeded" if error.status == 429 else "server_error"
        self._body |= {"status": "failed", "error": {"code": code, "message": error.message}}
        self._writer.write_event("response.failed", response=self._body)


class ResponsesDialect(Dialect):
    """Encodes each step of a :class:`ResponseObject` as an event."""

    waits_for_upstream = True
    non_streamed = ResponseObject

    def __init__(self, answer: Answer, skip: int = 0) -> None:
        """skip: the number of events at the start that the client already has."""
        super().__init__(answer)
        self._skip = skip
        self._frames: list[bytes] = []
        self._sequence_number = 0
        self._last_keepalive_ms = 0
        self._response = ResponseObject(answer, self)

    def write_event(self, type: str, **members: Any) -> None:
        """See EventWriter."""
        data = {"type": type, "sequence_number": self._sequence_number, **members}
        self._frames.append(frame(dumps(data), type))
        self._sequence_number += 1

    def write_delta(self, type: str, location: str, text: str) -> None:
        """See EventWriter."""
        head = f'{{"type":"{type}","sequence_number":{self._sequence_number}'
        self._frames.append(frame(f'{head},{location},"delta":{quote(text)}}}', type))
        self._sequence_number += 1

    def begin(self) -> bytes:
        self.write_event("response.created", response=self._response.body())
        self._response.begin()
        self.write_event("response.in_progress", response=self._response.body())
        return self._take_frames()

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        self._response.add(events)
        if self._skip and events:
            last = events[-1]
            if isinstance(last, Failed) and last.error.code == StreamLost.code:
                # The client may have more events than the rest of the stream. It needs the end.
                self._skip = min(self._skip, len(self._frames) - 1)
        return self._take_frames()

    def heartbeat(self, elapsed_ms: int) -> bytes:
        if elapsed_ms - self._last_keepalive_ms >= _KEEPALIVE_MS:
            self._last_keepalive_ms = elapsed_ms
            # It does not take a new number, so that the stream has the same ones if read again.
            self._sequence_number -= 1
            self.write_event("keepalive")
        return comment("ping") + self._take_frames()

    def _take_frames(self) -> bytes:
        frames, self._frames = self._frames, []
        if self._skip:
            had = min(self._skip, len(frames))
            self._skip -= had
            frames = frames[had:]
        return b"".join(frames)


def _usage(counts: TokenCounts) -> dict[str, Any]:
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.prompt + counts.output,
        **counts.extra_members("reasoning_tokens"),
    }
