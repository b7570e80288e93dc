"""Anthropic's Messages API, as events. No I/O."""

from typing import Any

from gateway.terminal.events import Event, LiveSummary, as_dict, parse_object
from gateway.terminal.sse import Message

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class MessagesAdapter:
    """Turns content blocks into events.

    The first thinking block is the prompt summary. Those that follow are lines of the live summary,
    or, if the request asked for the reasoning, the reasoning and then the full summary.
    """

    def __init__(self, reasoning: str) -> None:
        """reasoning: the value of `--reasoning` that was requested."""
        traced = reasoning in ("raw", "both")
        self._thinking_blocks = ["prompt_summary"]
        if traced:
            self._thinking_blocks += ["reasoning_delta", "reasoning_summary"]
        self._later_blocks = "reasoning_delta" if traced else "reasoning_summary_delta"
        self._summary = LiveSummary()
        self._name = ""
        self._text = ""
        self._tool_calls = 0
        self._end: dict[str, Any] = dict.fromkeys(("finish_reason", "usage", "timings"))
        self._prompt_tokens = 0

    def __call__(self, message: Message) -> list[Event]:
        data = parse_object(message.data)
        match data.get("type"):
            case "message_start":
                usage = as_dict(as_dict(data.get("message")).get("usage"))
                self._prompt_tokens = usage.get("input_tokens", 0)
            case "content_block_start":
                block = as_dict(data.get("content_block"))
                is_over = block.get("type") != "thinking"
                return [*(self._summary.take() if is_over else []), *self._start_block(block)]
            case "content_block_delta":
                return self._add_delta(as_dict(data.get("delta")))
            case "content_block_stop":
                return self._stop_block()
            case "message_delta":
                self._set_end(as_dict(data.get("delta")), as_dict(data.get("usage")))
            case "message_stop":
                return [*self._summary.take(), Event("done", self._end)]
            case "ping":
                return [Event("heartbeat", {})]
            case "error":
                return [Event("failed", {"error": as_dict(data.get("error"))})]
        return []

    def _start_block(self, block: dict[str, Any]) -> list[Event]:
        self._text = ""
        match block.get("type"):
            case "thinking":
                blocks = self._thinking_blocks
                self._name = blocks.pop(0) if blocks else self._later_blocks
            case "tool_use":
                self._name = "tool_call_delta"
                head = {key: block.get(key) for key in ("id", "name")}
                self._tool_calls += 1
                return [Event(self._name, {"index": self._tool_calls - 1, **head})]
            case _:
                self._name = "final_output_delta"
        return []

    def _add_delta(self, delta: dict[str, Any]) -> list[Event]:
        if arguments := delta.get("partial_json"):
            return [Event(self._name, {"index": self._tool_calls - 1, "arguments": arguments})]
        text = str(delta.get("text") or delta.get("thinking") or "")
        self._text += text
        if not text or not self._name.endswith("_delta"):
            return []
        if self._name == "reasoning_summary_delta":
            text = text.strip("\n") + "\n"
        return [Event(self._name, {"text": text})]

    def _stop_block(self) -> list[Event]:
        text = self._text.strip()
        if self._name == "reasoning_summary_delta":
            for line in filter(None, text.splitlines()):
                self._summary.add(line)
            return []
        return [Event(self._name, {"text": text})] if self._name.endswith("_summary") else []

    def _set_end(self, delta: dict[str, Any], usage: dict[str, Any]) -> None:
        reason = str(delta.get("stop_reason"))
        reasoning = as_dict(usage.get("output_tokens_details")).get("thinking_tokens")
        self._end["finish_reason"] = _FINISH_REASONS.get(reason, reason)
        self._end["usage"] = {
            "prompt_tokens": usage.get("input_tokens", self._prompt_tokens),
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
