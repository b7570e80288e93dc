"""`messages`: the answers of Anthropic's Messages API.

Block 0 is a thinking block with the prompt summary. More thinking blocks follow:

- in `summary`, one for each line of the reasoning summary. Each stops at once;
- in `raw`, one with the trace;
- in `both`, one with the trace and one with the summary.

Then come text and tool calls. The last thinking block has the seal. If the blocks of all lines have
stopped before, that is another block, without text. For example:

    message_start, ping
    content_block_start 0        thinking
    content_block_delta 0        thinking_delta: "What is 2+2?\\n\\n"
    content_block_delta 0        signature_delta
    content_block_stop 0
    content_block_start 1 …      thinking: "I add.\\n\\n"
    content_block_start 2 …      thinking: "It is 4.\\n\\n"
    content_block_start 3 …      text: "The answer is 4."
    message_delta                stop_reason, usage
    message_stop

A failed answer ends with an event `error`, and its open block does not stop. Anthropic's SDKs know
all of these events; some clients fail at an unknown one.
"""

import base64
from collections.abc import Sequence
from typing import Any

from gateway.apis.base import Answer, Dialect
from gateway.apis.json_texts import is_json, parse_object
from gateway.apis.messages.content_blocks import (
    BlockDelta,
    BlockEvent,
    BlockStart,
    BlockStop,
    ContentBlocks,
)
from gateway.apis.usage import token_counts
from gateway.core.events import Done, Event, Failed
from gateway.core.finish_reasons import meaning_of
from gateway.core.sse import dumps, frame, quote
from gateway.core.thoughts import ThoughtRecord
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
    424: "api_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_DELTAS = {
    "thinking": ("thinking_delta", "thinking"),
    "text": ("text_delta", "text"),
    "tool_use": ("input_json_delta", "partial_json"),
}
"""Type of a block → the type of its deltas, and their member that has the text."""
_EMPTY: dict[str, dict[str, Any]] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}
"""Type of a block → the members that its start has beside its head."""

_PING = frame('{"type":"ping"}', "ping")


class MessageObject:
    """The non-streamed answer: collects the events of a turn into one `message`."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._blocks = ContentBlocks(answer)
        self._content: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self._done: Done | None = None
        self.error: ErrorInfo | None = None

    def add(self, events: Sequence[Event]) -> None:
        """Adds the next events."""
        for event in events:
            self._add_block_events(self._blocks.add(event))
            if isinstance(event, Done):
                self._add_block_events(self._blocks.close())
                self._done = event
            elif isinstance(event, Failed):
                self.error = event.error

    def body(self) -> dict[str, Any]:
        """Returns the `message` object."""
        assert self._done is not None, "the turn is not done"
        return {
            **_head(self._answer),
            "content": self._content,
            **_stop(self._done, self._blocks),
            "usage": _usage(self._done, self._answer),
        }

    def _add_block_events(self, events: list[BlockEvent]) -> None:
        for event in events:
            match event:
                case BlockStart(_, head):
                    self._content.append(dict(head))
                    self._texts = []
                case BlockDelta(_, text):
                    self._texts.append(text)
                case BlockStop(index, thoughts):
                    text = "".join(self._texts)
                    self._content[-1] |= self._text_members(index, text, thoughts)

    def _text_members(
        self, index: int, text: str, thoughts: ThoughtRecord | None
    ) -> dict[str, Any]:
        """Returns the members of a block that hold its text."""
        match self._content[-1]["type"]:
            case "thinking":
                return {"thinking": text, "signature": _signature(self._answer, index, thoughts)}
            case "text":
                return {"text": text}
        arguments = parse_object(text or "{}")
        # Anthropic's documentation proposes this wrapper for arguments that are no JSON object.
        return {"input": {"INVALID_JSON": text} if arguments is None else arguments}


class MessagesDialect(Dialect):
    """Encodes the events of the content blocks."""

    waits_for_upstream = True
    non_streamed = MessageObject

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._blocks = ContentBlocks(answer)
        self._block_type = ""

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
            frames += map(self._block_event, self._blocks.add(event))
            if isinstance(event, Done):
                frames += map(self._block_event, self._blocks.close())
                frames.append(self._end(event))
            elif isinstance(event, Failed):
                # The open block does not stop: a client must not run an incomplete tool call.
                frames.append(frame(dumps(_error(event.error, self.answer.request_id)), "error"))
        return b"".join(frames)

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return _PING

    def _end(self, event: Done) -> bytes:
        usage = _usage(event, self.answer)
        delta = _event("message_delta", delta=_stop(event, self._blocks), usage=usage)
        return delta + _event("message_stop")

    def _block_event(self, event: BlockEvent) -> bytes:
        match event:
            case BlockDelta(index, text, is_whole):
                type, member = _DELTAS[self._block_type]
                if is_whole and not is_json(text):
                    text = dumps(text)  # else a client may read it as an object with fewer members
                return _delta(index, type, member, text)
            case BlockStart(index, head):
                self._block_type = head["type"]
                block = head | _EMPTY[self._block_type]
                return _event("content_block_start", index=index, content_block=block)
            case BlockStop(index, thoughts):
                stop = _event("content_block_stop", index=index)
                if self._block_type != "thinking":
                    return stop
                signature = _signature(self.answer, index, thoughts)
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


def _signature(answer: Answer, index: int, thoughts: ThoughtRecord | None) -> str:
    """Returns the sealed thoughts, or the encoded name of the block: clients need a signature."""
    if thoughts is not None and answer.seal is not None:
        return answer.seal(thoughts)
    return base64.b64encode(f"{answer.id}.{index}".encode()).decode("ascii")


def _stop(done: Done, blocks: ContentBlocks) -> dict[str, Any]:
    """Returns `stop_reason` and `stop_sequence`; `usage` names an unknown finish reason.

    If there is a tool call, it decides, because servers send different finish reasons with one.
    """
    reason = _STOP_REASONS.get(done.finish_reason)
    if reason is None and blocks.has_tool_use:
        reason = "tool_use"
    elif reason is None and blocks.has_refusal:
        reason = "refusal"
    elif reason is None:
        reason = "end_turn" if done.stop_sequence is None else "stop_sequence"
    sequence = done.stop_sequence if reason == "stop_sequence" else None
    return {"stop_reason": reason, "stop_sequence": sequence or None}


def _usage(done: Done, answer: Answer) -> dict[str, Any]:
    counts = token_counts(done, answer)
    usage = _counts(counts.prompt - counts.cached, counts.output, counts.cached)
    usage["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    if meaning_of(done.finish_reason) == "unknown":
        usage["finish_reason"] = done.finish_reason
    return usage | counts.extra_members("thinking_tokens")


def _counts(input: int, output: int, cached: int) -> dict[str, Any]:
    return {
        "input_tokens": input,
        "output_tokens": output,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


def _error(error: ErrorInfo, request_id: str) -> dict[str, Any]:
    """Returns Anthropic's error object, whose type follows from the HTTP status."""
    default = "api_error" if error.status >= 500 else "invalid_request_error"
    type = _ERROR_TYPES.get(error.status, default)
    return {
        "type": "error",
        "error": {"type": type, "message": error.message},
        "request_id": request_id,
    }
