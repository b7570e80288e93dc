"""Runs turns: sends a request and shows the events of the response."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from gateway.terminal.errors import ClientError
from gateway.terminal.events import Event, decode_events, failed_turn
from gateway.terminal.formats import FORMATS, ChatMessages, request_body
from gateway.terminal.gateway_client import GatewayClient, Stream
from gateway.terminal.output import Output
from gateway.terminal.timeline import Timeline


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """Runs turns with the same options."""

    client: GatewayClient
    format: str
    model: str | None
    options: dict[str, Any]
    """The `gateway` object of the request, without the format."""
    make_output: Callable[[], Output]
    verbose: bool = False
    timeline: bool = False

    def run(self, messages: ChatMessages, output: Output) -> None:
        """Shows one turn as it arrives. Raises ClientError, also if the stream lacks `done`."""
        output.asked = messages[-1]["content"]
        body = request_body(self.format, messages, self.options)
        if self.model:
            body = {"model": self.model, **body}
        self._show(self.client.stream(FORMATS[self.format].path, body), output)

    def resume(self, stream_id: str, output: Output) -> None:
        """Shows a kept stream from its first event. Raises ClientError as :meth:`run` does."""
        self._show(self.client.resume(stream_id, self.format), output)

    def _show(self, opened: AbstractContextManager[Stream], output: Output) -> None:
        timeline = Timeline()
        try:
            with output:
                self._show_events(opened, output, timeline)
        finally:
            if self.timeline:
                columns = shutil.get_terminal_size().columns
                click.echo("\n" + "\n".join(timeline.waterfall(columns)), err=True)

    def _show_events(
        self, opened: AbstractContextManager[Stream], output: Output, timeline: Timeline
    ) -> None:
        adapter = FORMATS[self.format].make_adapter(self.options["reasoning"])
        with opened as stream:
            if self.options.get("keep"):
                output.note(f"Kept; read it again with --resume {stream.id}")
            output.on_stream(partial(self.client.answer_now, stream.id))
            for event in decode_events(timeline.watch(stream.reads), adapter):
                lines = timeline.add(event)
                notes = lines if self.verbose else []
                if event.name == "done":
                    output.show(event)
                    output.close()
                    for note in [*truncation_notes(event), *notes]:
                        output.note(note)
                    return
                for note in notes:
                    output.note(note)
                output.show(event)
                if event.name == "failed":
                    raise failed_turn(event)
        raise ClientError("the stream ended without `done`: the answer is incomplete")


def truncation_notes(done: Event) -> list[str]:
    """A line for an answer that a length limit or a filter cut off, else nothing."""
    reason = done.data.get("finish_reason")
    if reason not in ("length", "content_filter"):
        return []
    return [f"The answer is incomplete: finish reason {reason}."]
