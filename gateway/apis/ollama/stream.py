"""`ollama`: lines of JSON, each a whole message of Ollama's API.

The summaries are in `thinking`, and a line has thinking, text or tool calls. For example, without
the members that all lines have:

    {"message":{"role":"assistant","content":"","thinking":"What is 2+2?\\n\\n"},"done":false}
    {"message":{"role":"assistant","content":"","thinking":"I add.\\n\\n"},"done":false}
    {"message":{"role":"assistant","content":"The answer is 4."},"done":false}
    {"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",…}

In `/api/generate`, the text is in `response`, and the thinking beside it.

Clients are strict: `content` is always a text, the arguments of a call are an object, and an error
is a text. A blank line makes ollama-python fail, so a heartbeat is a line without text. Some
clients overlook the line with the error, so the body is cut after it. JSON in ASCII keeps U+0085,
U+2028 and U+2029 out of the lines: ollama-python splits lines at them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.apis.base import Answer, Dialect
from gateway.apis.json_texts import is_object, parse_object
from gateway.apis.tool_calls import legacy_call, read_call_delta
from gateway.apis.usage import token_counts
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
from gateway.core.sse import dumps, quote
from gateway.errors import ErrorInfo

GENERATE = "generate"
"""The member of `Answer.echo` that marks an answer of `/api/generate`."""
_NS_A_MS = 1_000_000


class Pieces:
    """Finds the text that each event adds, and the member of the message that it belongs to."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        # In `both` the thinking is the trace, so the summary has its own member.
        self._summary = "reasoning_summary" if answer.reasoning == "both" else "thinking"
        self._calls: dict[int, _Call] = {}

    def of(self, event: Event) -> tuple[str, str]:
        """Returns the member and the text to add to it; ("", "") for nothing."""
        match event:
            case OutputDelta(text):
                return "content", text
            case ReasoningDelta(text):
                return "thinking", text
            case SummaryDelta(line):
                return self._summary, f"{line}\n\n"
            case ReasoningSummary(closing=closing) if closing:
                return self._summary, f"{closing}\n\n"
            case PromptSummary(text, continues=False) if self._answer.reasoning != "none":
                return "thinking", f"{text}\n\n"
            case Extra(delta) if isinstance(refusal := delta.get("refusal"), str):
                return "content", refusal
            case ToolCallDelta(call):
                self._add_call(call)
            case Extra(delta):
                legacy = legacy_call(delta, tools=bool(self._answer.echo.get("tools")))
                if legacy is not None:
                    self._add_call(legacy)
            case Done() | Failed():
                pass  # the dialect ends the answer
            case PromptSummary() | ReasoningSummary() | Thoughts() | ChoiceEvent():
                pass  # nothing to show: the API has no field for a seal, and one choice
        return "", ""

    def calls(self, done: Done) -> list[dict[str, Any]]:
        """Returns the tool calls of a complete answer, without one that a limit has cut."""
        is_cut = meaning_of(done.finish_reason) not in ("finished", "calls", "unknown")
        return [
            call.body(f"call_{self._answer.id}_{index}", index)
            for index, call in sorted(self._calls.items())
            if call.is_complete or not is_cut
        ]

    def _add_call(self, call: dict[str, Any]) -> None:
        self._calls.setdefault(call["index"], _Call()).add(call)


class _Call:
    """A tool call under construction."""

    def __init__(self) -> None:
        self._id = self._name = ""
        self._arguments: list[str] = []

    def add(self, call: dict[str, Any]) -> None:
        delta = read_call_delta(call)
        self._id = self._id or delta.id
        self._name += delta.name
        self._arguments.append(delta.arguments)

    @property
    def is_complete(self) -> bool:
        return is_object("".join(self._arguments))

    def body(self, default_id: str, index: int) -> dict[str, Any]:
        text = "".join(self._arguments)
        arguments = parse_object(text if text.strip() else "{}")
        if arguments is None:  # as Anthropic's documentation proposes
            arguments = {"INVALID_JSON": text}
        function = {"index": index, "name": self._name, "arguments": arguments}
        return {"id": self._id or default_id, "function": function}


