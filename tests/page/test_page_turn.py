"""A turn: its phases in each format, stopping it, its request, and how it is shown."""

import re
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

SUMMARY = "I should greet in one sentence and keep it short."
ANSWER = "Hi! Nice to meet you."
DONE = re.compile(r"^Done in (\d+ ms|\d+\.\d s)$")
THOUGHT = re.compile(r"^Thought for (\d+ ms|\d+\.\d s) · \d+ tokens$")
FORMATS = ["events", "phased", "openai"]


@pytest.mark.parametrize("format", [*FORMATS, "messages", "responses"])
def test_a_turn_shows_the_three_phases(demo, format):
    demo.ask("hi", model="default", format=format)

    expect(demo.status).to_have_text(DONE)
    expect(demo.prompt_summary).to_have_text("hi")
    expect(demo.thoughts_title).to_have_text(THOUGHT)
    expect(demo.summary).to_have_text(SUMMARY)
    expect(demo.trace).to_have_text(SUMMARY)  # a short trace is its own summary
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.error).to_be_hidden()


def test_plain_shows_only_the_answer_and_says_so(demo):
    demo.ask("hi", model="default", format="plain")

    expect(demo.status).to_have_text(DONE)
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.prompt_summary).to_be_hidden()
    expect(demo.thoughts).to_be_hidden()
    expect(demo.turns.last).to_contain_text("The plain format contains only the answer.")


@pytest.mark.parametrize("format", FORMATS)
def test_summary_shows_no_trace(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="summary")

    expect(demo.status).to_have_text(DONE)
    expect(demo.thoughts_title).to_have_text(THOUGHT)
    expect(demo.summary).to_have_text(SUMMARY)
    expect(demo.trace).to_be_empty()


@pytest.mark.parametrize("format", FORMATS)
def test_raw_shows_only_the_trace(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="raw")

    expect(demo.status).to_have_text(DONE)
    expect(demo.summary).to_be_empty()
    expect(demo.prompt_summary).to_have_text("hi")
    expect(demo.answer).to_have_text(ANSWER)
    demo.thoughts_title.click()
    expect(demo.trace).to_be_visible()
    expect(demo.trace).to_have_text(SUMMARY)


@pytest.mark.parametrize("format", FORMATS)
def test_none_shows_no_reasoning(demo, format):
    demo.ask("hi", model="default", format=format, reasoning="none")

    expect(demo.status).to_have_text(DONE)
    expect(demo.thoughts_title).to_have_text("Reasoning not shown")
    expect(demo.summary).to_be_empty()
    expect(demo.trace).to_be_empty()
    expect(demo.answer).to_have_text(ANSWER)


def test_a_model_that_does_not_reason(demo):
    demo.ask("hi", model="no-reasoning")

    expect(demo.status).to_have_text(DONE)
    expect(demo.thoughts_title).to_have_text("No reasoning")


def test_live_summary_clock_and_tokens_are_shown_while_the_model_thinks(demo):
    demo.ask("hi", model="long-thinking")

    expect(demo.summary).to_be_visible()
    expect(demo.summary).not_to_be_empty()
    expect(demo.thoughts_title).to_have_text(re.compile(r"^Thinking for \d+ s · ≈ \d+ tokens$"))
    expect(demo.status).to_have_text(re.compile(r"^Thinking… \d+ s$"))
    expect(demo.answer).to_be_empty()
    demo.stop.click()


def test_the_thoughts_collapse_to_one_line_that_can_be_opened(demo):
    demo.ask_and_wait("Explain streaming APIs", model="default@tps=400")

    expect(demo.thoughts_title).to_have_text(THOUGHT)
    for part in (demo.summary, demo.live_lines, demo.trace):
        expect(part).to_be_hidden()

    demo.thoughts_title.click()
    expect(demo.summary).to_be_visible()
    demo.thoughts.get_by_text(re.compile("live lines?$")).click()
    expect(demo.live_lines).to_be_visible()
    demo.thoughts.get_by_text(re.compile("^Raw trace")).click()
    expect(demo.trace).to_contain_text("The user wants streaming APIs explained.")


