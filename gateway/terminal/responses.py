"""OpenAI's Responses API, as events. No I/O."""

from typing import Any

from gateway.terminal.events import Event, LiveSummary, as_dict, parse_object
from gateway.terminal.sse import Message

_INCOMPLETE_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class ResponsesAdapter:
    """Turns response events into the client's.

    The first summary part is the prompt summary, each further part a line of the reasoning summary.
    """

    def __init__(self) -> None:
        self._summary = LiveSummary()
        self._has_prompt_summary = False
        self._calls: list[int] = []
        """The output index of each function call."""

    def __call__(self, message: Message) -> list[Event]:
        data = parse_object(message.data)
        text = data.get("delta", data.get("text"))
        output_index = data.get("output_index")
        match data.get("type"):
            case "response.reasoning_summary_text.done":
                return [self._summary_part(str(text))]
            case "response.reasoning_text.delta":
                return [Event("reasoning_delta", {"text": text})]
            case "response.output_text.delta":
                return [*self._summary.take(), Event("final_output_delta", {"text": text})]
            case "response.output_item.added":
                return self._start_item(output_index, as_dict(data.get("item")))
            case "response.function_call_arguments.delta" if output_index in self._calls:
                index = self._calls.index(output_index)
                return [Event("tool_call_delta", {"index": index, "arguments": text})]
            case "response.completed" | "response.incomplete":
                return [*self._summary.take(), self._done(as_dict(data.get("response")))]
            case "response.failed":
                error = as_dict(data.get("response")).get("error")
                return [Event("failed", {"error": as_dict(error)})]
            case "error":
                return [Event("failed", {"error": as_dict(data.get("error")) or data})]
            case "keepalive":
                return [Event("heartbeat", {})]
        return []

    def _summary_part(self, text: str) -> Event:
        text = text.strip()
        if not self._has_prompt_summary:
            self._has_prompt_summary = True
            return Event("prompt_summary", {"text": text})
        self._summary.add(text)
        return Event("reasoning_summary_delta", {"text": text + "\n"})

    def _start_item(self, output_index: Any, item: dict[str, Any]) -> list[Event]:
        if item.get("type") != "function_call" or not isinstance(output_index, int):
            return []
        self._calls.append(output_index)
        head = {"id": item.get("call_id"), "name": item.get("name")}
        return [Event("tool_call_delta", {"index": len(self._calls) - 1, **head})]

    def _done(self, response: dict[str, Any]) -> Event:
        incomplete = as_dict(response.get("incomplete_details")).get("reason")
        reason = "tool_calls" if self._calls else "stop"
        if incomplete:
            reason = _INCOMPLETE_REASONS.get(str(incomplete), str(incomplete))
        usage = as_dict(response.get("usage"))
        reasoning = as_dict(usage.get("output_tokens_details")).get("reasoning_tokens")
        counts = {
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
        return Event("done", {"finish_reason": reason, "usage": counts, "timings": None})
