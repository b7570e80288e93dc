"""Two models or two formats side by side."""

import re

import pytest
from playwright.sync_api import expect

from tests.page.test_page_access import overflow, violations

PROMPT = "Is 3599 a prime number?"


@pytest.fixture
def compared(demo):
    """The page with the comparison open."""
    expect(demo.model).to_have_value("default")
    demo.page.get_by_test_id("compare").click()
    expect(side(demo, 1).get_by_test_id("side-model")).to_be_visible()
    return demo


def side(demo, number: int):
    return demo.page.get_by_test_id("side").nth(number)


def choose(demo, number: int, **choices: str) -> None:
    for name, value in choices.items():
        side(demo, number).get_by_test_id(f"side-{name}").select_option(value)


def run_both(demo, prompt: str = PROMPT) -> None:
    demo.page.get_by_test_id("compare-prompt").fill(prompt)
    demo.page.get_by_test_id("compare-run").click()


def wait_for_both(demo) -> None:
    for number in (0, 1):
        status = side(demo, number).get_by_test_id("side-status")
        expect(status).to_contain_text("Done in", timeout=60_000)


def test_two_models_answer_one_prompt_side_by_side(compared):
    choose(compared, 1, model="no-reasoning")
    run_both(compared)
    wait_for_both(compared)
    for number in (0, 1):
        expect(side(compared, number).get_by_test_id("final-output")).to_contain_text(
            "Both factors"
        )
    left, right = side(compared, 0), side(compared, 1)
    expect(left.get_by_test_id("thoughts")).to_contain_text("Thought for")
    expect(right.get_by_test_id("thoughts")).to_contain_text("No reasoning")
    expect(compared.page.get_by_test_id("compare-verdict")).to_have_text(
        re.compile(r"^Right began to answer \d.* earlier, and was done \d.* earlier\.$")
    )
    expect(left.get_by_test_id("side-figures")).to_contain_text("First output")
    boxes = [side(compared, number).bounding_box() for number in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]


def test_two_formats_of_one_model(compared):
    choose(compared, 0, format="plain")
    choose(compared, 1, model="default", format="messages", reasoning="summary")
    with (
        compared.page.expect_request("**/v1/chat/completions") as plain,
        compared.page.expect_request("**/v1/messages") as messages,
    ):
        run_both(compared, "hi")
    assert plain.value.post_data_json["gateway"]["format"] == "plain"
    assert messages.value.post_data_json["gateway"]["reasoning"] == "summary"
    wait_for_both(compared)
    expect(side(compared, 0).get_by_test_id("thoughts")).to_be_hidden()
    expect(side(compared, 1).get_by_test_id("thoughts")).to_contain_text("Thought for")


def test_the_conversation_goes_on_with_one_side(compared):
    choose(compared, 1, model="thinker")
    run_both(compared, "hi")
    wait_for_both(compared)
    side(compared, 1).get_by_test_id("side-continue").click()
    turns = compared.page.locator("#turns .turn")
    expect(turns).to_have_count(1)
    expect(turns.get_by_test_id("versions")).to_contain_text("2/2")
    expect(turns.get_by_test_id("thoughts")).to_contain_text("Thought for")
    compared.page.reload()
    expect(turns.get_by_test_id("final-output")).to_have_text("Hi! Nice to meet you.")

    compared.page.get_by_test_id("compare").click()
    expect(compared.page.locator("#compare-context")).to_have_text(
        "The 1 turn of the conversation is sent with it."
    )
    with compared.page.expect_request("**/v1/chat/completions") as request:
        run_both(compared, "So?")
    assert len(request.value.post_data_json["messages"]) == 3


def test_escape_stops_both_then_closes(compared):
    choose(compared, 0, model="long-thinking")
    choose(compared, 1, model="thinker")
    run_both(compared, "hi")
    for number in (0, 1):
        expect(side(compared, number).get_by_test_id("reasoning-trace")).not_to_be_empty()
    compared.page.keyboard.press("Escape")
    for number in (0, 1):
        expect(side(compared, number).get_by_test_id("side-status")).to_have_text("Stopped")
    expect(compared.page.get_by_role("dialog", name="Compare")).to_be_visible()
    expect(compared.page.get_by_test_id("compare-verdict")).to_be_empty()
    compared.page.keyboard.press("Escape")
    expect(compared.page.get_by_role("dialog")).to_have_count(0)


def test_one_side_may_fail(compared):
    choose(compared, 1, model="error-500")
    run_both(compared, "hi")
    expect(side(compared, 1).get_by_test_id("error")).to_be_visible()
    expect(side(compared, 0).get_by_test_id("side-status")).to_contain_text("Done in")
    expect(side(compared, 1).get_by_test_id("side-continue")).to_be_hidden()
    expect(side(compared, 0).get_by_test_id("side-continue")).to_be_visible()
    expect(compared.page.get_by_test_id("compare-run")).to_be_visible()


LEFT = "Left began to answer 1.0 s earlier"
RIGHT = "Right began to answer 1.0 s earlier"
SAME = "at the same time"
VERDICTS = [
    ((1000, 3000), (2000, 3010), f"{LEFT}, and both were done {SAME}."),
    ((2000, 3000), (1000, 2000), f"{RIGHT}, and was done 1.0 s earlier."),
    ((1000, 4000), (2000, 3000), f"{LEFT}, and right was done 1.0 s earlier."),
    ((1000, 2000), (1010, 2010), f"Both began to answer {SAME}, and were done {SAME}."),
]


@pytest.mark.parametrize(("left", "right", "text"), VERDICTS)
def test_the_verdict_is_a_sentence(demo, left, right, text):
    verdict = demo.page.evaluate(
        """async (sides) => {
            const { verdictOf } = await import("/static/any/lazy/compare.js");
            return verdictOf(...sides.map(([output, end], i) => ({
                name: ["Left", "Right"][i], record: { state: "done", marks: { output, end } },
            })));
        }""",
        [left, right],
    )
    assert verdict == text


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280), ("dark", 2560)])
def test_the_comparison_fits_and_axe_finds_no_violations(compared, scheme, width):
    page = compared.page
    compared.show_in(scheme, width)
    assert violations(page) == []
    choose(compared, 1, model="no-reasoning")
    run_both(compared, "hi")
    wait_for_both(compared)
    assert violations(page) == []
    assert overflow(page) == 0
    dialog = "document.querySelector('#compare')"
    assert page.evaluate(f"{dialog}.scrollWidth - {dialog}.clientWidth") <= 0
    if width == 360:
        boxes = [side(compared, number).bounding_box() for number in (0, 1)]
        assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"]
