"""The answer as Markdown: what the screen shows, however the text was cut."""

import io
from itertools import pairwise
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gateway.terminal import markdown
from gateway.terminal.markdown import MarkdownPrinter

TEXT = """\
# A title

First *words*, `code` and
a line of its own. <b>No HTML</b> \\* and 1 < 2.

- one
- two **bold**

  still two

| a | b |
|---|--:|
| 1 | 22 |

```python
def f(x):
    return x  # ü 🤔
```
Setext
======
> quoted
> twice

1. first
2. second

[a link](http://example.test/x) and ~~gone~~

---

    indented code

The end."""


def screen_of(deltas: list[str], columns: int = 60, rows: int = 10) -> list[str]:
    """The lines on the screen after these deltas, with those that have scrolled out of it."""
    written = io.StringIO()
    answer = MarkdownPrinter(Console(file=written, force_terminal=True, width=columns, height=rows))
    for delta in deltas:
        answer.write(delta)
    answer.close()
    screen = pyte.HistoryScreen(columns, rows, history=1000)
    pyte.Stream(screen).feed(written.getvalue().replace("\n", "\r\n"))
    kept: list[Any] = list(screen.history.top)
    lines = ["".join(row[x].data for x in range(columns)) for row in kept]
    return [line.rstrip() for line in [*lines, *screen.display]]


@given(st.lists(st.integers(1, len(TEXT) - 1), max_size=12, unique=True))
def test_the_screen_is_the_same_however_the_text_was_cut(cuts: list[int]) -> None:
    places = sorted({0, len(TEXT), *cuts})
    deltas = [TEXT[a:b] for a, b in pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markdown, "PARSES_PER_SECOND", 1e9)  # parse every delta
        assert screen_of(deltas) == screen_of([TEXT])


def test_markdown_is_rendered() -> None:
    assert "\n".join(screen_of([TEXT], rows=60)).strip() == RENDERED.strip()


def test_html_is_shown_as_text_and_line_ends_are_kept() -> None:
    assert screen_of(["<think>a</think>\n", "b"])[:2] == ["<think>a</think>", "b"]


def test_surrogate_pairs_cut_in_half_are_joined() -> None:
    assert screen_of(["a \ud83e", "\udd14 b"])[0].startswith("a 🤔")


def test_code_longer_than_the_screen_is_printed_in_full() -> None:
    code = "".join(f"line {number}\n" for number in range(200))
    text = "\n".join(screen_of([f"```\n{code[:900]}", code[900:], "```\n"]))
    assert [line for line in text.split("\n") if line.strip().startswith("line")] == [
        f" line {number}" for number in range(200)
    ]


RENDERED = """
A title

First words, code and
a line of its own. <b>No HTML</b> * and 1 < 2.

 • one
 • two bold
   still two

 a   b
 ─────
 1  22

 def f(x):
     return x  # ü 🤔

Setext

▌ quoted
▌ twice

 1 first
 2 second

a link (http://example.test/x) and gone

------------------------------------------------------------

 indented code

The end.
"""
