"""A turn as its reader sees it: the phases in each format, stopping, keys, sizes."""

import re

import pytest
from playwright.sync_api import Page, expect

SUMMARY = "I should greet in one sentence. Keep it short."
ANSWER = "Hi! Nice to meet you."
DONE = re.compile(r"^Done in \d+\.\d s$")


@pytest.mark.parametrize("format", ["events", "phased", "openai"])
def test_a_turn_fills_the_three_panels(demo, format):
    demo.ask("hi", model="default", format=format)

    expect(demo.status).to_have_text(DONE)
    expect(demo.prompt_summary).to_have_text("hi")
    expect(demo.summary).to_have_text(SUMMARY)
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.trace).to_be_hidden()
    expect(demo.error).to_be_hidden()


def test_plain_shows_the_answer_alone_and_says_so(demo):
    demo.ask("hi", model="default", format="plain")

    expect(demo.status).to_have_text(DONE)
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.prompt_summary).to_be_empty()
    expect(demo.summary).to_be_hidden()
    expect(demo.phase("prompt")).to_contain_text("The plain format carries the answer alone.")


@pytest.mark.parametrize("format", ["events", "phased", "openai"])
def test_both_shows_the_trace_beside_the_summary(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="both")

    expect(demo.status).to_have_text(DONE)
    expect(demo.trace).to_have_text(SUMMARY)  # so short a trace is its own summary
    expect(demo.summary).to_have_text(SUMMARY)
    summary, trace = demo.summary.bounding_box(), demo.trace.bounding_box()
    assert summary["x"] + summary["width"] <= trace["x"]


@pytest.mark.parametrize("format", ["events", "phased", "openai"])
def test_raw_shows_the_trace_alone(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="raw")

    expect(demo.status).to_have_text(DONE)
    expect(demo.trace).to_have_text(SUMMARY)
    expect(demo.prompt_summary).to_have_text("hi")
    expect(demo.answer).to_have_text(ANSWER)


@pytest.mark.parametrize("format", ["events", "phased", "openai"])
def test_none_shows_no_reasoning(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="none")

    expect(demo.status).to_have_text(DONE)
    expect(demo.summary).to_be_empty()
    expect(demo.trace).to_be_empty()
    expect(demo.answer).to_have_text(ANSWER)


def test_the_reasoning_is_there_before_the_answer(demo):
    demo.ask("hi", model="long-thinking")

    expect(demo.summary).not_to_be_empty()
    expect(demo.status).to_have_text(re.compile(r"^Thinking… \d+\.\d s$"))
    expect(demo.answer).to_be_empty()
    demo.stop.click()


def test_stop_stops_and_the_next_turn_starts_afresh(demo):
    demo.ask("hi", model="long-thinking", reasoning="both")
    expect(demo.trace).not_to_be_empty()

    demo.stop.click()
    expect(demo.status).to_have_text("Stopped")
    expect(demo.stop).to_be_hidden()
    expect(demo.error).to_be_hidden()
    expect(demo.phase("reasoning")).to_have_attribute("data-state", "stopped")
    expect(demo.phase("answer")).to_contain_text("Not reached.")

    demo.ask("hi", model="default", reasoning="summary")
    expect(demo.status).to_have_text(DONE)
    expect(demo.summary).to_have_text(SUMMARY)
    expect(demo.trace).to_be_empty()
    expect(demo.answer).to_have_text(ANSWER)


def test_stop_reaches_the_gateway(demo):
    with demo.page.expect_event("requestfailed") as failed:
        demo.ask("hi", model="long-thinking")
        expect(demo.prompt_summary).to_have_text("hi")
        demo.stop.click()

    assert failed.value.url.endswith("/v1/chat/completions")