def test_thoughts_that_the_user_opened_stay_open(demo):
    demo.ask("hi", model="long-thinking@tps=150")
    # By key: under a click of the mouse, the growing page may move.
    demo.thoughts_title.press("Enter")
    expect(demo.summary).to_be_hidden()
    demo.thoughts_title.press("Enter")

    expect(demo.status).to_have_text(DONE)
    expect(demo.summary).to_be_visible()


def test_the_final_summary_replaces_the_live_lines(demo, named_events):
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
    demo.thoughts_title.click()
    demo.page.get_by_text("2 live lines").click()
    expect(demo.live_lines).to_be_visible()
    assert demo.live_lines.text_content() == "Reads the numbers.\nAdds them."


def test_stop_ends_the_turn_and_the_next_one_starts_empty(demo):
    demo.ask("hi", model="long-thinking")
    expect(demo.trace).not_to_be_empty()

    demo.stop.click()
    expect(demo.status).to_have_text("Stopped")
    expect(demo.stop).to_be_hidden()
    expect(demo.error).to_be_hidden()
    expect(demo.thoughts_title).to_contain_text("Thinking ended after")
    expect(demo.turns.last).to_contain_text("You stopped this answer.")

    demo.ask("hi", model="default", reasoning="summary")
    expect(demo.status).to_have_text(DONE)
    expect(demo.turns).to_have_count(2)
    expect(demo.summary).to_have_text(SUMMARY)
    expect(demo.trace).to_be_empty()
    expect(demo.answer).to_have_text(ANSWER)


def test_stop_closes_the_upstream_stream(demo, mock_url):
    def stats() -> str:
        with urlopen(f"{mock_url}/stats", timeout=60) as answer:
            return answer.read().decode()

    demo.ask("hi", model="long-thinking@tps=20")
    expect(demo.trace).not_to_be_empty()
    assert '"open_streams":1' in stats().replace(" ", "")

    demo.stop.click()
    expect(demo.status).to_have_text("Stopped")
    for _ in range(100):
        if '"open_streams":0' in stats().replace(" ", ""):
            return
        demo.page.wait_for_timeout(100)
    pytest.fail("the upstream's stream is still open")


def test_the_request_contains_the_settings(demo):
    demo.answer_with("data: [DONE]\n\n")
    demo.choose(model="default", format="phased", temperature="0.5", max_tokens="100")
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask("  hi\nthere ", reasoning="raw", detail="concise")

    assert request.value.post_data_json == {
        "model": "default",
        "messages": [{"role": "user", "content": "hi\nthere"}],
        "temperature": 0.5,
        "max_tokens": 100,
        "stream": True,
        "stream_options": {"include_usage": True},
        "gateway": {"format": "phased", "reasoning": "raw", "detail": "concise", "keep": True},
    }
    expect(demo.status).to_have_text(DONE)


