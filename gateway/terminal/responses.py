"""OpenAI's Responses API, as events. No I/O."""

from typing import Any

from gateway.core.sse import Message
from gateway.terminal.stream import Event, parse, record

_CUT_OFF = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Responses:
    """Part 0 of the first summary is the prompt's, each further part a line of the reasoning's."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._prompted = False
        self._calls: list[int] = []

    def __call__(self, message: Message) -> list[Event]:
        data = parse(message.data)
        text = data.get("delta", data.get("text"))
        match data.get("type"):
            case "response.reasoning_summary_text.done":
                return [self._summary(str(text))]
            case "response.reasoning_text.delta":
                return [Event("reasoning_delta", {"text": text})]
            case "response.output_text.delta":
                return [*self._whole_summary(), Event("final_output_delta", {"text": text})]
            case "response.output_item.added":
                return self._call(data, record(data.get("item")))
            case "response.function_call_arguments.delta" if data["output_index"] in self._calls:
                index = self._calls.index(data["output_index"])
                return [Event("tool_call_delta", {"index": index, "arguments": text})]
            case "response.completed" | "response.incomplete":
                return [*self._whole_summary(), self._done(record(data.get("response")))]
            case "response.failed":
                error = record(data.get("response")).get("error")
                return [Event("failed", {"error": record(error)})]
            case "error":
                return [Event("failed", {"error": record(data.get("error")) or data})]
            case "keepalive":
                return [Event("heartbeat", {})]
        return []

    def _summary(self, text: str) -> Event:
        text = text.strip()
        if not self._prompted:
            self._prompted = True
            return Event("prompt_summary", {"text": text})
        self._lines.append(text + "\n")
        return Event("reasoning_summary_delta", {"text": text + "\n"})

    def _whole_summary(self) -> list[Event]:
        text = "".join(self._lines).strip()
        self._lines.clear()
        return [Event("reasoning_summary", {"text": text})] if text else []

    def _call(self, data: dict[str, Any], item: dict[str, Any]) -> list[Event]:
        if item.get("type") != "function_call":
            return []
        self._calls.append(data["output_index"])
        head = {"id": item.get("call_id"), "name": item.get("name")}
        return [Event("tool_call_delta", {"index": len(self._calls) - 1, **head})]

    def _done(self, response: dict[str, Any]) -> Event:
        cut = record(response.get("incomplete_details")).get("reason")
        usage = record(response.get("usage"))
        thought = record(usage.get("output_tokens_details")).get("reasoning_tokens")
        reason = (
            _CUT_OFF.get(str(cut), str(cut)) if cut else "tool_calls" if self._calls else "stop"
        )
        counted = {
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": {"reasoning_tokens": thought},
        }
        return Event("done", {"finish_reason": reason, "usage": counted, "timings": None})