def test_the_request_is_the_contracts(demo):
    demo.answer_with("data: [DONE]\n\n")
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask("  hi\nthere ", model="default", format="phased", reasoning="both")

    assert request.value.post_data_json == {
        "model": "default",
        "messages": [{"role": "user", "content": "hi\nthere"}],
        "stream": True,
        "gateway": {"format": "phased", "reasoning": "both"},
    }
    expect(demo.status).to_have_text(DONE)


def test_the_final_summary_takes_the_place_of_the_live_lines(demo, named_events):
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": "Add two numbers."}),
            ("reasoning_summary_delta", {"text": "Reads the numbers."}),
            ("reasoning_summary_delta", {"text": "Adds them.\n"}),
            ("reasoning_summary", {"text": "Two and two are added."}),
            ("final_output_delta", {"text": "4"}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask("2+2")

    expect(demo.summary).to_have_text("Two and two are added.")
    expect(demo.live_lines).to_be_hidden()
    demo.page.get_by_text("2 live lines").click()
    expect(demo.live_lines).to_be_visible()
    assert demo.live_lines.text_content() == "Reads the numbers.\nAdds them."


def test_a_model_cannot_write_html(demo, named_events):
    evil = '<img src="/nowhere" onerror="document.title=1"><b>bold</b>'
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": evil}),
            ("reasoning_delta", {"text": evil}),
            ("reasoning_summary", {"text": evil}),
            ("final_output_delta", {"text": evil}),
            ("tool_call_delta", {"index": 0, "name": "f", "arguments": evil}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask("hi", reasoning="both")

    expect(demo.status).to_have_text(DONE)
    for panel in (demo.prompt_summary, demo.trace, demo.summary, demo.answer):
        expect(panel).to_have_text(evil)
    expect(demo.tool_calls).to_have_text(f"f({evil})")
    expect(demo.page.locator("img, .flow b")).to_have_count(0)


def test_tool_calls_are_shown(demo):
    demo.ask("hi", model="tool-call", format="openai")

    expect(demo.status).to_have_text(DONE)
    expect(demo.tool_calls).to_have_text(re.compile(r"^\w+\(\{.*\}\)"))


def test_an_answer_cut_at_the_token_limit_says_so(demo, named_events):
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": "hi"}),
            ("final_output_delta", {"text": "Hi! Ni"}),
            ("done", {"finish_reason": "length"}),
        )
    )
    demo.ask("hi")

    expect(demo.status).to_contain_text("cut at the token limit")


