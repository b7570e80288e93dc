"""The non-streamed answer: collects the events of a turn into one `chat.completion`."""

from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer
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
from gateway.errors import ErrorInfo


class Completion:
    """A `chat.completion` under construction.

    After the last event either `error` is set or :meth:`body` returns the object.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._has_trace = answer.reasoning in ("raw", "both")
        self._prompt_summary = ""
        self._summary: str | None = None
        self._trace: list[str] = []
        self._content: list[str] = []
        self._tool_calls: dict[int, dict[str, Any]] = {}
        self._message_members: dict[str, Any] = {}
        self._choice_members: dict[str, Any] = {"logprobs": None}
        self._body_members: dict[str, Any] = {}
        self._done: Done | None = None
        self._thoughts: Thoughts | None = None
        self._choices: dict[int, Completion] = {}
        self.error: ErrorInfo | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Adds the next events."""
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
                    self._add_tool_call(call)
                case Extra(delta, choice, chunk):
                    for name, value in delta.items():
                        _append(self._message_members, name, value)
                    for name, value in choice.items():
                        if name == "logprobs":
                            _append(self._choice_members, name, value)
                        else:
                            self._choice_members[name] = value
                    self._body_members |= chunk
                case Done():
                    self._done = event
                case Failed(error):
                    self.error = error
                case ChoiceEvent(index, inner):
                    self._choices.setdefault(index, Completion(self._answer)).add([inner])
                case Thoughts():
                    self._thoughts = event
                case SummaryDelta():
                    pass  # ReasoningSummary has the final text

    def body(self) -> dict[str, Any]:
        """Returns the `chat.completion` object."""
        assert self._done is not None, "the turn is not done"
        choices = [self._choices[index] for index in sorted(self._choices)] or [self]
        body: dict[str, Any] = {
            "id": f"chatcmpl-{self._answer.id}",
            "object": "chat.completion",
            "created": self._answer.created,
            "model": self._answer.model,
            "choices": [choice._choice(index) for index, choice in enumerate(choices)],
            "phases": choices[0]._phases(),
            **choices[0]._body_members,
        }
        if len(choices) > 1:
            for choice, choice_object in zip(choices, body["choices"], strict=True):
                choice_object["phases"] = choice._phases()
        usage = self._done.total_usage
        return body if usage is None else body | {"usage": usage}

    def _choice(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._content) if self._content or not self._tool_calls else None,
        }
        reasoning = "".join(self._trace) if self._has_trace else self._summary
        if reasoning is not None:
            message |= {"reasoning_content": reasoning, "reasoning": reasoning}
        if self._tool_calls:
            message["tool_calls"] = [_joined(call) for _, call in sorted(self._tool_calls.items())]
        if self._thoughts is not None and self._answer.seal is not None:
            message["reasoning_details"] = [sealed_block(self._answer, self._thoughts)]
        return {
            "index": index,
            "message": message | _joined(self._message_members),
            "finish_reason": self._done.finish_reason if self._done else None,
            **self._choice_members,
            "logprobs": _joined(self._choice_members["logprobs"]) or None,
        }

    def _phases(self) -> dict[str, Any]:
        phases = {"prompt_summary": self._prompt_summary, "reasoning_summary": self._summary}
        if self._done is not None and self._done.thinking_ended is not None:
            phases["thinking_ended"] = self._done.thinking_ended
        return phases | {"reasoning": "".join(self._trace)} if self._has_trace else phases

    def _add_tool_call(self, delta: dict[str, Any]) -> None:
        call = self._tool_calls.setdefault(delta["index"], {})
        for name, value in delta.items():
            if name != "index":
                _append(call, name, value)


_NAMES = frozenset({"id", "type", "role", "format"})
"""Members whose deltas repeat the value; those of other members continue it."""


class _Text:
    """A text that arrives in pieces. Adding strings would copy the whole text for each piece."""

    def __init__(self, piece: str) -> None:
        self.pieces = [piece]


def _append(target: dict[str, Any], name: str, value: Any) -> None:
    """Adds a delta to a member: strings and lists are joined, objects member by member.

    Any other value replaces the last one, but nothing replaces an object. :func:`_joined` returns
    the members in the form of the answer.
    """
    last = target.get(name)
    if value is None or (isinstance(last, dict) and not isinstance(value, dict)):
        return
    if isinstance(value, dict):
        if not isinstance(last, dict):
            last = target[name] = {}
        for member, piece in value.items():
            _append(last, member, piece)
    elif isinstance(value, list):
        if isinstance(last, list):
            last.extend(value)
        else:
            target[name] = list(value)  # the event's own list stays as it is
    elif isinstance(last, _Text) and isinstance(value, str):
        last.pieces.append(value)
    elif value != "" or name not in target:
        is_text = isinstance(value, str) and name not in _NAMES
        target[name] = _Text(value) if is_text else value


def _joined(value: Any) -> Any:
    """Returns a value of :func:`_append` with its texts joined."""
    if isinstance(value, dict):
        return {name: _joined(member) for name, member in value.items()}
    return "".join(value.pieces) if isinstance(value, _Text) else value
