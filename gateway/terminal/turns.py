"""Turns: a prompt, or a conversation of them, sent and shown."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click

from gateway.terminal.door import Door
from gateway.terminal.formats import FORMATS, body_of
from gateway.terminal.output import Output
from gateway.terminal.stream import Event, Failure, decode, record
from gateway.terminal.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Asker:
    """How turns are asked for and shown."""

    door: Door
    format: str
    model: str | None
    options: dict[str, str]
    """The `gateway` object of a request, but for the format."""
    new_output: Callable[[], Output]
    verbose: bool = False
    timeline: bool = False

    def turn(self, messages: list[dict[str, str]], output: Output) -> None:
        """Shows one turn as it arrives. Raises Failure, also when it ends without `done`."""
        timeline = Timeline()
        try:
            with output:
                self._watch(messages, output, timeline)
        finally:
            if self.timeline:
                columns = shutil.get_terminal_size().columns
                click.echo("\n" + "\n".join(timeline.waterfall(columns)), err=True)

    def _watch(self, messages: list[dict[str, str]], output: Output, timeline: Timeline) -> None:
        kind = FORMATS[self.format]
        body = body_of(self.format, messages, self.options)
        if self.model:
            body = {"model": self.model, **body}
        with self.door.stream(kind.path, body) as reads:
            for event in decode(timeline.reads(reads), kind.adapter(self.options["reasoning"])):
                news = timeline.add(event)
                notes = news if self.verbose else []
                if event.event == "done":
                    output.show(event)
                    output.close()
                    output.notes([*cut_off(event), *notes])
                    return
                output.notes(notes)
                output.show(event)
                if event.event == "failed":
                    raise failure_of(event)
        raise Failure("the stream ended without `done`: the answer is not whole")

    def converse(self, prompts: Iterable[str]) -> int:
        """A conversation: each turn is sent with those before it. The exit status of the last turn.

        A turn that failed is forgotten; one that was stopped is kept as far as it came.
        """
        messages: list[dict[str, str]] = []
        status = 0
        for prompt in prompts:
            output = self.new_output()
            messages.append({"role": "user", "content": prompt})
            status = 0
            try:
                self.turn(messages, output)
            except Failure as failure:
                failure.show()
                output.answer, status = "", failure.exit_code
            except KeyboardInterrupt:
                click.secho("Stopped.", err=True, dim=True)
            if output.answer:
                messages.append({"role": "assistant", "content": output.answer})
            else:
                messages.pop()
        return status


def cut_off(done: Event) -> list[str]:
    """What has to be said of an answer that ended before its end."""
    reason = done.data.get("finish_reason")
    if reason not in ("length", "content_filter"):
        return []
    return [f"The answer is not whole: finish reason {reason}."]


def failure_of(event: Event) -> Failure:
    """The Failure that a `failed` event is."""
    message = record(event.data.get("error")).get("message")
    return Failure(f"the turn failed: {message or 'no reason was given'}")
