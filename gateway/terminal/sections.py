"""Plain text under headings, for pipes, files and terminals that cannot move their cursor."""

import os
import re
import sys
from contextlib import suppress

import click

from gateway.terminal.events import Event
from gateway.terminal.output import Output, ToolCalls, Write, to_stdout
from gateway.terminal.text import join_surrogates

PROMPT, REASONING, SUMMARY, ANSWER = HEADINGS = (
    "[PROMPT]",
    "[REASONING]",
    "[REASONING SUMMARY]",
    "[FINAL RESPONSE]",
)
_HELD_BACK = re.compile(r"\s*[\ud800-\udbff]?\Z")
"""White space and half a surrogate pair at the end of a text."""


class TrimmedWriter:
    """Writes text as it arrives, without leading line ends and trailing white space."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._held_back = ""  # written once more text follows
        self._started = False
        self._in_line = False

    def write(self, text: str, dim: bool = False) -> None:
        """Writes more text; holds back white space and half a surrogate pair at the end."""
        text = self._held_back + (text if self._started else text.lstrip("\n"))
        shown = _HELD_BACK.sub("", text)
        self._held_back = text[len(shown) :]
        shown = join_surrogates(shown)
        if shown:
            self._write(click.style(shown, dim=True) if dim else shown)
            self._started = self._in_line = True

    def end_line(self) -> None:
        """Ends the current line, if it is not empty."""
        if self._in_line:
            self._write("\n")
        self._in_line = False


class Sections(Output):
    """Each phase under a heading, in a fixed order: trace that arrives after the answer is dropped.

    The answer goes to stdout, everything else to `write_phases`.
    """

    def __init__(self, reasoning: str, write_phases: Write, *, is_live: bool = True) -> None:
        """is_live: the output is a terminal. Otherwise only the final summary is written, and not
        the live lines that it replaces.
        """
        super().__init__()
        self._is_live = is_live
        self._reasoning = reasoning
        self._write_phases = write_phases
        self._heading = ""
        self._writer = TrimmedWriter(to_stdout)
        self._prompt = ""
        self._live_summary = ""
        self._calls = ToolCalls()

    def show(self, event: Event) -> None:
        super().show(event)
        match event.name:
            case "prompt_summary":
                self._prompt = event.text if self.says_more(event.text) else ""
                if self._write_phases is to_stdout:
                    self._write_prompt()
            case "reasoning_delta" if self._reasoning in ("raw", "both"):
                self._write_text(REASONING, event.text, dim=True)
            case "reasoning_summary_delta" if self._reasoning == "summary":
                line = event.text.rstrip("\n") + "\n"
                self._live_summary += line
                if self._is_live:
                    self._write_text(SUMMARY, line, dim=True)
            case "reasoning_summary" if self._reasoning in ("summary", "both"):
                shown = self._live_summary if self._is_live else ""
                if event.text.split() != shown.split():
                    self._write_text(SUMMARY, "\n" * bool(shown) + event.text)
                self._live_summary = ""
            case "final_output_delta":
                self._write_text(ANSWER, event.text)
            case "tool_call_delta":
                self._calls.add(event.data)
            case "done":
                self._write_text(ANSWER, "\n\n" + "\n".join(self._calls.lines()))

    def _write_prompt(self) -> None:
        """Writes the prompt. On stderr this waits for the next text, so that a turn that fails at
        once writes only one line."""
        prompt, self._prompt = self._prompt, ""
        if prompt:
            self._write_text(PROMPT, prompt)

    def _write_text(self, heading: str, text: str, dim: bool = False) -> None:
        if self._heading and HEADINGS.index(heading) < HEADINGS.index(self._heading):
            return
        self._write_prompt()
        if heading != self._heading:
            self._writer.end_line()
            gap = "\n" if self._heading else ""
            self._write_phases(gap + click.style(heading, fg="cyan", bold=True) + "\n")
            self._heading = heading
            self._writer = TrimmedWriter(to_stdout if heading == ANSWER else self._write_phases)
        self._writer.write(text, dim)

    def note(self, line: str) -> None:
        with suppress(OSError):  # a replaced stream may have no file descriptor
            if os.path.samestat(*(os.fstat(s.fileno()) for s in (sys.stdout, sys.stderr))):
                self._writer.end_line()
        super().note(line)

    def close(self) -> None:
        if not self._is_live and self._live_summary:  # the turn has ended before its summary
            self._write_text(SUMMARY, self._live_summary)
            self._live_summary = ""
        self._writer.end_line()
