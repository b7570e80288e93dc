"""Markdown and formulas that are made to stall or to break the page."""

import pytest

FORMULA = """async (tex) => {
    const { MarkdownView } = await import("/static/any/markdown/view.js");
    const element = document.createElement("div");
    const view = new MarkdownView(element);
    view.append(`before $${tex}$ after`);
    view.close();
    await view.settled;
    return [element.textContent, element.querySelector("code.tex") !== null];
}"""

STEPS = """async ([piece, size]) => {
    const { blocks } = await import("/static/any/markdown/elements.js");
    const milliseconds = (chars) => {
        const text = piece.repeat(Math.floor(chars / piece.length));
        const began = performance.now();
        blocks(text.split("\\n"));
        return performance.now() - began;
    };
    milliseconds(2000);
    // Other processes slow some runs down, so the fastest run of each size counts.
    const least = [Infinity, Infinity];
    for (let run = 0; run < 7; run += 1)
        for (const [at, chars] of [size, 4 * size].entries())
            least[at] = Math.min(least[at], milliseconds(chars));
    return least;
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


@pytest.mark.parametrize(
    "piece", ["*a_", "_a*", "**a_ ", "~~a_", "[", "![", "[a](", "`", "$a ", "https://"]
)
def test_the_time_is_linear_in_the_text(page, piece):
    found = []
    for _ in range(5):  # a busy machine can stop the page for longer than the shorter text takes
        one, four = page.evaluate(STEPS, [piece, 15_000])
        found.append((one, four))
        if four < 9 * one + 20:  # 16 if it were quadratic
            return
    raise AssertionError(found)
