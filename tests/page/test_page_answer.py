"""What a browser shows of an answer: Markdown, formulas and colours by libraries that come late."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.test_page_access import LOOKS, overflow, violations

TEXT = r"""# Title

Some **bold** text with $x_i^2$ and \(\frac{a}{b}\).

## Part

1. one
   - nested
     - deeper
2. two

| a | b |
|---|--:|
| 1 | $\alpha$ |

$$
\begin{align}
a &= \cancel{b} \\
&= \begin{pmatrix} 1 & 0 \end{pmatrix}
\end{align}
$$

```python
def twice(n: int) -> str:
    return "x" * 2  # comment
```

```diff
- old
+ new
```

```html
<p class="a">text</p>
```

```made-up" onclick="alert(1)
nothing = 1
```

<img src=x onerror=alert(1)> <b>text</b> [a](javascript:alert(1)) ![b](javascript:alert(1))

$\href{javascript:alert(1)}{x}$ and $\style{position:fixed}{x}$ and $\kern-900em x$
"""


def answer(demo, named_events, text: str) -> None:
    demo.answer_with(
        named_events(("final_output_delta", {"text": text}), ("done", {"finish_reason": "stop"}))
    )
    demo.ask_and_wait("hi", model="default")


@pytest.fixture
def loaded(page: Page) -> list[str]:
    """The names of the libraries' files that the page has asked for."""
    names: list[str] = []
    page.on(
        "request",
        lambda request: (
            names.append(request.url.split("/vendor/")[1]) if "/vendor/" in request.url else None
        ),
    )
    return names


@pytest.mark.usefixtures("first_visit")
def test_an_answer_is_drawn_and_each_library_is_loaded_when_it_is_needed(
    demo, named_events, loaded
):
    shown = demo.answer
    assert loaded == []
    answer(demo, named_events, "Only text for **$5**.\n\n```\nno language\n```")
    expect(shown.locator("strong")).to_have_text("$5")
    assert loaded == ["markdown-it/markdown-it.esm.min.mjs"]

    answer(demo, named_events, TEXT)
    expect(shown.locator("math")).to_have_count(4)
    assert set(loaded[1:]) == {
        "temml/temml.min.js",
        "highlight.js/core.min.js",
        *(
            f"highlight.js/languages/{name}.min.js"
            for name in ("python", "diff", "xml", "css", "javascript")
        ),
    }
    assert len(loaded) == len(set(loaded))
    expect(shown.locator("h3")).to_have_text("Title")
    expect(shown.locator("h4")).to_have_text("Part")
    expect(shown.locator("ol > li > ul > li > ul > li")).to_have_text("deeper")
    expect(shown.locator("td").first).to_have_text("1")
    expect(shown.locator("td math")).to_have_text("α")
    display = shown.locator('.formula math[display="block"]')
    assert display.locator("mtr").count() == 3
    assert display.bounding_box()["height"] > 30
    code = shown.locator(".listing")
    expect(code.first.locator(".hl-keyword").first).to_have_text("def")
    expect(code.first.locator(".hl-comment")).to_have_text("# comment")
    expect(code.nth(1).locator(".hl-addition")).to_have_text("+ new")
    expect(code.nth(2).locator(".hl-name").first).to_have_text("p")
    expect(code.last.locator("code")).to_have_text("nothing = 1")
    colours = {
        code.first.locator(f".hl-{name}").first.evaluate("it => getComputedStyle(it).color")
        for name in ("keyword", "string", "comment", "number", "title")
    }
    assert len(colours) == 5

    assert shown.locator("img, b, script, a, [onclick], [style*=fixed]").count() == 0
    expect(shown).to_contain_text(
        "<img src=x onerror=alert(1)> <b>text</b> [a](javascript:alert(1))"
    )
    assert shown.locator("code.tex").count() == 3
    code.first.get_by_role("button", name="Copy").click()
    expect(code.first.get_by_role("button")).to_have_text("Copied")
    copied = demo.page.evaluate("navigator.clipboard.readText()")
    assert copied == 'def twice(n: int) -> str:\n    return "x" * 2  # comment'

    for scheme, width in LOOKS:
        demo.show_in(scheme, width)
        assert overflow(demo.page) == 0
        assert violations(demo.page) == [], (scheme, width)


class Held:
    """Keeps the answers to some requests of the page back."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page = page
        self._routes: list[Route] = []
        self._pattern = pattern
        page.route(pattern, lambda route: self._routes.append(route))

    def release(self) -> None:
        for route in self._routes:
            route.continue_()
        self._page.unroute(self._pattern)


@pytest.mark.usefixtures("first_visit")
def test_text_is_plain_until_markdown_it_is_loaded(demo, scripted):
    held = Held(demo.page, "**/markdown-it/*")
    demo.ask("hi", model="default")
    scripted.say(("final_output_delta", {"text": "# Title\n\nSome **bo"}))
    expect(demo.answer).to_have_text("# Title\n\nSome **bo")
    expect(demo.answer).to_have_css("white-space", "pre-wrap")

    scripted.say(("final_output_delta", {"text": "ld** text"}))
    scripted.say(("done", {"finish_reason": "stop"}))
    expect(demo.status).to_contain_text("Done in")
    expect(demo.answer).to_have_text("# Title\n\nSome **bold** text")
    held.release()
    expect(demo.answer.locator("h3")).to_have_text("Title")
    expect(demo.answer.locator("strong")).to_have_text("bold")
    expect(demo.answer.locator("p")).to_have_css("white-space", "normal")


@pytest.mark.usefixtures("first_visit")
def test_formulas_and_colours_come_when_their_libraries_are_loaded(demo, scripted):
    temml = Held(demo.page, "**/temml/*")
    highlight = Held(demo.page, "**/highlight.js/**")
    demo.ask("hi", model="default")

    def say(text: str) -> None:
        scripted.say(("final_output_delta", {"text": text}))

    say("So $\\frac{a")
    expect(demo.answer).to_have_text("So …")
    say("}{b}$ holds.\n\n```py\nif x:\n")
    expect(demo.answer.locator("p").first).to_have_text("So … holds.")
    expect(demo.answer.locator("code")).to_have_text("if x:")
    say("```\n\n- $y$\n- two\n- three\n\nThen\n\n$$\nz")
    expect(demo.answer).to_contain_text("Then…")
    temml.release()
    expect(demo.answer.locator("math")).to_have_text(["ab", "y"])
    expect(demo.answer.locator(".hl-keyword")).to_have_count(0)
    highlight.release()
    expect(demo.answer.locator(".hl-keyword")).to_have_text("if")
    say("^2\n$$\n\nThe end $\\alpha")
    expect(demo.answer.locator("math")).to_have_text(["ab", "y", "z2"])
    expect(demo.answer.locator("p").last).to_have_text("The end …")
    scripted.say(("done", {"finish_reason": "stop"}))
    expect(demo.answer.locator("p").last).to_have_text("The end $\\alpha")
