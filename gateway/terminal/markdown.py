"""The answer as Markdown on a terminal, block by block as it arrives."""

import time
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Heading, Markdown
from rich.segment import Segment

from gateway.terminal.live_region import LiveRegion
from gateway.terminal.text import join_surrogates

PARSES_PER_SECOND = 10
CODE_THEME = "ansi_dark"
"""The terminal's own colours, on its own background."""


class LeftHeading(Heading):
    """A heading aligned with the text; rich 15 centres some."""

    LEVEL_ALIGN: ClassVar = {}


class MarkdownBlock(Markdown):
    """Renders parsed tokens."""

    elements: ClassVar = {**Markdown.elements, "heading_open": LeftHeading}

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__("", code_theme=CODE_THEME, hyperlinks=False)
        self.parsed = tokens


class MarkdownBlocks:
    """Blocks separated by one empty line, without trailing white space."""

    def __init__(self, blocks: list[list[Token]], tail: bool = False) -> None:
        """tail: render only the last lines, as many as fit on the screen."""
        self._blocks = blocks
        self._tail = tail

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[list[Segment]] = []
        for tokens in self._blocks:
            rendered = console.render_lines(MarkdownBlock(tokens), options, pad=False)
            lines += [[]] * bool(lines) + trim_lines(rendered)
        for line in lines[-max(1, console.height - 2) :] if self._tail else lines:
            yield from line
            yield Segment.line()


def trim_lines(lines: list[list[Segment]]) -> list[list[Segment]]:
    """The lines without trailing white space, and without empty lines at either end."""
    trimmed: list[list[Segment]] = []
    for line in lines:
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            text, style, control = line[-1]
            line[-1] = Segment(text.rstrip(), style, control)
        if line or trimmed:
            trimmed.append(line)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed


def _source(image: Token) -> str:
    return str(image.attrs.get("src", ""))


class MarkdownPrinter:
    """Prints each block when it is complete; until then redraws it in a live region."""

    def __init__(self, console: Console) -> None:
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        self._region = LiveRegion(console, self)
        self._text = ""
        self._printed = False
        self._parsed_s = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blocks = [tokens for _, tokens in self._parse()]
        if blocks:
            last = blocks[-1][-1]
            if last.type == "fence":  # highlight only the visible end of long code
                lines = last.content.splitlines(keepends=True)
                last.content = "".join(lines[-console.height :])
            yield MarkdownBlocks(blocks, tail=True)

    def write(self, text: str) -> None:
        """Adds more of the answer."""
        with self._region:
            at_start = not self._text and not self._printed
            self._text += text.lstrip("\n") if at_start else text
        self._region.start()
        if time.monotonic() - self._parsed_s >= 1 / PARSES_PER_SECOND:
            self._print(final=False)
            self._parsed_s = time.monotonic()

    def note(self, text: RenderableType) -> bool:
        """Prints a note above the region. Returns False, without printing, if none is running."""
        if self._region.running:
            self._region.print(text)
        return self._region.running

    def close(self) -> None:
        """Prints the rest."""
        self._region.stop()
        self._print(final=True)

    def _print(self, final: bool) -> None:
        """Prints the blocks that more text cannot change: all of them, or all but the last."""
        blocks = self._parse()
        complete = blocks if final else blocks[:-1]
        if not complete:
            return
        with self._region:
            lines = self._text.splitlines(keepends=True)
            self._text = "" if final else "".join(lines[blocks[-1][0] :])
            if self._printed:
                self._region.print()
            self._region.print(MarkdownBlocks([tokens for _, tokens in complete]))
            self._printed = True

    def _parse(self) -> list[tuple[int, list[Token]]]:
        """The blocks that are not yet printed, each with the number of its first line."""
        blocks: list[tuple[int, list[Token]]] = []
        for token in self._parser.parse(join_surrogates(self._text)):
            for child in token.children or ():
                if child.type == "softbreak":  # models use single line ends as line breaks
                    child.type = "hardbreak"
                elif child.type == "image":  # rich 15 would show it after the text around it
                    child.type, child.content = (
                        "text",
                        f"[image: {child.content}] ({_source(child)})",
                    )
            if token.level == 0 and token.nesting >= 0:
                blocks.append((token.map[0] if token.map else 0, []))
            blocks[-1][1].append(token)
        return blocks
