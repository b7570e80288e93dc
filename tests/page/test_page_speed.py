"""Speed: the page's size, the first paint, and no long tasks during long answers."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.machine import MARGIN, allowed

pytestmark = pytest.mark.usefixtures("moving")

LONG_TASK_MS = 50

PARAGRAPH = "Some **bold** words, `code` and [a link](https://example.org) in a paragraph. " * 3
SECTION = "\n\n".join(
    [
        "## A heading",
        PARAGRAPH,
        "- first item of a list\n- second item of a list\n  - nested below it",
        "| column | figure |\n|---|--:|\n| row | 1 |\n| row | 2 |",
        "```python\nfor number in range(10):\n    print(number)\n```",
        "Then $x_i = \\frac{a}{b}$ follows.\n\n",
    ]
)

FEED = """async ([pieces, perSecond]) => {
    const encode = (text) => new TextEncoder().encode(
        `event: final_output_delta\\ndata: ${JSON.stringify({ text })}\\n\\n`);
    const real = window.fetch;
    window.fetch = async (url, init) => {
        if (!init?.body) return real(url, init);
        const begun = performance.now();
        let sent = 0;
        return new Response(new ReadableStream({
            async pull(controller) {
                await new Promise((resolve) => setTimeout(resolve, 5));
                const due = (performance.now() - begun) / 1000 * perSecond;
                const end = Math.min(due, sent + 200, pieces.length);
                for (; sent < end; sent += 1) {
                    controller.enqueue(encode(pieces[sent]));
                }
                if (sent < pieces.length) return;
                controller.enqueue(new TextEncoder().encode(
                    'event: done\\ndata: {"finish_reason":"stop"}\\n\\n'));
                controller.close();
            },
        }));
    };
}"""


ASK = """() => new Promise((resolve) => {
    const observer = new MutationObserver(() => {
        if (document.querySelector(".turn [data-part=foot]")?.checkVisibility()) resolve();
    });
    observer.observe(document.querySelector("#turns"), {
        subtree: true, attributeFilter: ["hidden"],
    });
    document.querySelector("#composer").requestSubmit();
})"""
"""Sends the prompt, and waits inside the page until everything is drawn: in a large page, a query
from outside takes longer than any task of the page itself."""


def tokens(count: int) -> list[str]:
    pieces = re.findall(r"\s*\w+|\s*[^\w\s]|\s+$", SECTION)
    return (pieces * (count // len(pieces) + 1))[:count]


def longest_task_ms(demo, pieces: list[str], per_second: int) -> float:
    """Streams an answer in these pieces. Returns the duration of the longest task.

    The wall time of a task, which the Long Tasks API reports, includes the time of other processes.
    The CPU time of a thread sometimes jumps on a virtual machine (4 ms measured as 48). So the
    duration is the lesser of the two.
    """
    browser = demo.page.context.browser
    demo.page.evaluate(FEED, [pieces, per_second])
    demo.choose(model="default")
    demo.prompt.fill("hi")
    browser.start_tracing(page=demo.page, categories=["disabled-by-default-devtools.timeline"])
    demo.page.evaluate(ASK)
    trace = json.loads(browser.stop_tracing())["traceEvents"]
    expect(demo.status).to_contain_text("Done in")
    assert len(demo.answer.text_content()) > 0.6 * len("".join(pieces))
    main_threads = {
        (event["pid"], event["tid"])
        for event in trace
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return max(
        min(event["tdur"], event["dur"]) / 1000
        for event in trace
        if event["name"] == "RunTask"
        and (event["pid"], event["tid"]) in main_threads
        and "tdur" in event
    )


def has_no_long_task(demo, pieces: list[str], per_second: int) -> bool:
    """True if one of three runs has no long task: other processes may disturb a run."""
    for _ in range(3):
        if longest_task_ms(demo, pieces, per_second) < allowed(LONG_TASK_MS) / MARGIN:
            return True
        demo.page.get_by_test_id("new-chat").click()
    return False


# The page promises 10,000 tokens at 200 a second. Ten times that rate makes the test shorter.
@pytest.mark.alone
def test_10000_tokens_at_2000_a_second_cause_no_long_task_with_the_inspector_open(demo):
    demo.page.get_by_test_id("inspect").click()
    assert has_no_long_task(demo, tokens(10_000), 2_000)


@pytest.mark.alone
def test_10000_tokens_at_once_cause_no_long_task(demo):
    assert has_no_long_task(demo, tokens(10_000), 1_000_000)


@pytest.mark.alone
def test_an_answer_in_one_piece_causes_no_long_task(demo):
    assert has_no_long_task(demo, ["".join(tokens(10_000))], 1_000_000)


def test_a_frame_draws_less_if_drawing_is_slow(demo):
    drawn = demo.page.evaluate(
        """async (frames) => {
            const { Pace } = await import("/static/any/pace.js");
            const pace = new Pace();
            return frames.map((ms) => { pace.frameTook(ms); return pace.chars; });
        }""",
        [1, 1, 1, 1, 1, 1, 1, 10, 4000],
    )
    *fast, slow, very_slow = drawn
    assert fast == sorted(fast)
    assert (fast[-1], slow, very_slow) == (6000, 3000, 500)


@pytest.mark.usefixtures("first_visit")
def test_the_page_is_small_and_sends_no_request_elsewhere(demo, gateway_url):
    sizes = demo.page.evaluate(
        """() => performance.getEntriesByType("resource")
            .concat(performance.getEntriesByType("navigation"))
            .map(({ name, transferSize }) => [name, transferSize])"""
    )
    assert len(sizes) > 20
    assert {name for name, _ in sizes if not name.startswith(gateway_url)} == set()
    assert sum(size for _, size in sizes) < 100_000


def test_the_page_is_small_without_compression_too(demo, gateway_url):
    paths = demo.page.evaluate(
        "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
    )
    files = {path for path in paths if path.startswith("/static/")} | {"/"}
    plain = {"Accept-Encoding": "identity"}
    answers = [demo.page.request.get(f"{gateway_url}{path}", headers=plain) for path in files]
    assert all(answer.ok for answer in answers)
    assert sum(len(answer.body()) for answer in answers) < 155_000


@pytest.mark.alone
@pytest.mark.usefixtures("first_visit")
def test_the_first_paint_is_early(demo):
    def first_paint() -> float:
        demo.page.reload()
        expect(demo.model).to_have_value("default")
        return demo.page.evaluate(
            """() => new Promise((resolve) => {
                const observer = new PerformanceObserver((list) => {
                    const [paint] = list.getEntriesByName("first-contentful-paint");
                    if (paint) resolve(paint.startTime);
                });
                observer.observe({ type: "paint", buffered: true });
            })"""
        )

    assert min(first_paint() for _ in range(5)) < allowed(100) / MARGIN
