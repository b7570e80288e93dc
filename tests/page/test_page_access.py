"""Accessibility: axe, keyboard, themes, small and large screens, reduced motion, live regions."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.conftest import DemoPage

RICH = """# Title

A *paragraph* with `code`, [a link](https://example.org) and $x^2$.

| a | b |
|---|--:|
| 1 | 2 |

- one
- two

```py
print("a long line of code that scrolls", "a long line of code that scrolls", "a long line")
```

> quoted
"""
WORD = "x" * 400
AXE = Axe().axe_script
LOOKS = [("light", 1280), ("dark", 360)]
"""Both color schemes and both layouts. What axe finds depends on the one or on the other."""
in_both_looks = pytest.mark.parametrize(("scheme", "width"), LOOKS)
WIDTHS = [360, 768, 1440, 2560]


def rich_turn(demo: DemoPage, named_events, text: str = RICH) -> None:
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": "A rich answer."}),
            ("reasoning_delta", {"text": "Thinking.\nMore."}),
            ("reasoning_summary_delta", {"text": "One line.\n"}),
            ("reasoning_summary", {"text": "The summary."}),
            ("final_output_delta", {"text": text}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask_and_wait("Show me everything", model="default")


def violations(page: Page) -> list[str]:
    """The violations that axe finds."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {node['target']}" for each in found for node in each["nodes"]]


@in_both_looks
def test_axe_finds_no_violations(demo, named_events, scheme, width):
    page = demo.page
    demo.show_in(scheme, width, height=900)
    expect(demo.model).to_have_value("default")
    assert violations(page) == [], "at the start"

    rich_turn(demo, named_events)
    demo.thoughts_title.click()
    for details in demo.thoughts.locator("details summary").all():
        details.click()
    assert violations(page) == [], "after a turn"

    page.get_by_test_id("options").click()
    assert violations(page) == [], "the drawer"
    page.get_by_test_id("options-close").click()

    demo.of_turn("inspect-turn").click()
    page.get_by_test_id("wire-list").press("End")
    expect(page.get_by_test_id("wire-detail")).to_be_visible()
    assert violations(page) == [], "the inspector"
    page.get_by_test_id("inspector-close").click()

    page.unroute("**/v1/chat/completions")
    demo.ask("hi", model="error-500")
    expect(demo.error).to_be_visible()
    assert violations(page) == [], "an error"

    demo.ask("hi", model="long-thinking")
    expect(demo.summary).not_to_be_empty()
    assert violations(page) == [], "while the model thinks"
    demo.stop.click()


def test_the_page_works_by_keyboard_only(demo):
    keyboard = demo.page.keyboard
    expect(demo.prompt).to_be_focused()

    def press_until_focused(key, target):
        for _ in range(30):
            keyboard.press(key)
            if target.evaluate("element => element === document.activeElement"):
                return
        pytest.fail(f"{key} does not reach {target}")

    expect(demo.model).to_have_value("default")
    press_until_focused("Tab", demo.model)
    keyboard.type("long-thinking")
    expect(demo.model).to_have_value("long-thinking")
    press_until_focused("Tab", demo.page.get_by_test_id("options"))
    keyboard.press("Enter")
    expect(demo.page.get_by_role("dialog", name="Options")).to_be_visible()
    press_until_focused("Tab", demo.page.get_by_test_id("max-tokens"))
    keyboard.type("500")
    keyboard.press("Escape")
    expect(demo.page.get_by_role("dialog")).to_have_count(0)
    expect(demo.page.get_by_test_id("options")).to_be_focused()
    press_until_focused("Shift+Tab", demo.prompt)

    keyboard.type("one")
    keyboard.press("Shift+Enter")
    keyboard.type("two")
    expect(demo.prompt).to_have_value("one\ntwo")
    keyboard.press("Enter")
    expect(demo.summary).not_to_be_empty()
    expect(demo.prompt).to_have_value("")
    keyboard.press("Escape")
    expect(demo.status).to_have_text("Stopped")
    expect(demo.prompt).to_be_focused()

    press_until_focused("Shift+Tab", demo.of_turn("inspect-turn"))
    keyboard.press("Enter")
    expect(demo.timeline).to_be_visible()
    press_until_focused("Tab", demo.page.get_by_test_id("wire-list"))
    keyboard.press("End")
    expect(demo.page.get_by_test_id("wire-detail")).to_be_visible()
    keyboard.press("Escape")
    expect(demo.of_turn("inspect-turn")).to_be_focused()