def test_white_space_and_scripts_survive(demo, named_events):
    text = "```\nif x:\n    return 1\n```\n\n你好, שלום 👍🏽"
    demo.answer_with(
        named_events(
            ("final_output_delta", {"text": "\n\n" + text[:9]}),
            ("final_output_delta", {"text": text[9:] + "\n"}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask("hi")

    expect(demo.status).to_have_text(DONE)
    assert demo.answer.locator("pre").text_content() == "if x:\n    return 1"
    expect(demo.answer.locator("p")).to_have_text("你好, שלום 👍🏽")


def test_the_status_is_announced_once_a_phase(demo):
    demo.page.evaluate(
        """() => {
            window.said = [];
            const status = document.querySelector("[role=status]");
            new MutationObserver(() => window.said.push(status.textContent))
                .observe(status, {childList: true, characterData: true, subtree: true});
        }"""
    )
    demo.ask("hi", model="default")
    expect(demo.status).to_have_text(DONE)

    thinking, answering, done = demo.page.evaluate("window.said")
    assert (thinking, answering) == ("Thinking…", "Answering…")
    assert DONE.match(done)


def test_keys_alone(demo):
    keyboard = demo.page.keyboard
    expect(demo.prompt).to_be_focused()

    def walk(key, target):
        for _ in range(20):
            keyboard.press(key)
            if target.evaluate("element => element === document.activeElement"):
                return
        pytest.fail(f"{key} does not reach it")

    expect(demo.model).to_have_value("default")
    walk("Tab", demo.model)
    keyboard.type("long-thinking")
    expect(demo.model).to_have_value("long-thinking")
    walk("Shift+Tab", demo.prompt)

    keyboard.type("one")
    keyboard.press("Shift+Enter")
    keyboard.type("two")
    expect(demo.prompt).to_have_value("one\ntwo")
    keyboard.press("Enter")
    expect(demo.summary).not_to_be_empty()
    expect(demo.prompt).to_have_value("one\ntwo")
    keyboard.press("Escape")
    expect(demo.status).to_have_text("Stopped")
    expect(demo.prompt).to_be_focused()


def test_focus_is_not_lost_when_stop_goes_away(demo):
    demo.ask("hi", model="long-thinking")
    demo.stop.focus()
    demo.page.keyboard.press("Enter")

    expect(demo.status).to_have_text("Stopped")
    expect(demo.prompt).to_be_focused()


def test_every_control_has_a_name(demo):
    page = demo.page
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    for name in ("Model", "Format", "Reasoning"):
        expect(page.get_by_role("combobox", name=name)).to_be_visible()
    for name in ("Prompt summary", "Reasoning", "Answer"):
        expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()


def test_an_example_is_sent_with_one_click(demo):
    chip = demo.page.locator(".chip").first
    example = chip.text_content()
    chip.click()

    expect(demo.prompt).to_have_value(example)
    expect(demo.prompt_summary).to_have_text(example)
    demo.stop.click()


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_horizontal_scrolling(demo, named_events, width):
    word = "x" * 400
    demo.page.set_viewport_size({"width": width, "height": 740})
    assert overflow(demo.page) == 0

    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": word}),
            ("reasoning_delta", {"text": word}),
            ("reasoning_summary_delta", {"text": "line"}),
            ("reasoning_summary", {"text": word}),
            ("final_output_delta", {"text": word}),
            ("failed", {"error": {"message": word}}),
        )
    )
    demo.ask(word, reasoning="both")
    expect(demo.error).to_have_text(word)
    assert overflow(demo.page) == 0


def overflow(page: Page) -> int:
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def test_the_page_follows_a_reader_who_is_at_the_end(demo):
    demo.page.set_viewport_size({"width": 360, "height": 600})
    demo.ask("Explain streaming APIs", model="default@tps=300")

    expect(demo.status).to_have_text(DONE)
    root = "document.scrollingElement"
    below = demo.page.evaluate(f"{root}.scrollHeight - {root}.clientHeight - {root}.scrollTop")
    assert below < 2


def test_the_page_leaves_a_reader_who_has_gone_up(demo):
    demo.page.set_viewport_size({"width": 360, "height": 600})
    demo.ask("Explain streaming APIs", model="default@tps=300")
    expect(demo.answer).to_contain_text("A streaming API")

    demo.page.evaluate("scrollTo(0, 0)")
    expect(demo.status).to_have_text(DONE)
    assert demo.page.evaluate("scrollY") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes(demo, scheme):
    demo.page.emulate_media(color_scheme=scheme)
    background = demo.page.locator("body").evaluate(
        "body => getComputedStyle(body).backgroundColor"
    )
    red, *_ = map(int, re.findall(r"\d+", background))
    assert (red > 200) == (scheme == "light")


def test_nothing_moves_for_those_who_asked_for_that(demo):
    demo.page.emulate_media(reduced_motion="reduce")
    demo.ask("hi", model="long-thinking")
    expect(demo.phase("reasoning")).to_have_attribute("data-state", "active")

    assert demo.page.evaluate("document.getAnimations().length") == 0
    demo.stop.click()


def test_the_page_is_light(demo, gateway_url):
    html = demo.page.request.get(gateway_url)
    names = re.findall(r"static/[\w./]+", html.text())
    files = [html, *(demo.page.request.get(f"{gateway_url.rstrip('/')}/{name}") for name in names)]

    assert all(file.ok for file in files)
    assert sum(len(file.body()) for file in files) < 150_000
