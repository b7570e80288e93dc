"""The answer as Markdown on a terminal, block by block as it arrives."""

import time
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Heading, Markdown
from rich.segment import Segment

from terminal.stream import whole_characters

REDRAWS_A_SECOND = 10
CODE_THEME = "ansi_dark"
"""The terminal's own colours, on its own background."""


class LeftHeading(Heading):
    """A heading that stands where the text stands."""

    LEVEL_ALIGN: ClassVar = {}


class Block(Markdown):
    """Markdown from tokens: HTML stays text, and a line end stays a line end."""

    elements: ClassVar = {**Markdown.elements, "heading_open": LeftHeading}

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False)
        self.parsed = tokens


class Tail:
    """The last lines of something, as many as the screen has room for."""

    def __init__(self, whole: RenderableType) -> None:
        self._whole = whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._whole, options, pad=False)
        for line in lines[-max(1, console.height - 2) :]:
            yield from line
            yield Segment.line()


class Answer:
    """Prints each block once it is whole; until then the last one is redrawn in its place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        self._live = Live(
            self,
            console=console,
            refresh_per_second=REDRAWS_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._text = ""
        self._printed = False
        self._parsed_s = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blocks = self._blocks()
        if blocks:
            yield Tail(Block([token for _, tokens in blocks for token in tokens]))

    def put(self, text: str) -> None:
        """Takes more of the answer."""
        self._text = self._text + text if self._text or self._printed else text.lstrip("\n")
        self._live.start()
        if time.monotonic() - self._parsed_s >= 1 / REDRAWS_A_SECOND:
            self._print(whole=False)
            self._parsed_s = time.monotonic()

    def note(self, text: RenderableType) -> bool:
        """Prints something else above what is being redrawn; False if nothing is."""
        if self._live.is_started:
            self._console.print(text)
        return self._live.is_started

    def close(self) -> None:
        """Prints what is left."""
        self._live.stop()
        self._print(whole=True)

    def _print(self, whole: bool) -> None:
        """Prints the blocks that no more text can change: all but the last, or all."""
        blocks = self._blocks()
        ready = blocks if whole else blocks[:-1]
        if ready:
            lines = self._text.splitlines(keepends=True)
            self._text = "".join(lines[blocks[-1][0] :]) if not whole else ""
        for _, tokens in ready:
            if self._printed:
                self._console.print()
            self._console.print(Block(tokens))
            self._printed = True

    def _blocks(self) -> list[tuple[int, list[Token]]]:
        """The blocks of the text that is not printed yet, each with its first line."""
        blocks: list[tuple[int, list[Token]]] = []
        for token in self._parser.parse(whole_characters(self._text)):
            for child in token.children or ():
                if child.type == "softbreak":
                    child.type = "hardbreak"
            if token.level == 0 and token.nesting >= 0:
                blocks.append((token.map[0] if token.map else 0, []))
            blocks[-1][1].append(token)
        return blocks