def test_the_focus_moves_to_the_prompt_when_stop_disappears(demo):
    demo.ask("hi", model="long-thinking")
    demo.stop.focus()
    demo.page.keyboard.press("Enter")

    expect(demo.status).to_have_text("Stopped")
    expect(demo.prompt).to_be_focused()


def test_focused_elements_are_not_covered_by_the_bars(demo, named_events):
    demo.page.set_viewport_size({"width": 360, "height": 600})
    rich_turn(demo, named_events, RICH * 3)
    dock, top = demo.page.locator(".dock"), demo.page.locator(".top")
    demo.prompt.focus()
    for _ in range(12):
        demo.page.keyboard.press("Shift+Tab")
        focused = demo.page.locator(":focus")
        box = focused.bounding_box()
        if focused.evaluate("element => element.closest('.dock, .top, dialog') !== null"):
            continue
        assert box["y"] < dock.bounding_box()["y"]
        assert box["y"] + box["height"] > top.bounding_box()["height"]


def test_every_control_has_a_name(demo):
    page = demo.page
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("combobox", name="Model")).to_be_visible()
    page.get_by_test_id("options").click()
    for name in ("Format", "Reasoning", "Summary length", "Summarizer"):
        expect(page.get_by_role("combobox", name=name)).to_be_visible()
    for name in ("Temperature", "Max tokens"):
        expect(page.get_by_role("spinbutton", name=name)).to_be_visible()


