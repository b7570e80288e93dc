"""A terminal: what moves while the model thinks, then the summary, then the answer."""

import time
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.text import Text

from gateway.core import tokens
from gateway.terminal.markdown import Answer
from gateway.terminal.output import Output, ToolCalls, to_stdout
from gateway.terminal.region import Region
from gateway.terminal.sections import ANSWER, PROMPT, REASONING, SUMMARY, Trimmed
from gateway.terminal.stream import CONTROLS, Event, whole_characters

LIVE_LINES = 8
"""So many of the latest lines are shown while the model thinks, on a screen that has room."""


def consoles(colour: bool) -> tuple[Console, Console]:
    """stdout and stderr, as rich writes to them."""
    plain = None if colour else True
    return Console(no_color=plain, highlight=False), Console(
        no_color=plain, highlight=False, stderr=True
    )


class Thinking:
    """The region that is redrawn while the model thinks: a clock, tokens, the latest lines."""

    def __init__(self, console: Console) -> None:
        unicode = console.encoding.startswith("utf")
        self._spinner = Spinner("dots" if unicode else "line", style="cyan")
        self._start_s = time.monotonic()
        self._think_s: float | None = None
        self._bytes = 0
        self.label = "Waiting for the model"
        self.lines: list[str] = []

    def think(self, text: str) -> None:
        """The model has thought so much more."""
        self._think_s = self._think_s or time.monotonic()
        self._bytes += tokens.size(text)
        self.label = "Thinking"

    def status(self, done: bool = False) -> str:
        """`Thinking for 3.4 s · 41 tokens`."""
        seconds = time.monotonic() - (self._think_s or self._start_s)
        count = tokens.estimate(self._bytes)
        counted = f" · about {count:,} tokens" if count else ""
        return f"{'Thought' if done else self.label} for {seconds:.1f} s{counted}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._spinner.update(text=Text(self.status(), style="cyan"))
        yield Text()
        yield self._spinner
        room = max(0, min(LIVE_LINES, console.height - 5))
        for line in self.lines[-room:] if room else ():
            yield Text("  " + line, style="dim", no_wrap=True, overflow="ellipsis")


class Screen(Output):
    """The phases on stderr, the answer on stdout: as Markdown if that is a terminal too."""

    def __init__(self, reasoning: str, colour: bool) -> None:
        super().__init__()
        out, self._console = consoles(colour)
        self._reasoning = reasoning
        self._thinking = Thinking(self._console)
        self._region = Region(self._console, self._thinking)
        self._markdown = Answer(out) if out.is_terminal else None
        self._plain = Trimmed(to_stdout)
        self._heading = ""
        self._trace = ""
        self._calls = ToolCalls()
        self._rows: dict[str, Callable[[str], None]] = {
            "prompt_summary": self._show_prompt,
            "reasoning_delta": self._show_trace,
            "reasoning_summary_delta": self._show_line,
            "reasoning_summary": self._show_summary,
            "final_output_delta": self._show_answer,
        }

    def __enter__(self) -> "Output":
        self._region.start()
        return self

    def show(self, event: Event) -> None:
        super().show(event)
        if row := self._rows.get(event.event):
            row(event.text)
        elif event.event == "tool_call_delta":
            self._calls.add(event.data)
        elif event.event == "done" and (calls := self._calls.lines()):
            self._show_answer("\n\n" + "\n".join(calls))

    def note(self, line: str) -> None:
        text = Text(line.translate(CONTROLS), style="dim")
        if not (self._markdown and self._console.is_terminal and self._markdown.note(text)):
            self._region.print(text)

    def close(self) -> None:
        self._region.stop()
        self._end_trace()
        if self._markdown:
            self._markdown.close()
        self._plain.end_line()

    def _put(self, heading: str, text: Text, aside: str = "") -> None:
        """Prints text for good, under its heading if it is the first there."""
        if heading != self._heading:
            gap = "\n" if self._heading else ""
            head = Text.assemble(
                gap, (heading, "bold cyan"), (f"  {aside}" if aside else "", "dim")
            )
            self._region.print(head)
            self._heading = heading
        if text:
            self._region.print(text)

    def _show_prompt(self, text: str) -> None:
        self._put(PROMPT, Text(text.strip()))

    def _show_trace(self, text: str) -> None:
        """Counts the trace and, if it was asked for, prints the lines of it that are whole."""
        if self._heading == ANSWER:
            return
        self._thinking.think(text)
        if self._reasoning in ("raw", "both"):
            self._trace += text
            whole, end, self._trace = self._trace.rpartition("\n")
            if end and whole.strip():
                self._put(REASONING, Text(whole_characters(whole), style="dim"))
            self._thinking.lines[:] = [self._trace]

    def _end_trace(self) -> None:
        if trace := self._trace.strip():
            self._put(REASONING, Text(whole_characters(trace), style="dim"))
        self._trace = ""

    def _show_line(self, text: str) -> None:
        if self._reasoning == "summary":
            self._thinking.think("")
            self._thinking.lines.append(" ".join(text.split()))

    def _show_summary(self, text: str) -> None:
        self._region.stop()
        self._end_trace()
        if self._reasoning in ("summary", "both"):
            self._put(SUMMARY, Text(text.strip()), self._thinking.status(done=True))

    def _show_answer(self, text: str) -> None:
        if self._heading != ANSWER:
            if not text.strip("\n"):
                return
            self._region.stop()
            self._end_trace()
            self._put(ANSWER, Text())
        if self._markdown:
            self._markdown.put(text)
        else:
            self._plain.put(text)
