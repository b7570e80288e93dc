"""The base class of outputs, and the outputs for programs: one line for each event."""

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any

import click

from gateway.terminal.events import Event
from gateway.terminal.text import strip_controls

Write = Callable[[str], object]
"""Writes text and flushes it."""


def to_stdout(text: str) -> None:
    click.echo(text, nl=False)


def to_stderr(text: str) -> None:
    click.echo(text, nl=False, err=True)


def discard(text: str) -> None:
    """Writes nothing."""


class Output:
    """Shows the events of one turn. A context manager, which leaves the terminal in order."""

    def __init__(self) -> None:
        self.answer = ""
        self.asked = ""
        """The prompt that was sent; "" if it is not known, as for a resumed stream."""

    def says_more(self, summary: str) -> bool:
        """Whether the prompt's summary says something that the prompt did not."""
        return summary.split() != self.asked.split()

    def __enter__(self) -> "Output":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def on_stream(self, answer_now: Callable[[], None]) -> None:
        """Called when the stream has begun.

        answer_now: ends the thinking; raises ClientError.
        """

    def show(self, event: Event) -> None:
        """Shows the next event."""
        if event.name == "final_output_delta":
            self.answer += event.text

    def note(self, line: str) -> None:
        """Writes a diagnostic line to stderr."""
        click.secho(strip_controls(line), err=True, dim=True)

    def close(self) -> None:
        """Ends the turn: completes an unfinished line and stops what is redrawn."""


class EventLines(Output):
    """Each event as `[name] {data}`, then the answer."""

    def show(self, event: Event) -> None:
        super().show(event)
        to_stdout(strip_controls(f"[{event.name}] {compact_json(event.data)}\n"))
        if event.name == "done":
            to_stdout("--- FINAL OUTPUT ---\n" + self.answer.rstrip("\n") + "\n")


class JsonLines(Output):
    """Each event as one line of JSON, in ASCII: no reader can split it at U+2028 and the like."""

    def show(self, event: Event) -> None:
        super().show(event)
        to_stdout(compact_json({"event": event.name, "data": event.data}, ascii=True) + "\n")


class ToolCalls:
    """Joins the deltas of tool calls, which are shown at the end of the answer."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}

    def add(self, data: dict[str, Any]) -> None:
        """Adds the data of a `tool_call_delta`."""
        key = str(data.get("index"))
        name = f"tool call: {data['name']} " if data.get("name") else ""
        delta = strip_controls(f"{name}{data.get('arguments') or ''}")
        self._calls[key] = self._calls.get(key, "") + delta

    def lines(self) -> list[str]:
        """`tool call: name {arguments}` for each."""
        return list(self._calls.values())


def compact_json(value: Any, ascii: bool = False) -> str:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=ascii, separators=(",", ":"))