def test_only_the_status_is_announced_once_per_phase(demo):
    demo.page.evaluate(
        """() => {
            window.said = [];
            const status = document.querySelector("[role=status]");
            new MutationObserver(() => window.said.push(status.textContent))
                .observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    demo.ask_and_wait("hi", model="default")

    *phases, done = demo.page.evaluate("window.said")
    assert phases == ["Waiting…", "Thinking…", "Answering…"]
    assert re.match(r"^Done in (\d+ ms|\d+\.\d s)$", done)
    live = demo.page.locator("[aria-live], [role=status], [role=log], [role=alert]")
    assert live.evaluate_all("all => all.map((each) => each.getAttribute('role'))") == [
        "alert",
        "alert",
        "status",
    ]


def test_no_horizontal_scrolling(demo, named_events):
    def check_overflow(where: str) -> None:
        for width in WIDTHS:
            demo.page.set_viewport_size({"width": width, "height": 740})
            assert overflow(demo.page) == 0, (where, width)

    check_overflow("at the start")

    rich_turn(
        demo, named_events, f"{WORD}\n\n{RICH}\n\n| {WORD} | b |\n|---|---|\n\n```\n{WORD}\n```"
    )
    check_overflow("after a turn")
    demo.page.get_by_test_id("inspect").click()
    check_overflow("the inspector")

    demo.page.get_by_test_id("inspector-close").click()
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": WORD}),
            ("reasoning_delta", {"text": WORD}),
            ("reasoning_summary_delta", {"text": WORD}),
            ("failed", {"error": {"message": WORD}}),
        )
    )
    demo.ask(WORD)
    expect(demo.error).to_have_text(f"{WORD}.")
    check_overflow("an error")


WIDE_TEXT = """
* {
    font-family: monospace, monospace !important; /* once alone, it would also be smaller */
    letter-spacing: .12em !important;
    word-spacing: .16em !important;
}
"""
"""A wide font, with the spacing that WCAG 1.4.12 lets a reader set on top of it."""


def controls_out_of_reach(page: Page) -> list[str]:
    """Visible controls that leave the window, cover each other, or cut off their text."""
    return page.evaluate(
        """() => {
            const top = document.querySelector("dialog[open], #inspector:not([hidden])");
            const shown = [...(top ?? document).querySelectorAll("button, select, input, textarea")]
                .filter((control) => control.checkVisibility())
                .map((control) => [control, control.getBoundingClientRect()]);
            // The turns scroll below the bars.
            const isBar = (control) => control.closest(".top, .dock") !== null;
            const bad = shown.filter(([control, box], at) =>
                box.left < 0 || box.right > innerWidth
                || control.tagName === "BUTTON" && control.scrollWidth > control.clientWidth
                || shown.slice(at + 1).some(([below, other]) =>
                    isBar(control) === isBar(below)
                    && box.left < other.right && other.left < box.right
                    && box.top < other.bottom && other.top < box.bottom));
            return bad.map(([control]) => control.outerHTML.slice(0, 80));
        }"""
    )


def test_wide_fonts_fit_on_a_small_screen(demo, named_events):
    page = demo.page

    def use_wide_text(route):
        response = route.fetch()
        route.fulfill(response=response, body=response.text() + WIDE_TEXT)

    def check_fit(where: str) -> None:
        for width in (360, 320):
            page.set_viewport_size({"width": width, "height": 740})
            assert overflow(page) == 0, (where, width)
            assert controls_out_of_reach(page) == [], (where, width)

    # As a part of the page's own style sheet: its policy forbids any other.
    page.route("**/page.css", use_wide_text)
    page.set_viewport_size({"width": 320, "height": 740})
    page.reload()
    expect(demo.model).to_have_value("default")
    expect(demo.send).to_have_css("font-family", "monospace, monospace")
    check_fit("at the start")

    demo.ask("hi", model="long-thinking@tps=20", format="responses")
    expect(demo.summary).not_to_be_empty()
    check_fit("while the model thinks")
    demo.stop.click()
    demo.choose(format="events")
    rich_turn(demo, named_events)
    check_fit("after a turn")

    page.get_by_test_id("options").click()
    check_fit("the drawer")
    page.get_by_test_id("options-close").click()
    demo.of_turn("inspect-turn").click()
    check_fit("the inspector")


def overflow(page: Page) -> int:
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def is_light(page: Page) -> bool:
    background = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    return int(re.findall(r"\d+", background)[0]) > 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_until_the_user_chooses_one(demo, scheme):
    other = "dark" if scheme == "light" else "light"
    demo.page.emulate_media(color_scheme=scheme)
    assert is_light(demo.page) == (scheme == "light")

    theme = demo.page.get_by_test_id("theme")
    expect(theme).to_have_accessible_name(f"Use the {other} theme")
    theme.click()
    expect(theme).to_have_accessible_name(f"Use the {scheme} theme")
    assert is_light(demo.page) == (other == "light")
    demo.page.reload()
    assert is_light(demo.page) == (other == "light")


@pytest.mark.usefixtures("moving")
def test_nothing_moves_with_reduced_motion(demo):
    demo.ask("hi", model="long-thinking")
    expect(demo.summary).not_to_be_empty()
    moving = "document.getAnimations().length"
    assert demo.page.evaluate(moving) > 0

    demo.page.emulate_media(reduced_motion="reduce")
    assert demo.page.evaluate(moving) == 0
    demo.stop.click()


def test_right_to_left_text_is_shown_right_to_left(demo, named_events):
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": "מה השעה?"}),
            ("reasoning_summary", {"text": "חושב על השעה."}),
            ("final_output_delta", {"text": "- השעה **עשר**.\n- `code`"}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask_and_wait("מה השעה?")

    for text in (demo.prompt_summary, demo.answer.locator("ul"), demo.answer.locator("li").first):
        expect(text).to_have_css("direction", "rtl")
