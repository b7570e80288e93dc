"""Runs turns: sends a request and shows the events of the response."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click

from gateway.terminal.errors import ClientError
from gateway.terminal.events import Event, decode_events, failed_turn
from gateway.terminal.formats import FORMATS, ChatMessages, request_body
from gateway.terminal.gateway_client import GatewayClient
from gateway.terminal.output import Output
from gateway.terminal.timeline import Timeline


@dataclass(frozen=True, slots=True)
class TurnRunner:
    """Runs single turns and conversations with the same options."""

    client: GatewayClient
    format: str
    model: str | None
    options: dict[str, str]
    """The `gateway` object of the request, without the format."""
    make_output: Callable[[], Output]
    verbose: bool = False
    timeline: bool = False

    def run(self, messages: ChatMessages, output: Output) -> None:
        """Shows one turn as it arrives. Raises ClientError, also if the stream lacks `done`."""
        timeline = Timeline()
        try:
            with output:
                self._show_events(messages, output, timeline)
        finally:
            if self.timeline:
                columns = shutil.get_terminal_size().columns
                click.echo("\n" + "\n".join(timeline.waterfall(columns)), err=True)

    def _show_events(self, messages: ChatMessages, output: Output, timeline: Timeline) -> None:
        format = FORMATS[self.format]
        body = request_body(self.format, messages, self.options)
        if self.model:
            body = {"model": self.model, **body}
        adapter = format.make_adapter(self.options["reasoning"])
        with self.client.stream(format.path, body) as reads:
            for event in decode_events(timeline.watch(reads), adapter):
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

    def run_conversation(self, prompts: Iterable[str]) -> int:
        """Sends each prompt with the turns before it. Returns the exit status of the last turn.

        A failed turn is left out of the history. A turn stopped with Ctrl-C is kept as far as it
        came.
        """
        messages: ChatMessages = []
        status = 0
        for prompt in prompts:
            output = self.make_output()
            messages.append({"role": "user", "content": prompt})
            status = 0
            try:
                self.run(messages, output)
            except ClientError as error:
                error.show()
                output.answer, status = "", error.exit_code
            except KeyboardInterrupt:
                click.secho("Stopped.", err=True, dim=True)
            if output.answer:
                messages.append({"role": "assistant", "content": output.answer})
            else:
                messages.pop()
        return status


def truncation_notes(done: Event) -> list[str]:
    """A line for an answer that a length limit or a filter cut off, else nothing."""
    reason = done.data.get("finish_reason")
    if reason not in ("length", "content_filter"):
        return []
    return [f"The answer is incomplete: finish reason {reason}."]
