"""The answer that is not streamed: all events of a turn as one `chat.completion`."""

from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer
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
from gateway.errors import ErrorInfo


class Completion:
    """Collects events; `error` is set when the turn failed, else :meth:`body` is the answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._has_trace = answer.reasoning in ("raw", "both")
        self._prompt_summary = ""
        self._summary: str | None = None
        self._trace: list[str] = []
        self._content: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._extra: dict[str, Any] = {}
        self._logprobs: dict[str, Any] = {}
        self._of_answer: dict[str, Any] = {}
        self._done: Done | None = None
        self._choices: dict[int, Completion] = {}
        self.error: ErrorInfo | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next events."""
        for event in events:
            match event:
                case OutputDelta(text):
                    self._content.append(text)
                case ReasoningDelta(text):
                    self._trace.append(text)
                case ReasoningSummary(text):
                    self._summary = text
                case PromptSummary(text):
                    self._prompt_summary = text
                case ToolCallDelta(call):
                    self._tool_call(call)
                case Extra(delta, choice, chunk):
                    for target, members in (
                        (self._extra, delta),
                        (self._logprobs, choice.get("logprobs") or {}),
                        (self._of_answer, chunk),
                    ):
                        for name, value in members.items():
                            _append(target, name, value)
                case Done():
                    self._done = event
                case Failed(error):
                    self.error = error
                case ChoiceEvent(index, inner):
                    self._choices.setdefault(index, Completion(self._answer)).add([inner])
                case SummaryDelta():
                    pass  # the summary proper says it better

    def body(self) -> dict[str, Any]:
        """The `chat.completion` object."""
        assert self._done is not None, "the turn has not ended well"
        choices = [self._choices[index] for index in sorted(self._choices)] or [self]
        body: dict[str, Any] = {
            "id": f"chatcmpl-{self._answer.id}",
            "object": "chat.completion",
            "created": self._answer.created,
            "model": self._answer.model,
            "choices": [choice._choice(index) for index, choice in enumerate(choices)],
            "phases": choices[0]._phases(),
            **choices[0]._of_answer,
        }
        if len(choices) > 1:
            for choice, of_body in zip(choices, body["choices"], strict=True):
                of_body["phases"] = choice._phases()
        usage = self._done.total_usage
        return body if usage is None else body | {"usage": usage}

    def _choice(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._content) if self._content or not self._tool_calls else None,
        }
        shown = "".join(self._trace) if self._has_trace else self._summary
        if shown is not None:
            message |= {"reasoning_content": shown, "reasoning": shown}
        if self._tool_calls:
            message["tool_calls"] = [self._tool_calls[i] for i in sorted(self._tool_calls)]
        return {
            "index": index,
            "message": message | self._extra,
            "finish_reason": self._done.finish_reason if self._done else None,
            "logprobs": self._logprobs or None,
        }

    def _phases(self) -> dict[str, Any]:
        phases = {"prompt_summary": self._prompt_summary, "reasoning_summary": self._summary}
        return phases | {"reasoning": "".join(self._trace)} if self._has_trace else phases

    def _tool_call(self, delta: dict[str, Any]) -> None:
        call = self._tool_calls.setdefault(delta["index"], {})
        for name, value in delta.items():
            if name == "function":
                function = call.setdefault("function", {})
                for member, piece in value.items() if isinstance(value, dict) else ():
                    _append(function, member, piece)
            elif name != "index" and value is not None:
                call[name] = value


def _append(target: dict[str, Any], name: str, value: Any) -> None:
    """Deltas of text or of a list are pieces of one; of anything else the last one counts."""
    if isinstance(value, list) and isinstance(target.setdefault(name, []), list):
        target[name].extend(value)
    elif isinstance(value, str) and isinstance(target.get(name), str):
        target[name] += value
    elif value is not None:
        target[name] = value
