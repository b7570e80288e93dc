"""Plain text under headings, for pipes, files and terminals that cannot move their cursor."""

import os
import re
import sys
from contextlib import suppress

import click

from gateway.terminal.output import Output, ToolCalls, Write, to_stdout
from gateway.terminal.stream import Event, whole_characters

PROMPT, REASONING, SUMMARY, ANSWER = HEADINGS = (
    "[PROMPT]",
    "[REASONING]",
    "[REASONING SUMMARY]",
    "[FINAL RESPONSE]",
)


WAITING = re.compile(r"\s*[\ud800-\udbff]?\Z")


class Trimmed:
    """Writes text as it comes, without the line ends before it and the white space after it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held = ""  # what is shown only when more text follows
        self.began = False
        self.in_line = False

    def put(self, text: str, dim: bool = False) -> None:
        """Writes more, but for white space and half a character at the end, which wait."""
        text = self._held + (text if self.began else text.lstrip("\n"))
        shown = WAITING.sub("", text)
        self._held = text[len(shown) :]
        shown = whole_characters(shown)
        if shown:
            self._write(click.style(shown, dim=True) if dim else shown)
            self.began = self.in_line = True

    def end_line(self) -> None:
        """Ends the line that has begun, if there is one."""
        if self.in_line:
            self._write("\n")
        self.in_line = False


class Sections(Output):
    """Text under headings that never go backwards: trace after the answer began is left out.

    The answer goes to stdout, the rest where `aside` puts it.
    """

    def __init__(self, reasoning: str, aside: Write) -> None:
        super().__init__()
        self._reasoning = reasoning
        self._aside = aside
        self._heading = ""
        self._text = Trimmed(to_stdout)
        self._prompt = ""
        self._live = ""
        self._calls = ToolCalls()

    def show(self, event: Event) -> None:
        super().show(event)
        match event.event:
            case "prompt_summary":
                self._prompt = event.text
                if self._aside is to_stdout:
                    self._show_prompt()
            case "reasoning_delta" if self._reasoning in ("raw", "both"):
                self._put(REASONING, event.text, dim=True)
            case "reasoning_summary_delta" if self._reasoning == "summary":
                line = event.text.rstrip("\n") + "\n"
                self._live += line
                self._put(SUMMARY, line, dim=True)
            case "reasoning_summary" if self._reasoning in ("summary", "both"):
                if event.text.split() != self._live.split():  # it says more than the live lines
                    self._put(SUMMARY, "\n" * bool(self._live) + event.text)
            case "final_output_delta":
                self._put(ANSWER, event.text)
            case "tool_call_delta":
                self._calls.add(event.data)
            case "done":
                self._put(ANSWER, "\n\n" + "\n".join(self._calls.lines()))

    def _show_prompt(self) -> None:
        """On stderr it waits for more: of a turn that fails at once, one line alone is left."""
        prompt, self._prompt = self._prompt, ""
        if prompt:
            self._put(PROMPT, prompt)

    def _put(self, heading: str, text: str, dim: bool = False) -> None:
        if self._heading and HEADINGS.index(heading) < HEADINGS.index(self._heading):
            return
        self._show_prompt()
        if heading != self._heading:
            self._text.end_line()
            gap = "\n" if self._heading else ""
            self._aside(gap + click.style(heading, fg="cyan", bold=True) + "\n")
            self._heading = heading
            self._text = Trimmed(to_stdout if heading == ANSWER else self._aside)
        self._text.put(text, dim)

    def note(self, line: str) -> None:
        with suppress(OSError):  # a stream may be none of the system's
            if os.path.samestat(*(os.fstat(s.fileno()) for s in (sys.stdout, sys.stderr))):
                self._text.end_line()
        super().note(line)

    def close(self) -> None:
        self._text.end_line()
