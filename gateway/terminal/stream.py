"""Every format of the gateway becomes one stream of events, named as in `events`. No I/O.

Bytes -> lines -> messages (:mod:`gateway.core.sse`) -> events, by the adapter in :mod:`.formats`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from gateway.core.sse import DONE, Decoder, Message

CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""Characters that could steer a terminal: left out of what is shown."""


class Failure(click.ClickException):
    """No answer, or one that is not whole. The message is one line on stderr, the status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.translate(CONTROLS).split())[:500])


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a turn."""

    event: str
    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of a delta or a summary, as it can be shown."""
        return str(self.data.get("text") or "").translate(CONTROLS)


Adapter = Callable[[Message], list[Event]]
"""A message as events. Raises Failure at one that it cannot read."""


def named_events(message: Message) -> list[Event]:
    """The `events` format, which already is what the client works with."""
    return [Event(message.event, parse(message.data))]


SUMMARIES = {
    "prompt_summary": ("prompt_summary", "[Prompt Summary] "),
    "reasoning_summary": ("reasoning_summary_delta", "[Reasoning Summary] "),
}
"""Phase -> the event that its text is, and the label before the text in `phased`."""


class Chunks:
    """`phased`, `openai` and `plain`: chunks, whose phase says what the text of a delta is.

    They carry only the live lines of the summary; the whole is these lines, once they are over.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._end: dict[str, Any] = dict.fromkeys(("finish_reason", "usage", "timings"))

    def __call__(self, message: Message) -> list[Event]:
        if message.data == DONE:
            return [*self._whole_summary(), Event("done", self._end)]
        chunk = parse(message.data)
        if error := chunk.get("error"):
            return [Event("failed", {"error": record(error) or {"message": str(error)}})]
        choices = chunk.get("choices")
        choice = record(choices[0]) if isinstance(choices, list) and choices else {}
        self._end |= {k: v for k, v in (chunk | choice).items() if k in self._end and v}
        events = self._whole_summary() if chunk.get("phase") == "final_output" else []
        return [*events, *self._delta(record(choice.get("delta")), chunk)]

    def _delta(self, delta: dict[str, Any], chunk: dict[str, Any]) -> Iterator[Event]:
        kind, label = SUMMARIES.get(str(chunk.get("phase")), ("", ""))
        summary = delta.get("reasoning_summary")
        if trace := delta.get("reasoning_content") or delta.get("reasoning"):
            yield self._text(kind if kind and not summary else "reasoning_delta", trace, chunk)
        if summary:
            yield self._text("reasoning_summary_delta", summary, chunk)
        if content := delta.get("content"):
            text = str(content).removeprefix(label)
            if not kind or text.strip():  # a line end alone ends a summary
                yield self._text(kind or "final_output_delta", text, chunk)
        calls = delta.get("tool_calls")
        for call in map(record, calls if isinstance(calls, list) else []):
            data = {"index": call.get("index", 0), "id": call.get("id")}
            data |= record(call.get("function"))
            yield Event("tool_call_delta", {k: v for k, v in data.items() if v is not None})

    def _text(self, kind: str, text: Any, chunk: dict[str, Any]) -> Event:
        if kind == "prompt_summary":
            timing = {"ttft_ms": chunk["ttft_ms"]} if "ttft_ms" in chunk else {}
            return Event(kind, {"text": str(text).strip(), **timing})
        if kind == "reasoning_summary_delta":
            text = str(text).strip("\n") + "\n"
            self._lines.append(text)
        return Event(kind, {"text": text})

    def _whole_summary(self) -> list[Event]:
        text = "".join(self._lines).strip()
        self._lines.clear()
        return [Event("reasoning_summary", {"text": text})] if text else []


def whole_characters(text: str) -> str:
    """The text with characters whose halves came in two deltas put together."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "surrogatepass")


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object of a message. Raises Failure.

    With json and not msgspec, which refuses the lone surrogates that some models send.
    """
    with suppress(ValueError, RecursionError):
        if isinstance(value := json.loads(data), dict):
            return value
    raise Failure(f"the stream carries what is no event: {data[:80].decode('utf-8', 'replace')}")


def record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def split_lines(reads: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines that each read completes, without their ends: CR, LF or CRLF, wherever cut."""
    tail = b""
    for read in reads:
        lines = (tail + read).splitlines(keepends=True)
        whole = not lines or lines[-1].endswith(b"\n")  # a last CR may be half a CRLF: it waits
        tail = b"" if whole else lines.pop()
        yield [line.rstrip(b"\r\n") for line in lines]
    yield tail.splitlines()


def decode(reads: Iterable[bytes], adapter: Adapter) -> Iterator[Event]:
    """The events of a stream. Raises Failure at what the adapter cannot read."""
    decoder = Decoder()
    for lines in split_lines(reads):
        for message in decoder.feed(lines):
            yield from adapter(message)
    for message in decoder.close():
        yield from adapter(message)
