"""Markdown and formulas that are made to stall or to break the page."""

import pytest

FORMULA = """async (tex) => {
    const { MarkdownView } = await import("/static/any/markdown/view.js");
    const element = document.createElement("div");
    const view = new MarkdownView(element);
    view.append(`before $${tex}$ after`);
    view.close();
    return [element.textContent, element.querySelector("code.tex") !== null];
}"""

STEPS = """async ([piece, size]) => {
    const { inline } = await import("/static/any/markdown/inline.js");
    const seconds = (chars) => {
        const text = piece.repeat(Math.floor(chars / piece.length));
        let least = Infinity;
        for (let run = 0; run < 3; run += 1) {
            const began = performance.now();
            inline(text);
            least = Math.min(least, performance.now() - began);
        }
        return least;
    };
    seconds(2000);
    return [seconds(size), seconds(2 * size)];
}"""


@pytest.mark.parametrize(
    "tex",
    [
        r"\constructor",
        r"\toString",
        r"\hasOwnProperty x",
        r"\frac" * 20_000,
        r"\hat" * 20_000,
        r"\not" * 20_000,
        r"\sqrt[" * 5_000,
        "{" * 20_000,
    ],
    ids=lambda tex: tex[:12],
)
def test_a_formula_that_cannot_be_set_is_shown_as_its_source(page, tex):
    text, is_source = page.evaluate(FORMULA, tex)
    assert is_source
    assert text.startswith("before ")
    assert text.endswith(" after")


@pytest.mark.parametrize("piece", ["*a_", "_a*", "**a_ ", "~~a_", "[", "![", "[a](", "`", "$a "])
def test_twice_the_text_takes_twice_the_time(page, piece):
    one, two = page.evaluate(STEPS, [piece, 30_000])
    assert two < 3.2 * one + 20, (one, two)
