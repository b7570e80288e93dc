"""`messages`: Anthropic's Messages API.

Thinking block 0 is the prompt summary, block 1 the summary of the reasoning, which grows while the
model thinks (`raw`: the trace; `both`: the trace, then the whole summary as a block of its own).
Then text and tool calls. No event is sent that Anthropic's own SDKs do not know: some clients give
up at one. An error has no `message_stop` after it.
"""

import base64
from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer, Dialect
from gateway.apis.messages.content_blocks import Blocks, Grown, Started, Step, Stopped, read_object
from gateway.apis.usage import token_counts
from gateway.core.events import Done, Event, Failed
from gateway.core.sse import dumps, frame, quote
from gateway.errors import ErrorInfo

_STOP_REASONS = {
    "length": "max_tokens",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_DELTAS = {
    "thinking": ("thinking_delta", "thinking"),
    "text": ("text_delta", "text"),
    "tool_use": ("input_json_delta", "partial_json"),
}
"""Block → the type of its deltas, and the member that has the text."""
_EMPTY: dict[str, dict[str, Any]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}
"""Block → what it holds at its start, beside its head."""

_PING = frame('{"type":"ping"}', "ping")


class Message:
    """The answer that is not streamed: the same blocks, put together."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._blocks = Blocks(answer)
        self._content: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self._done: Done | None = None
        self.error: ErrorInfo | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Takes the next events."""
        for event in events:
            self._take(self._blocks.add(event))
            if isinstance(event, Done):
                self._take(self._blocks.close())
                self._done = event
            elif isinstance(event, Failed):
                self.error = event.error

    def body(self) -> dict[str, Any]:
        """The `message` object."""
        assert self._done is not None, "the turn has not ended well"
        return {
            **_head(self._answer),
            "content": self._content,
            **_stop(self._done, self._blocks),
            "usage": _usage(self._done, self._answer),
        }

    def _take(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Started(_, head):
                    self._content.append(dict(head))
                    self._texts = []
                case Grown(_, text):
                    self._texts.append(text)
                case Stopped(index):
                    self._content[-1] |= self._filling(index, "".join(self._texts))

    def _filling(self, index: int, text: str) -> dict[str, Any]:
        """What a block's text adds to its head."""
        match self._content[-1]["type"]:
            case "thinking":
                return {"thinking": text, "signature": _signature(self._answer, index)}
            case "text":
                return {"text": text}
        arguments = read_object(text or "{}")
        # As Anthropic advises to say it where a model's arguments are no JSON object.
        return {"input": {"INVALID_JSON": text} if arguments is None else arguments}


class MessagesDialect(Dialect):
    waits_for_upstream = True
    whole = Message

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._blocks = Blocks(answer)
        self._kind = ""

    def begin(self) -> bytes:
        message = {
            **_head(self.answer),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _counts(self.answer.prompt_tokens, 0, 0),
        }
        return _event("message_start", message=message) + _PING

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        frames: list[bytes] = []
        for event in events:
            frames += map(self._step, self._blocks.add(event))
            if isinstance(event, Done | Failed):
                frames += map(self._step, self._blocks.close())
                frames.append(self._end(event))
        return b"".join(frames)

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return _PING

    def _end(self, event: Done | Failed) -> bytes:
        if isinstance(event, Failed):
            return frame(dumps(_error(event.error, self.answer.request_id)), "error")
        usage = _usage(event, self.answer)
        delta = _event("message_delta", delta=_stop(event, self._blocks), usage=usage)
        return delta + _event("message_stop")

    def _step(self, step: Step) -> bytes:
        match step:
            case Grown(index, text):
                type, member = _DELTAS[self._kind]
                return _delta(index, type, member, text)
            case Started(index, head):
                self._kind = head["type"]
                block = head | _EMPTY[self._kind]
                return _event("content_block_start", index=index, content_block=block)
            case Stopped(index):
                stop = _event("content_block_stop", index=index)
                if self._kind != "thinking":
                    return stop
                signature = _signature(self.answer, index)
                return _delta(index, "signature_delta", "signature", signature) + stop

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        return "application/json", dumps(_error(error, request_id))


def _event(type: str, **members: Any) -> bytes:
    return frame(dumps({"type": type, **members}), type)


def _delta(index: int, type: str, member: str, text: str) -> bytes:
    delta = f'{{"type":"{type}","{member}":{quote(text)}}}'
    return frame(
        f'{{"type":"content_block_delta","index":{index},"delta":{delta}}}', "content_block_delta"
    )


def _head(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
    }


def _signature(answer: Answer, index: int) -> str:
    """Names the block, no more: clients want a signature, and hand it back with the block."""
    return base64.b64encode(f"{answer.id}.{index}".encode()).decode("ascii")


def _stop(done: Done, blocks: Blocks) -> dict[str, Any]:
    """Why the model stopped. Servers disagree on what they call a stop for a tool's sake."""
    reason = _STOP_REASONS.get(done.finish_reason)
    if reason is None:
        reason = "tool_use" if blocks.called else "refusal" if blocks.refused else "end_turn"
    if reason == "end_turn" and done.stop_sequence is not None:
        reason = "stop_sequence"
    sequence = done.stop_sequence if reason == "stop_sequence" else None
    return {"stop_reason": reason, "stop_sequence": sequence}


def _usage(done: Done, answer: Answer) -> dict[str, Any]:
    counts = token_counts(done, answer)
    usage = _counts(counts.prompt - counts.cached, counts.output, counts.cached)
    usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    return usage | counts.extra_members("thinking_tokens")


def _counts(input: int, output: int, cached: int) -> dict[str, Any]:
    return {
        "input_tokens": input,
        "output_tokens": output,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


def _error(error: ErrorInfo, request_id: str) -> dict[str, Any]:
    """Anthropic's error object. A type says what a client can do, and follows from the status."""
    otherwise = "api_error" if error.status >= 500 else "invalid_request_error"
    type = _ERROR_TYPES.get(error.status, otherwise)
    said = {"type": type, "message": error.message}
    return {"type": "error", "error": said, "request_id": request_id}
