"""The four formats of `/v1/chat/completions`, as events. No I/O."""

from collections.abc import Iterator
from typing import Any

from gateway.terminal.events import Event, LiveSummary, as_dict, parse_object
from gateway.terminal.sse import Message

_DONE = b"[DONE]"
_SUMMARY_PHASES = {
    "prompt_summary": ("prompt_summary", "[Prompt Summary] "),
    "reasoning_summary": ("reasoning_summary_delta", "[Reasoning Summary] "),
}
"""Phase → the event for its text, and the label that `phased` puts before the text."""


def read_named_event(message: Message) -> list[Event]:
    """The adapter of `events`, which needs no translation."""
    return [Event(message.event, parse_object(message.data))]


class ChunkAdapter:
    """The adapter of `phased`, `openai` and `plain`: the phase of a chunk names the event.

    These formats have the live lines of the summary only. The adapter joins them into a
    `reasoning_summary` event when the answer begins.
    """

    def __init__(self) -> None:
        self._summary = LiveSummary()
        self._end: dict[str, Any] = dict.fromkeys(("finish_reason", "usage", "timings"))

    def __call__(self, message: Message) -> list[Event]:
        if message.data == _DONE:
            return [*self._summary.take(), Event("done", self._end)]
        chunk = parse_object(message.data)
        if error := chunk.get("error"):
            return [Event("failed", {"error": as_dict(error) or {"message": str(error)}})]
        choices = chunk.get("choices")
        choice = as_dict(choices[0]) if isinstance(choices, list) and choices else {}
        self._end |= {k: v for k, v in (chunk | choice).items() if k in self._end and v}
        summary = self._summary.take() if chunk.get("phase") == "final_output" else []
        return [*summary, *self._delta_events(as_dict(choice.get("delta")), chunk)]

    def _delta_events(self, delta: dict[str, Any], chunk: dict[str, Any]) -> Iterator[Event]:
        name, label = _SUMMARY_PHASES.get(str(chunk.get("phase")), ("", ""))
        summary = delta.get("reasoning_summary")
        if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
            in_summary = name and not summary
            yield self._text_event(name if in_summary else "reasoning_delta", reasoning, chunk)
        if summary:
            yield self._text_event("reasoning_summary_delta", summary, chunk)
        if content := delta.get("content"):
            text = str(content).removeprefix(label)
            if not name or text.strip():  # an empty line only ends the summary
                yield self._text_event(name or "final_output_delta", text, chunk)
        calls = delta.get("tool_calls")
        for call in map(as_dict, calls if isinstance(calls, list) else []):
            data = {"index": call.get("index", 0), "id": call.get("id")}
            data |= as_dict(call.get("function"))
            yield Event("tool_call_delta", {k: v for k, v in data.items() if v is not None})

    def _text_event(self, name: str, text: Any, chunk: dict[str, Any]) -> Event:
        if name == "prompt_summary":
            timing = {"ttft_ms": chunk["ttft_ms"]} if "ttft_ms" in chunk else {}
            return Event(name, {"text": str(text).strip(), **timing})
        if name == "reasoning_summary_delta":
            text = str(text).strip("\n") + "\n"
            self._summary.add(text)
        return Event(name, {"text": text})
