"""What every output of a turn can do, and the outputs for programs: a line for each event."""

import json
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any

import click

from gateway.terminal.stream import CONTROLS, Event

Write = Callable[[str], object]
"""Puts text somewhere, at once."""


def to_stdout(text: str) -> None:
    click.echo(text, nl=False)


def to_stderr(text: str) -> None:
    click.echo(text, nl=False, err=True)


def to_nowhere(text: str) -> None:
    """For what was not asked for."""


class Output:
    """Shows the events of one turn; use it in a `with`, so that it can leave things in order."""

    def __init__(self) -> None:
        self.answer = ""

    def __enter__(self) -> "Output":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def show(self, event: Event) -> None:
        """Takes the next event."""
        if event.event == "final_output_delta":
            self.answer += event.text

    def note(self, line: str) -> None:
        """A diagnostic, on a line of its own on stderr."""
        click.secho(line.translate(CONTROLS), err=True, dim=True)

    def notes(self, lines: list[str]) -> None:
        """Some diagnostics."""
        for line in lines:
            self.note(line)

    def close(self) -> None:
        """The turn is over: ends a line that has begun, and what moves on the screen."""


class EventLines(Output):
    """Each event as `[name] {data}`, then the answer."""

    def show(self, event: Event) -> None:
        super().show(event)
        to_stdout(f"[{event.event}] {compact(event.data)}\n".translate(CONTROLS))
        if event.event == "done":
            to_stdout("--- FINAL OUTPUT ---\n" + self.answer.rstrip("\n") + "\n")


class JsonLines(Output):
    """Each event as one line of JSON, in ASCII: no reader can cut the line elsewhere."""

    def show(self, event: Event) -> None:
        super().show(event)
        to_stdout(compact(asdict(event), ascii=True) + "\n")


class ToolCalls:
    """Joins the pieces of tool calls, which are shown whole at the end."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}

    def add(self, data: dict[str, Any]) -> None:
        """Takes the data of a `tool_call_delta`."""
        key = str(data.get("index"))
        name = f"tool call: {data['name']} " if data.get("name") else ""
        piece = f"{name}{data.get('arguments') or ''}".translate(CONTROLS)
        self._calls[key] = self._calls.get(key, "") + piece

    def lines(self) -> list[str]:
        """`tool call: name {arguments}` for each."""
        return list(self._calls.values())


def compact(value: Any, ascii: bool = False) -> str:
    """JSON without spaces."""
    return json.dumps(value, ensure_ascii=ascii, separators=(",", ":"))