class OllamaObject:
    """The non-streamed answer: one line with the whole answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._pieces = Pieces(answer)
        self._texts: dict[str, list[str]] = {"content": []}
        self._logprobs: list[Any] = []
        self._done: Done | None = None
        self.error: ErrorInfo | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Adds the next events."""
        for event in events:
            member, text = self._pieces.of(event)
            if member:
                self._texts.setdefault(member, []).append(text)
            if isinstance(event, Extra):
                self._logprobs += _logprobs(event)
            elif isinstance(event, Done):
                self._done = event
            elif isinstance(event, Failed):
                self.error = event.error

    def body(self) -> dict[str, Any]:
        """Returns the line."""
        assert self._done is not None, "the turn is not done"
        members: dict[str, Any] = {name: "".join(texts) for name, texts in self._texts.items()}
        if calls := self._pieces.calls(self._done):
            members["tool_calls"] = calls
        body = head(self._answer) | message(self._answer, members) | _end(self._done, self._answer)
        return body | {"logprobs": self._logprobs} if self._logprobs else body


class OllamaDialect(Dialect):
    """Encodes an event as a line of JSON."""

    content_type = "application/x-ndjson"
    waits_for_upstream = True
    cuts_after_error = True
    non_streamed = OllamaObject

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._pieces = Pieces(answer)
        self._head = dumps(head(answer))[:-1]
        if answer.echo.get(GENERATE):
            before, between, self._after = ',"response":"', '","', ',"done":false}\n'
            self._text = f'{self._head},"response":'
        else:
            before, between = ',"message":{"role":"assistant","content":"', '","'
            self._after = '},"done":false}\n'
            self._text = f'{self._head},"message":{{"role":"assistant","content":'
        self._beside = f"{self._head}{before}{between}"
        self._empty = f'{self._text}""{self._after}'.encode()

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        if len(events) == 1:
            return self._encode(events[0])  # the usual case
        return b"".join(map(self._encode, events))

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return self._empty

    def _encode(self, event: Event) -> bytes:
        member, text = self._pieces.of(event)
        if member == "content":
            return f"{self._text}{quote(text)}{self._after}".encode()
        if member:
            return f'{self._beside}{member}":{quote(text)}{self._after}'.encode()
        match event:
            case Extra() if logprobs := _logprobs(event):
                return self._line({}, {"done": False, "logprobs": logprobs})
            case Done():
                calls = self._pieces.calls(event)
                before = self._line({"tool_calls": calls}, {"done": False}) if calls else b""
                return before + self._line({}, _end(event, self.answer))
            case Failed(error):
                return f"{dumps(_error(error))}\n".encode()
        return b""

    def _line(self, members: dict[str, Any], more: dict[str, Any]) -> bytes:
        line = message(self.answer, {"content": "", **members}) | more
        return f"{self._head},{dumps(line)[1:]}\n".encode()

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        return "application/json", dumps(_error(error))


def head(answer: Answer) -> dict[str, Any]:
    """Returns the first members of all lines of an answer."""
    return {"model": answer.model, "created_at": date(answer.created)}


def date(unix_s: int) -> str:
    """Returns a time in RFC 3339, as Ollama writes it."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def message(answer: Answer, members: dict[str, Any]) -> dict[str, Any]:
    """Returns the members of a line that hold its texts, for `/api/chat` or `/api/generate`."""
    if not answer.echo.get(GENERATE):
        return {"message": {"role": "assistant", **members}}
    return {"response": members["content"]} | {k: v for k, v in members.items() if k != "content"}


def _end(done: Done, answer: Answer) -> dict[str, Any]:
    """Returns the members of the last line: the reason of the end, tokens, times in nanoseconds."""
    counts = token_counts(done, answer)
    timings = done.timings
    begun = (timings.first_reasoning_ms, timings.first_output_ms)
    total_ms = timings.total_ms or 0
    first_ms = min((ms for ms in begun if ms is not None), default=total_ms)
    return {
        "done": True,
        "done_reason": "length" if meaning_of(done.finish_reason) == "length" else "stop",
        "total_duration": total_ms * _NS_A_MS,
        "load_duration": 0,
        "prompt_eval_count": counts.prompt,
        "prompt_eval_duration": first_ms * _NS_A_MS,
        "eval_count": counts.output,
        "eval_duration": (total_ms - first_ms) * _NS_A_MS,
    }


def _logprobs(extra: Extra) -> list[Any]:
    """Returns the logprobs of an event. OpenAI's items have the form of Ollama's."""
    logprobs = extra.choice.get("logprobs")
    found = logprobs.get("content") if isinstance(logprobs, dict) else None
    return found if isinstance(found, list) else []


def _error(error: ErrorInfo) -> dict[str, str]:
    return {"error": error.message}
