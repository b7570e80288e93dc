"""Anthropic's Messages API, as events. No I/O."""

from typing import Any

from gateway.core.sse import Message
from gateway.terminal.stream import Event, parse, record

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Messages:
    """Blocks become phases: by the reasoning asked for, a thinking block is one or the other."""

    def __init__(self, reasoning: str) -> None:
        trace = "reasoning_delta"
        second = trace if reasoning in ("raw", "both") else "reasoning_summary_delta"
        self._kinds = ["prompt_summary", second, "reasoning_summary"]
        self._kind = ""
        self._text = ""
        self._tools = 0
        self._end: dict[str, Any] = dict.fromkeys(("finish_reason", "usage", "timings"))
        self._prompt_tokens = 0

    def __call__(self, message: Message) -> list[Event]:
        data = parse(message.data)
        match data.get("type"):
            case "message_start":
                usage = record(record(data.get("message")).get("usage"))
                self._prompt_tokens = usage.get("input_tokens", 0)
            case "content_block_start":
                return self._start(record(data.get("content_block")))
            case "content_block_delta":
                return self._delta(record(data.get("delta")))
            case "content_block_stop":
                return self._stop()
            case "message_delta":
                self._note_end(record(data.get("delta")), record(data.get("usage")))
            case "message_stop":
                return [Event("done", self._end)]
            case "ping":
                return [Event("heartbeat", {})]
            case "error":
                return [Event("failed", {"error": record(data.get("error"))})]
        return []

    def _start(self, block: dict[str, Any]) -> list[Event]:
        self._text = ""
        match block.get("type"):
            case "thinking":
                self._kind = self._kinds.pop(0) if self._kinds else "reasoning_delta"
            case "tool_use":
                self._kind = "tool_call_delta"
                head = {key: block.get(key) for key in ("id", "name")}
                self._tools += 1
                return [Event(self._kind, {"index": self._tools - 1, **head})]
            case _:
                self._kind = "final_output_delta"
        return []

    def _delta(self, delta: dict[str, Any]) -> list[Event]:
        if pieces := delta.get("partial_json"):
            return [Event(self._kind, {"index": self._tools - 1, "arguments": pieces})]
        text = str(delta.get("text") or delta.get("thinking") or "")
        self._text += text
        if not text or not self._kind.endswith("_delta"):
            return []
        if self._kind == "reasoning_summary_delta":
            text = text.strip("\n") + "\n"
        return [Event(self._kind, {"text": text})]

    def _stop(self) -> list[Event]:
        kind = self._kind.removesuffix("_delta")
        return [Event(kind, {"text": self._text.strip()})] if kind.endswith("_summary") else []

    def _note_end(self, delta: dict[str, Any], usage: dict[str, Any]) -> None:
        reason = str(delta.get("stop_reason"))
        thought = record(usage.get("output_tokens_details")).get("thinking_tokens")
        self._end["finish_reason"] = _FINISH_REASONS.get(reason, reason)
        self._end["usage"] = {
            "prompt_tokens": usage.get("input_tokens", self._prompt_tokens),
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": {"reasoning_tokens": thought},
        }
