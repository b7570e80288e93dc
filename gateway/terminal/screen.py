"""A live screen: a moving region while the model thinks, then the summary, then the answer."""

import time
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.text import Text

from gateway.terminal.errors import ClientError
from gateway.terminal.events import Event
from gateway.terminal.keyboard import Keyboard
from gateway.terminal.live_region import LiveRegion
from gateway.terminal.markdown import MarkdownPrinter
from gateway.terminal.output import Output, ToolCalls, to_stdout
from gateway.terminal.sections import ANSWER, PROMPT, REASONING, SUMMARY, TrimmedWriter
from gateway.terminal.text import estimate_tokens, join_surrogates, strip_controls, utf8_size

MAX_LIVE_LINES = 8
"""How many of the latest summary lines the region shows, if the screen has room."""
ANSWER_KEY = "a"


def make_consoles(colour: bool) -> tuple[Console, Console]:
    """rich's consoles for stdout and stderr."""
    no_color = None if colour else True
    return Console(no_color=no_color, highlight=False), Console(
        no_color=no_color, highlight=False, stderr=True
    )


class ThinkingStatus:
    """What the region shows while the model thinks: a clock, tokens, the latest lines."""

    def __init__(self, console: Console) -> None:
        unicode = console.encoding.startswith("utf")
        self._spinner = Spinner("dots" if unicode else "line", style="cyan")
        self._start_s = time.monotonic()
        self._thinking_start_s: float | None = None
        self._bytes = 0
        self._label = "Waiting for the model"
        self.lines: list[str] = []
        self.hint = ""
        """Says which key can be pressed, and what it has done."""

    def add_reasoning(self, text: str) -> None:
        """Counts more of the trace. The first call starts the clock, also with an empty text."""
        self._thinking_start_s = self._thinking_start_s or time.monotonic()
        self._bytes += utf8_size(text)
        self._label = "Thinking"

    def status(self, done: bool = False) -> str:
        """A line like `Thinking for 3.4 s · about 41 tokens`."""
        seconds = time.monotonic() - (self._thinking_start_s or self._start_s)
        tokens = estimate_tokens(self._bytes)
        count = f" · about {tokens:,} tokens" if tokens else ""
        return f"{'Thought' if done else self._label} for {seconds:.1f} s{count}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._spinner.update(text=Text(self.status(), style="cyan"))
        yield Text()
        yield self._spinner
        room = max(0, min(MAX_LIVE_LINES, console.height - 6))
        yield from self._latest(console, options.max_width, room)
        if self.hint:
            yield Text("  " + self.hint, style="cyan", no_wrap=True, overflow="ellipsis")

    def _latest(self, console: Console, width: int, room: int) -> list[Text]:
        """The latest lines, wrapped, as many as there is room for."""
        wrapped: list[Text] = []
        for line in reversed(self.lines):
            if len(wrapped) >= room:
                break
            pieces = Text(line, style="dim").wrap(console, max(8, width - 2))
            wrapped = [*(Text("  ").append_text(piece) for piece in pieces), *wrapped]
        return wrapped[-room:] if room else []


class Screen(Output):
    """The phases on stderr, the answer on stdout: as Markdown if that is a terminal too."""

    def __init__(self, reasoning: str, colour: bool) -> None:
        super().__init__()
        stdout, self._console = make_consoles(colour)
        self._reasoning = reasoning
        self._thinking = ThinkingStatus(self._console)
        self._region = LiveRegion(self._console, self._thinking)
        self._markdown = MarkdownPrinter(stdout) if stdout.is_terminal else None
        self._plain = TrimmedWriter(to_stdout)
        self._heading = ""
        self._partial_line = ""
        self._calls = ToolCalls()
        self._keyboard: Keyboard | None = None
        self._handlers: dict[str, Callable[[str], None]] = {
            "prompt_summary": self._show_prompt,
            "reasoning_delta": self._show_reasoning,
            "reasoning_summary_delta": self._show_summary_line,
            "reasoning_summary": self._show_summary,
            "final_output_delta": self._show_answer,
        }

    def __enter__(self) -> "Output":
        self._region.start()
        return self

    def on_stream(self, answer_now: Callable[[], None]) -> None:
        def ask() -> None:
            self._thinking.hint = "Ending the thinking…"
            try:
                answer_now()
            except ClientError as error:
                self._thinking.hint = error.message

        self._keyboard = Keyboard({ANSWER_KEY: ask})
        if self._keyboard.start():
            self._thinking.hint = f"{ANSWER_KEY}: answer now"

    def show(self, event: Event) -> None:
        super().show(event)
        if handler := self._handlers.get(event.name):
            handler(event.text)
        elif event.name == "tool_call_delta":
            self._calls.add(event.data)
        elif event.name == "done" and (calls := self._calls.lines()):
            self._show_answer("\n\n" + "\n".join(calls))

    def note(self, line: str) -> None:
        text = Text(strip_controls(line), style="dim")
        if not (self._markdown and self._console.is_terminal and self._markdown.note(text)):
            self._region.print(text)

    def close(self) -> None:
        self._end_thinking()
        self._keep_lines()
        if self._markdown:
            self._markdown.close()
        self._plain.end_line()

    def _keep_lines(self) -> None:
        """Prints the live lines of a turn that has ended before its summary arrived."""
        lines = self._thinking.lines
        if self._reasoning == "summary" and lines and self._heading in ("", PROMPT):
            self._print(SUMMARY, Text("\n".join(lines)), self._thinking.status(done=True))

    def _print(self, heading: str, text: Text, status: str = "") -> None:
        """Prints text above the live region; a new heading comes first, followed by `status`."""
        if heading != self._heading:
            gap = "\n" if self._heading else ""
            head = Text.assemble(
                gap, (heading, "bold cyan"), (f"  {status}" if status else "", "dim")
            )
            self._region.print(head)
            self._heading = heading
        if text:
            self._region.print(text)

    def _show_prompt(self, text: str) -> None:
        if self.says_more(text):
            self._print(PROMPT, Text(text.strip()))

    def _show_reasoning(self, text: str) -> None:
        """Counts the trace and, if it was requested, prints its complete lines."""
        if self._heading == ANSWER:
            return
        self._thinking.add_reasoning(text)
        if self._reasoning in ("raw", "both"):
            text = self._partial_line + text
            complete, line_end, self._partial_line = text.rpartition("\n")
            if line_end and complete.strip():
                self._print(REASONING, Text(join_surrogates(complete), style="dim"))
            self._thinking.lines[:] = [self._partial_line]

    def _end_reasoning(self) -> None:
        if line := self._partial_line.strip():
            self._print(REASONING, Text(join_surrogates(line), style="dim"))
        self._partial_line = ""

    def _show_summary_line(self, text: str) -> None:
        if self._reasoning == "summary":
            self._thinking.add_reasoning("")
            self._thinking.lines.append(" ".join(text.split()))

    def _end_thinking(self) -> None:
        if self._keyboard is not None:
            self._keyboard.stop()
        self._region.stop()
        self._end_reasoning()

    def _show_summary(self, text: str) -> None:
        self._end_thinking()
        if self._reasoning in ("summary", "both"):
            self._print(SUMMARY, Text(text.strip()), self._thinking.status(done=True))

    def _show_answer(self, text: str) -> None:
        if self._heading != ANSWER:
            if not text.strip("\n"):
                return
            self._end_thinking()
            self._print(ANSWER, Text())
        if self._markdown:
            self._markdown.write(text)
        else:
            self._plain.write(text)
