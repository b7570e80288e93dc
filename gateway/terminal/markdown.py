"""The answer as Markdown on a terminal, block by block as it arrives."""

import time
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Heading, Markdown
from rich.segment import Segment

from gateway.terminal.region import Region
from gateway.terminal.stream import whole_characters

PRINTS_A_SECOND = 10
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


class Blocks:
    """Blocks with one empty line between them, and no blanks at the ends of lines."""

    def __init__(self, blocks: list[list[Token]], tail: bool = False) -> None:
        """tail: only the last lines, as many as the screen has room for."""
        self._blocks = blocks
        self._tail = tail

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[list[Segment]] = []
        for tokens in self._blocks:
            rendered = console.render_lines(Block(tokens), options, pad=False)
            lines += [[]] * bool(lines) + without_blanks(rendered)
        for line in lines[-max(1, console.height - 2) :] if self._tail else lines:
            yield from line
            yield Segment.line()


def without_blanks(lines: list[list[Segment]]) -> list[list[Segment]]:
    """The lines without white space at their ends, and without empty lines around them."""
    shown: list[list[Segment]] = []
    for line in lines:
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            text, style, control = line[-1]
            line[-1] = Segment(text.rstrip(), style, control)
        if line or shown:
            shown.append(line)
    while shown and not shown[-1]:
        shown.pop()
    return shown


class Answer:
    """Prints each block once it is whole; until then the last one is redrawn in its place."""

    def __init__(self, console: Console) -> None:
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        self._region = Region(console, self)
        self._text = ""
        self._printed = False
        self._parsed_s = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blocks = [tokens for _, tokens in self._blocks()]
        if blocks:
            last = blocks[-1][-1]
            if last.type == "fence":  # only the end of long code is seen, so only that is coloured
                lines = last.content.splitlines(keepends=True)
                last.content = "".join(lines[-console.height :])
            yield Blocks(blocks, tail=True)

    def put(self, text: str) -> None:
        """Takes more of the answer."""
        with self._region:
            fresh = not self._text and not self._printed
            self._text += text.lstrip("\n") if fresh else text
        self._region.start()
        if time.monotonic() - self._parsed_s >= 1 / PRINTS_A_SECOND:
            self._print(whole=False)
            self._parsed_s = time.monotonic()

    def note(self, text: RenderableType) -> bool:
        """Prints something else above what is being redrawn; False if nothing is."""
        if self._region.moves:
            self._region.print(text)
        return self._region.moves

    def close(self) -> None:
        """Prints what is left."""
        self._region.stop()
        self._print(whole=True)

    def _print(self, whole: bool) -> None:
        """Prints the blocks that no more text can change: all but the last, or all."""
        blocks = self._blocks()
        ready = blocks if whole else blocks[:-1]
        if not ready:
            return
        with self._region:
            lines = self._text.splitlines(keepends=True)
            self._text = "" if whole else "".join(lines[blocks[-1][0] :])
            if self._printed:
                self._region.print()
            self._region.print(Blocks([tokens for _, tokens in ready]))
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
