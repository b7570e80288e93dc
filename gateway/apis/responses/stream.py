"""`responses`: OpenAI's Responses API.

One reasoning item: part 0 of its summary is the prompt summary, each line of the live account is
the next part, the trace (`raw`, `both`) is its content. Then messages and function calls. Only
events that the SDKs know are sent, and no ids: a comment after one makes openai-python raise.
"""

from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer, Dialect
from gateway.apis.responses.output_items import Items, Sink
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
    ToolCallDelta,
)
from gateway.core.sse import comment, dumps, frame, quote
from gateway.errors import ErrorInfo

_KEEPALIVE_MS = 60_000
"""Some clients' watchdogs count events, and look for one at least every five minutes."""
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Finish reasons of an answer that is not whole → what the API calls them."""
_UNSAID: dict[str, Any] = {
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
}
"""What a response has beside what it repeats of its request."""


class _Silent:
    """The sink of an answer that is not streamed."""

    def event(self, type: str, **members: Any) -> None: ...
    def delta(self, type: str, where: str, text: str) -> None: ...


class Response:
    """The `response` object, which the events of a turn fill; each step goes to `sink`."""

    def __init__(self, answer: Answer, sink: Sink | None = None) -> None:
        self._answer = answer
        self._sink = sink or _Silent()
        self._items = Items(answer, self._sink)
        self._body = {
            "id": f"resp_{answer.id}",
            "object": "response",
            "created_at": answer.created,
            "status": "in_progress",
            "model": answer.model,
            "output": self._items.output,
            **_UNSAID,
            **answer.echo,
        }
        self.error: ErrorInfo | None = None

    def body(self) -> dict[str, Any]:
        """The object as it is now."""
        return self._body

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next events."""
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        items = self._items
        match event:
            case OutputDelta(text):
                items.write("output_text", text)
            case ReasoningDelta(text):
                items.trace(text)
            # Parts end in a blank line, because clients put them together as they are.
            case SummaryDelta(text) | ReasoningSummary(closing=text):
                if text:
                    items.summarize(f"{text}\n\n")
            case PromptSummary(text):
                if self._answer.reasoning != "none":
                    items.summarize(f"{text}\n\n")
            case ToolCallDelta(call):
                items.call(call)
            case Extra():
                self._extra(event)
            case Done():
                self._finish(event)
            case Failed(error):
                self._fail(error)
            case ChoiceEvent():
                pass  # there is one

    def _extra(self, extra: Extra) -> None:
        refusal = extra.delta.get("refusal")
        if refusal and isinstance(refusal, str):
            self._items.write("refusal", refusal)
        logprobs = extra.choice.get("logprobs", {}).get("content")
        if logprobs and isinstance(logprobs, list):
            self._items.rate(logprobs)
        if "service_tier" in extra.chunk:
            self._body["service_tier"] = extra.chunk["service_tier"]

    def _finish(self, done: Done) -> None:
        cut = _CUT.get(done.finish_reason)
        status = "incomplete" if cut else "completed"
        self._items.close(status)
        self._body |= {"status": status, "usage": _usage(token_counts(done, self._answer))}
        if cut:
            self._body["incomplete_details"] = {"reason": cut}
        else:
            seconds = (done.timings.total_ms or 0) // 1000
            self._body["completed_at"] = self._answer.created + seconds
        self._sink.event(f"response.{status}", response=self._body)

    def _fail(self, error: ErrorInfo) -> None:
        self.error = error
        self._items.close("incomplete")
        # Two codes are all that the type of a failed response has.
        limited = error.status == 429
        code = "rate_limit_exceeded" if limited else "server_error"
        said = {"code": error.code, "message": error.message, "param": error.param}
        self._sink.event("error", **said, error={"type": error.type, **said})
        self._body |= {"status": "failed", "error": {"code": code, "message": error.message}}
        self._sink.event("response.failed", response=self._body)


class ResponsesDialect(Dialect):
    waits_for_upstream = True
    whole = Response

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._frames: list[bytes] = []
        self._number = 0
        self._kept_ms = 0
        self._response = Response(answer, self)

    def event(self, type: str, **members: Any) -> None:
        """See Sink."""
        data = {"type": type, "sequence_number": self._number, **members}
        self._frames.append(frame(dumps(data), type))
        self._number += 1

    def delta(self, type: str, where: str, text: str) -> None:
        """See Sink."""
        head = f'{{"type":"{type}","sequence_number":{self._number}'
        self._frames.append(frame(f'{head},{where},"delta":{quote(text)}}}', type))
        self._number += 1

    def begin(self) -> bytes:
        self.event("response.created", response=self._response.body())
        self.event("response.in_progress", response=self._response.body())
        return self._take()

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        self._response.add(events)
        return self._take()

    def heartbeat(self, elapsed_ms: int) -> bytes:
        if elapsed_ms - self._kept_ms >= _KEEPALIVE_MS:
            self._kept_ms = elapsed_ms
            self.event("keepalive")
        return comment("ping") + self._take()

    def _take(self) -> bytes:
        frames, self._frames = self._frames, []
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
