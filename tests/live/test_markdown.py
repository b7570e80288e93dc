"""The answer as Markdown on a terminal: what is left on the screen, however the text was cut."""

import io
from itertools import pairwise
from typing import Any

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from gateway.terminal import markdown
from gateway.terminal.markdown import Answer

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


def screen_of(pieces: list[str], columns: int = 60, rows: int = 10) -> list[str]:
    """What can be read after these pieces, on a small screen that has scrolled."""
    written = io.StringIO()
    answer = Answer(Console(file=written, force_terminal=True, width=columns, height=rows))
    for piece in pieces:
        answer.put(piece)
    answer.close()
    screen = pyte.HistoryScreen(columns, rows, history=1000)
    pyte.Stream(screen).feed(written.getvalue().replace("\n", "\r\n"))
    kept: list[Any] = list(screen.history.top)
    lines = ["".join(row[x].data for x in range(columns)) for row in kept]
    return [line.rstrip() for line in [*lines, *screen.display]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, len(TEXT) - 1), max_size=12, unique=True))
def test_the_screen_is_the_same_however_the_text_was_cut(cuts: list[int]) -> None:
    places = sorted({0, len(TEXT), *cuts})
    pieces = [TEXT[a:b] for a, b in pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markdown, "PRINTS_A_SECOND", 1e9)  # each piece is looked at
        assert screen_of(pieces) == screen_of([TEXT])


def test_what_a_person_reads() -> None:
    assert "\n".join(screen_of([TEXT], rows=60)).strip() == READ.strip()


def test_html_stays_text_and_a_line_end_a_line_end() -> None:
    assert screen_of(["<think>a</think>\n", "b"])[:2] == ["<think>a</think>", "b"]


def test_halves_of_a_character_come_together() -> None:
    assert screen_of(["a \ud83e", "\udd14 b"])[0].startswith("a 🤔")


def test_code_longer_than_the_screen_is_printed_whole() -> None:
    code = "".join(f"line {number}\n" for number in range(200))
    text = "\n".join(screen_of([f"```\n{code[:900]}", code[900:], "```\n"]))
    assert [line for line in text.split("\n") if line.strip().startswith("line")] == [
        f" line {number}" for number in range(200)
    ]


READ = """
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
