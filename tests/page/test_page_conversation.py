"""A conversation: its history in requests, and its state after a reload."""

import json

import requests
from playwright.sync_api import expect

ANSWER = "Hi! Nice to meet you."


def test_earlier_turns_are_sent_as_history(demo):
    demo.ask_and_wait("hi", model="default")
    expect(demo.prompt).to_be_empty()
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask_and_wait("hi")

    assert request.value.post_data_json["messages"] == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "hi"},
    ]
    expect(demo.turns).to_have_count(2)
    expect(demo.turns.first.get_by_test_id("final-output")).to_have_text(ANSWER)


def test_a_turn_without_an_answer_is_not_sent_as_history(demo):
    demo.ask("hi", model="error-500")
    expect(demo.error).to_be_visible()
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask_and_wait("hi", model="default")

    assert request.value.post_data_json["messages"] == [{"role": "user", "content": "hi"}]


def test_a_new_chat_starts_empty(demo):
    demo.ask_and_wait("hi", model="default")
    demo.page.get_by_test_id("new-chat").click()

    expect(demo.turns).to_have_count(0)
    expect(demo.status).to_have_text("Ready")
    expect(demo.prompt).to_be_focused()
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask_and_wait("hi")
    assert len(request.value.post_data_json["messages"]) == 1


def test_a_new_chat_stops_the_running_turn(demo):
    demo.ask("hi", model="long-thinking")
    expect(demo.trace).not_to_be_empty()
    with demo.page.expect_event("requestfailed"):
        demo.page.get_by_test_id("new-chat").click()

    expect(demo.turns).to_have_count(0)
    expect(demo.send).to_be_visible()
    expect(demo.status).to_have_text("Ready")


def test_regenerate_sends_the_last_prompt_again_with_the_current_settings(demo):
    demo.ask_and_wait("hi", model="default")
    demo.ask_and_wait("hi", model="default")
    expect(demo.turns.first.get_by_test_id("regenerate")).to_be_hidden()
    demo.choose(format="phased")
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.of_turn("regenerate").click()

    assert request.value.post_data_json["gateway"]["format"] == "phased"
    assert len(request.value.post_data_json["messages"]) == 3
    expect(demo.turns).to_have_count(2)
    expect(demo.answer).to_have_text(ANSWER)


def test_copy_copies_the_answer_as_markdown(demo, named_events):
    text = "**Two** things:\n\n- one\n- two"
    demo.answer_with(
        named_events(("final_output_delta", {"text": text}), ("done", {"finish_reason": "stop"}))
    )
    demo.ask_and_wait("hi")
    demo.of_turn("copy").click()

    expect(demo.of_turn("copy")).to_have_text("Copied")
    assert demo.page.evaluate("navigator.clipboard.readText()") == text


def test_an_answer_without_text_has_no_copy_button(demo):
    demo.ask_and_wait("hi", model="tool-calls")
    expect(demo.tool_calls).to_contain_text("get_weather")
    expect(demo.of_turn("regenerate")).to_be_visible()
    expect(demo.of_turn("copy")).to_be_hidden()


def test_a_failed_turn_has_one_button_to_send_it_again(demo):
    demo.ask("hi", model="error-500")
    expect(demo.of_turn("try-again")).to_be_visible()
    expect(demo.of_turn("inspect-turn")).to_be_visible()
    expect(demo.of_turn("regenerate")).to_be_hidden()


def test_a_click_on_an_example_sends_it(demo):
    chip = demo.page.locator(".chip").first
    example = chip.text_content()
    chip.click()

    expect(demo.prompt_summary).to_have_text(example)
    expect(demo.page.locator("#welcome")).to_be_hidden()
    demo.stop.click()


def test_a_reload_keeps_the_conversation(demo):
    demo.ask_and_wait("hi", model="default")
    figures = demo.of_turn("figures").text_content()
    demo.page.reload()

    expect(demo.turns).to_have_count(1)
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.thoughts_title).to_contain_text("Thought for")
    expect(demo.summary).to_be_hidden()
    expect(demo.of_turn("figures")).to_have_text(figures)
    with demo.page.expect_request("**/v1/chat/completions") as request:
        demo.ask_and_wait("hi")
    assert len(request.value.post_data_json["messages"]) == 3