def test_the_request_goes_to_the_path_of_the_chosen_format(demo):
    def add_format(route):
        response = route.fetch()
        option = '<option value="toy" data-path="v1/toy">toy</option>'
        list_start = re.compile(r'(<select id="(?:curl-)?format"[^>]*>)')
        route.fulfill(response=response, body=list_start.sub(rf"\1{option}", response.text()))

    page = demo.page
    page.route(page.url, add_format)
    page.reload()
    demo.answer_with("data: [DONE]\n\n", path="v1/toy")
    demo.ask_and_wait("hi", model="default", format="toy")

    page.get_by_test_id("inspect").click()
    page.get_by_test_id("curl").click()
    expect(page.get_by_test_id("curl")).to_have_text("Copied")
    assert f"curl -N '{page.url}v1/toy'" in page.evaluate("navigator.clipboard.readText()")

    page.get_by_test_id("options").click()
    page.get_by_test_id("share").click()
    expect(page.get_by_test_id("share")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "format=toy" in link
    assert "path" not in link


def test_html_from_a_model_is_shown_as_text(demo, named_events):
    evil = '<img src="/nowhere" onerror="document.title=1"><b>bold</b>'
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": evil}),
            ("reasoning_delta", {"text": evil}),
            ("reasoning_summary_delta", {"text": evil}),
            ("reasoning_summary", {"text": f"{evil} indeed"}),
            ("final_output_delta", {"text": evil}),
            ("tool_call_delta", {"index": 0, "name": "f", "arguments": evil}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask(evil)

    expect(demo.status).to_have_text(DONE)
    for part in (demo.prompt_summary, demo.trace, demo.live_lines, demo.answer):
        expect(part).to_have_text(evil)
    expect(demo.summary).to_have_text(f"{evil} indeed")
    expect(demo.tool_calls).to_have_text(f"f({evil})")
    expect(demo.page.locator("img, .turn b")).to_have_count(0)


@pytest.mark.parametrize("format", ["openai", "messages", "responses"])
def test_tool_calls_are_shown(demo, format):
    demo.ask("hi", model="tool-call", format=format)

    expect(demo.status).to_have_text(DONE)
    expect(demo.tool_calls).to_have_text(re.compile(r"^\w+\(\{.*\}\)$"))


def test_an_answer_cut_off_at_the_token_limit_is_marked(demo, named_events):
    demo.answer_with(
        named_events(
            ("prompt_summary", {"text": "hi"}),
            ("final_output_delta", {"text": "Hi! Ni"}),
            ("done", {"finish_reason": "length"}),
        )
    )
    demo.ask("hi")

    expect(demo.status).to_contain_text("cut off at the token limit")
    expect(demo.turns.last).to_contain_text("Raise Max tokens")


def test_thinking_that_reaches_the_token_limit_is_marked(demo):
    demo.ask_and_wait("hi", model="never-ends-thinking@tps=2000")
    expect(demo.turns.last).to_contain_text(
        "The model reached the token limit while thinking. Raise Max tokens to get an answer."
    )


def test_an_answer_is_markdown_in_any_script(demo, named_events):
    text = "```\nif x:\n    return 1\n```\n\n**你好**, שלום 👍🏽\n\nשלום world"
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
    expect(demo.answer.locator("p").first).to_have_text("你好, שלום 👍🏽")
    expect(demo.answer.locator("p").first).to_have_css("direction", "ltr")
    expect(demo.answer.locator("p").last).to_have_css("direction", "rtl")


def test_a_code_block_has_a_copy_button(demo, named_events):
    demo.answer_with(
        named_events(
            ("final_output_delta", {"text": "So:\n```py\nif x:\n    go()\n```"}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask_and_wait("hi")
    button = demo.answer.get_by_role("button", name="Copy")
    button.click()

    expect(demo.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert demo.page.evaluate("navigator.clipboard.readText()") == "if x:\n    go()"
    expect(button).to_be_visible()


def test_a_silence_is_shown_with_the_state_of_the_connection(demo, scripted, clock):
    demo.ask("hi", model="default")
    stall = demo.of_turn("stall")
    scripted.say(("prompt_summary", {"text": "hi"}))
    expect(demo.prompt_summary).to_have_text("hi")
    expect(stall).to_be_hidden()

    clock.run_for(12_000)
    expect(stall).to_have_text(re.compile(r"^Nothing new for 1[12] s\.$"))
    scripted.say(("heartbeat", {"elapsed_ms": 15000}))
    clock.run_for(4_000)
    expect(stall).to_have_text(
        re.compile(
            r"^Nothing new for 1\d s\. The connection is alive: a heartbeat arrived \d s ago\.$"
        )
    )
    clock.run_for(60_000)
    expect(stall).to_contain_text("the connection may be lost")

    scripted.say(("final_output_delta", {"text": "Hi"}), ("done", {"finish_reason": "stop"}))
    clock.run_for(1_000)
    expect(demo.answer).to_have_text("Hi")
    expect(stall).to_be_hidden()
