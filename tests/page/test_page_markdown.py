"""The page's Markdown: its output, which is the same for every cut of a text, and no raw HTML.

Its formulas are Temml's; what a browser shows of them is in test_page_answer.py.
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

SHOW = """async (pieces) => {
    const { MarkdownView } = await import("/static/any/markdown/view.js");
    const element = document.createElement("div");
    const view = new MarkdownView(element);
    for (const piece of pieces) {
        view.append(piece);
        view.paint();
    }
    view.close();
    await view.settled;
    return element.innerHTML;
}"""

SHOW_WITHOUT_ATTRIBUTES = """async (texts) => {
    const { MarkdownView } = await import("/static/any/markdown/view.js");
    return Promise.all(texts.map(async (text) => {
        const element = document.createElement("div");
        const view = new MarkdownView(element);
        view.append(text);
        view.close();
        await view.settled;
        for (const each of element.querySelectorAll("*")) {
            for (const { name } of [...each.attributes]) {
                const isKept = ["href", "start", "class"].includes(name);
                if (!isKept || each.className.startsWith?.("tml-")) each.removeAttribute(name);
            }
        }
        for (const button of element.querySelectorAll("button")) button.remove();
        return element.innerHTML;
    }));
}"""

CASES = {
    "paragraphs and line breaks": ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
    "emphasis": (
        "**bold *both*** _em_ a_b_c ~~gone~~ 2 * 3 * 4",
        "<p><strong>bold <em>both</em></strong> <em>em</em> a_b_c <del>gone</del> 2 * 3 * 4</p>",
    ),
    "emphasis in Chinese": ("这是**重点**内容。", "<p>这是<strong>重点</strong>内容。</p>"),
    "code in a line": ("`a` and ``b ` c`` `d", "<p><code>a</code> and <code>b ` c</code> `d</p>"),
    "escapes and entities": (r"\*a\* &lt;b&gt; &#x41; &no;", "<p>*a* &lt;b&gt; A &amp;no;</p>"),
    "headings never skip a level": (
        "### a\n# b ##\ntext\n###### c",
        "<h3>a</h3><h3>b</h3><p>text</p><h4>c</h4>",
    ),
    "lists": (
        "- a\n- b\n  - c\n\n    d\n1. e\n2. f",
        "<ul><li>a</li><li>b<ul><li><p>c</p><p>d</p></li></ul></li></ul>"
        "<ol><li>e</li><li>f</li></ol>",
    ),
    "deep lists": (
        "- " * 30 + "a\n\n" + "> " * 30 + "b",
        "<ul><li>" * 12
        + "- " * 18
        + "a"
        + "</li></ul>" * 12
        + "<blockquote>" * 24
        + f"<p>{'&gt; ' * 6}b</p>"
        + "</blockquote>" * 24,
    ),
    "two spaces are enough below a number": (
        "3. a\n  - b\n4. c",
        '<ol start="3"><li>a<ul><li>b</li></ul></li><li>c</li></ol>',
    ),
    "tasks": ("- [ ] a\n- [x] b", '<ul><li class="task">☐ a</li><li class="task">☑ b</li></ul>'),
    "quotes": ("> a\n> - b\n\nc", "<blockquote><p>a</p><ul><li>b</li></ul></blockquote><p>c</p>"),
    "rules": ("a\n\n---\nb\n***", "<p>a</p><hr><p>b</p><hr>"),
    "tables": (
        "| a | b |\n|:-:|--:|\n| 1 | x \\| y |\n| 2 |",
        '<div class="table"><table><thead><tr><th class="to-center">a</th>'
        '<th class="to-end">b</th></tr></thead><tbody><tr><td class="to-center">1</td>'
        '<td class="to-end">x | y</td></tr><tr><td class="to-center">2</td>'
        '<td class="to-end"></td></tr></tbody></table></div>',
    ),
    "code": (
        "```py\nif x:\n    <b>\n\n# no heading\n```\nafter",
        '<div class="listing"><div class="listing-head"><span>py</span></div><pre><code><span>'
        '<span class="hl-keyword">if</span> x:\n    &lt;b&gt;\n\n'
        '<span class="hl-comment"># no heading</span></span></code></pre></div><p>after</p>',
    ),
    "links": (
        "[a *b*](https://x.org/(y) 'z') <https://x.org> see https://x.org/a_b.",
        '<p><a href="https://x.org/(y)">a <em>b</em></a> <a href="https://x.org/">https://x.org</a>'
        ' see <a href="https://x.org/a_b">https://x.org/a_b</a>.</p>',
    ),
    "mail addresses": (
        "<me@x.org> mailto:me@x.org me@x.org",
        '<p><a href="mailto:me@x.org">me@x.org</a> <a href="mailto:me@x.org">mailto:me@x.org</a>'
        " me@x.org</p>",
    ),
    "images are links": (
        "![a cat](http://x.org/cat.png) [![b](http://x.org/b.png)](http://x.org)",
        '<p><a href="http://x.org/cat.png">a cat</a> <a href="http://x.org/">b</a></p>',
    ),
    "other addresses are text": (
        "[a](javascript:alert(1)) [b](/v1/models) [c](data:text/html,x) <javascript:a()>"
        " ![d](javascript:a()) ftp://x.org //x.org [e](JaVa\tscript:a())",
        "<p>[a](javascript:alert(1)) [b](/v1/models) [c](data:text/html,x) &lt;javascript:a()&gt;"
        " ![d](javascript:a()) ftp://x.org //x.org [e](JaVa\tscript:a())</p>",
    ),
    "HTML is text": (
        "<img src=x onerror=alert(1)>\n\n<script>x</script> a<br>b",
        "<p>&lt;img src=x onerror=alert(1)&gt;</p>"
        "<p>&lt;script&gt;x&lt;/script&gt; a&lt;br&gt;b</p>",
    ),
    "a formula in a line": (
        r"so $x_i^2$ or \(\frac{a}{2}\).",
        "<p>so <math><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup></math> or "
        "<math><mfrac><mi>a</mi><mn>2</mn></mfrac></math>.</p>",
    ),
    "a formula on its own lines": (
        "Then\n\\[\n\\sqrt{x} \\le \\alpha\n\\]\nholds.",
        '<p>Then</p><div class="formula"><math><mrow><msqrt><mrow><mi>x</mi><mspace></mspace>'
        "</mrow></msqrt><mo>≤</mo><mi>α</mi></mrow></math></div><p>holds.</p>",
    ),
    "an unknown formula is its source": (
        r"$$\mystery{x}$$",
        '<div class="formula"><code class="tex">\\mystery{x}</code></div>',
    ),
    "money is no formula": ("$5 and $10 or US$ 7", "<p>$5 and $10 or US$ 7</p>"),
}


def test_markdown_becomes_elements(page):
    shown = page.evaluate(SHOW_WITHOUT_ATTRIBUTES, [text for text, _ in CASES.values()])
    assert dict(zip(CASES, shown, strict=True)) == {name: html for name, (_, html) in CASES.items()}


def test_unclosed_marks_count_as_closed_while_the_text_grows(page):
    shown = page.evaluate(
        """async () => {
            const { MarkdownView } = await import("/static/any/markdown/view.js");
            const element = document.createElement("div");
            const view = new MarkdownView(element);
            const seen = [];
            for (const piece of ["so **bo", "ld", "**, `co", "de", "` **"]) {
                view.append(piece);
                view.paint();
                seen.push(element.querySelector("p").innerHTML);
            }
            return seen;
        }"""
    )
    assert shown == [
        "so <strong>bo</strong>",
        "so <strong>bold</strong>",
        "so <strong>bold</strong>, <code>co</code>",
        "so <strong>bold</strong>, <code>code</code>",
        "so <strong>bold</strong>, <code>code</code>",
    ]


GROWING = """async (text) => {
    const { MarkdownView } = await import("/static/any/markdown/view.js");
    const element = document.createElement("div");
    const view = new MarkdownView(element);
    const seen = new Set();
    for (const piece of text) {
        view.append(piece);
        view.paint();
        const shown = element.cloneNode(true);
        for (const math of shown.querySelectorAll("math")) math.remove();
        seen.add(shown.textContent);
    }
    view.close();
    return [...seen];
}"""


def test_a_growing_formula_never_shows_its_source(page):
    for text in (
        r"So $3599 = 59 \times 61$ holds.",
        r"So \(\frac{a}{2}\) holds.",
        "So\n\n$$\n\\frac{a}{2}\n= x^2\n$$\n\nholds.",
        "So\n\\[\n\\sqrt{x}\n\\]\nholds.",
        r"- one $x_i^2$ item",
        "| a | b |\n|---|---|\n| 899 | $30^2 - 1^2$ |",
        "$$\n\\begin{align}\na &= b \\\\\n&= c\n\\end{align}\n$$",
    ):
        seen = page.evaluate(GROWING, text)
        assert [shown for shown in seen if any(sign in shown for sign in "$^{}=\\")] == [], text


def test_money_is_shown_while_it_grows(page):
    seen = page.evaluate(GROWING, "It costs $5 per month, and $10 more later.")
    assert any(shown.endswith("$5 per mon") for shown in seen)
    assert any("and $10 more l" in shown for shown in seen)


def test_a_growing_answer_changes_only_new_nodes(page):
    written = page.evaluate(
        """async () => {
            const { MarkdownView } = await import("/static/any/markdown/view.js");
            const element = document.createElement("div");
            const view = new MarkdownView(element);
            view.append("# Title\\n\\nA **first** paragraph.\\n\\n- one\\n- tw");
            view.paint();
            const observer = new MutationObserver(() => {});
            observer.observe(element, { subtree: true, childList: true, characterData: true });
            view.append("o and more");
            view.paint();
            return observer.takeRecords().map(({ type, target }) => [type, target.data]);
        }"""
    )
    assert written == [["characterData", "two and more"]]


NEIGHBOURS = ["\n\n".join(text for text, _ in pair) for pair in pairwise(CASES.values())]
"""A text for each two cases that follow each other: with one long text of all cases, the time would
grow with its square."""


def test_every_cut_into_two_pieces_shows_the_same(page):
    wrong = page.evaluate(
        f"""async (texts) => {{
            const show = {SHOW};
            const wrong = [];
            for (const text of texts) {{
                const whole = await show([text]);
                for (let at = 1; at < text.length; at += 1) {{
                    const cut = await show([text.slice(0, at), text.slice(at)]);
                    if (cut !== whole) wrong.push([text, at]);
                }}
            }}
            return wrong;
        }}""",
        NEIGHBOURS,
    )
    assert wrong == []


def test_all_cases_one_character_at_a_time_show_the_same(page):
    text = "\n\n".join(text for text, _ in CASES.values())
    assert page.evaluate(SHOW, list(text)) == page.evaluate(SHOW, [text])


LINE = st.text(
    st.one_of(st.sampled_from("*_`~[]()!<>#-+|:$\\. \t1&"), st.sampled_from("aé你👍")), max_size=9
)
START = st.sampled_from(
    [
        "",
        "",
        "",
        "# ",
        "- ",
        "  - ",
        "1. ",
        "> ",
        "```",
        "~~~",
        "$$",
        "\\[",
        "\\]",
        "|-|",
        "a|b",
        "---",
    ]
)
TEXT = st.lists(st.builds(str.__add__, START, LINE), max_size=9).map("\n".join)


@given(text=TEXT, data=st.data())
def test_any_cut_of_any_text_shows_the_same(page, text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert page.evaluate(SHOW, pieces) == page.evaluate(SHOW, [text])


@pytest.mark.parametrize("line", ["# ", "- b", "1. b", "> b", "| b |", "```", "---"])
@pytest.mark.parametrize("marks", [("\\[", "\\]"), ("$$", "$$")])
def test_lines_of_a_growing_formula_begin_no_other_block(page, line, marks):
    text = "\n".join([marks[0], "a", line, line, line, marks[1], "", "end"])
    pieces = text.splitlines(keepends=True)
    assert page.evaluate(SHOW, pieces) == page.evaluate(SHOW, [text])


@given(
    text=TEXT,
    evil=st.sampled_from(
        ["<img src=x onerror=a()>", "<script>", "<svg/onload=a()>", "<a href=//x>"]
    ),
)
def test_html_never_becomes_an_element(page, text, evil):
    at = len(text) // 2
    found = page.evaluate(
        """async (text) => {
            const { MarkdownView } = await import("/static/any/markdown/view.js");
            const element = document.createElement("div");
            const view = new MarkdownView(element);
            view.append(text);
            view.close();
            await view.settled;
            const odd = element.querySelectorAll("img, script, svg, iframe, [onerror], [onload]");
            const links = [...element.querySelectorAll("a")].map((link) => link.protocol);
            return [odd.length, links.filter((name) => !/^(https?|mailto):$/.test(name))];
        }""",
        text[:at] + evil + text[at:],
    )
    assert found == [0, []]