def test_a_turn_goes_on_through_five_reloads(demo, gateway_url):
    prompt, model = "Explain streaming APIs", "default@tps=60"
    demo.ask(prompt, model=model)
    for _ in range(5):
        demo.page.wait_for_timeout(200)
        demo.page.reload()
        expect(demo.turns).to_have_count(1)
    expect(demo.status).to_contain_text("Done in", timeout=20_000)

    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    url = f"{gateway_url}/plain/v1/chat/completions"
    whole = requests.post(url, json=body, timeout=60).json()["choices"][0]["message"]["content"]
    shown = demo.page.evaluate("JSON.parse(sessionStorage.conversation ?? '[]')[0].answer")
    assert shown == whole
    expect(demo.error).to_be_hidden()


def test_a_stopped_turn_is_not_resumed_and_its_model_is_stopped(demo, gateway_url):
    demo.ask("hi", model="long-thinking")
    expect(demo.trace).not_to_be_empty()
    with demo.page.expect_response(lambda answer: answer.request.method == "DELETE") as deleted:
        demo.stop.click()
    assert deleted.value.json()["status"] == "stopped"
    demo.page.reload()
    expect(demo.status).to_have_text("Ready")
    assert requests.get(f"{gateway_url}/health", timeout=60).json()["open_streams"] == 0


SETTINGS = {
    "reasoning": "summary",
    "detail": "detailed",
    "summarizer": "extractive",
    "temperature": "0.7",
    "max_tokens": "300",
}


def controls(demo, **settings):
    return [
        (demo.page.get_by_test_id(name.replace("_", "-")), value)
        for name, value in settings.items()
    ]


def test_a_reload_keeps_the_settings(demo):
    demo.choose(model="long-thinking", format="openai", **SETTINGS)
    demo.page.reload()

    for control, value in controls(demo, model="long-thinking", format="openai", **SETTINGS):
        expect(control).to_have_value(value)


def test_a_reload_keeps_a_model_that_is_not_listed(demo):
    demo.choose(model="default@tps=300")
    demo.model_name.blur()
    demo.page.reload()

    expect(demo.model_name).to_have_value("default@tps=300")


def test_a_link_opens_the_page_with_the_same_settings(demo):
    page = demo.page
    demo.choose(model="long-thinking", format="openai", **SETTINGS)
    demo.prompt.fill("Why & how?")
    page.get_by_test_id("options").click()
    page.get_by_test_id("share").click()
    expect(page.get_by_test_id("share")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(link)

    for control, value in controls(demo, model="long-thinking", format="openai", **SETTINGS):
        expect(control).to_have_value(value)
    expect(demo.prompt).to_have_value("Why & how?")
    assert "#" not in page.url


def test_the_options_can_be_reset(demo):
    demo.choose(**SETTINGS)
    demo.page.get_by_test_id("options").click()
    demo.page.get_by_role("button", name="Reset").click()

    expect(demo.page.get_by_test_id("reasoning")).to_have_value("both")
    expect(demo.page.get_by_test_id("temperature")).to_have_value("")
    assert "temperature" not in json.loads(demo.page.evaluate("localStorage.settings"))


def test_the_page_scrolls_along_if_the_user_is_at_its_end(demo):
    demo.page.set_viewport_size({"width": 360, "height": 600})
    demo.ask_and_wait("Explain streaming APIs", model="default@tps=300")

    root = "document.scrollingElement"
    below = demo.page.evaluate(f"{root}.scrollHeight - {root}.clientHeight - {root}.scrollTop")
    assert below < 2


def test_the_page_does_not_scroll_if_the_user_has_scrolled_up(demo):
    demo.page.set_viewport_size({"width": 360, "height": 600})
    demo.ask("Explain streaming APIs", model="default@tps=300")
    expect(demo.answer).to_contain_text("Four things")

    demo.page.mouse.wheel(0, -4000)
    expect(demo.thoughts_title).to_be_in_viewport()
    position = demo.page.evaluate("scrollY")
    expect(demo.status).to_contain_text("Done in")
    assert demo.page.evaluate("scrollY") == position
