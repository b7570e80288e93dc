"""Versions of an answer, edited prompts, recalled prompts, the way to the latest, shortcuts."""

from playwright.sync_api import expect

from tests.page.test_page_access import in_both_looks, overflow, violations

FAST = "default@tps=0"
ANSWER = "Hi! Nice to meet you."
SUM = "2 + 2 = 4."


def edit(demo, number: int, prompt: str) -> None:
    demo.turns.nth(number).hover()
    demo.turns.nth(number).get_by_test_id("edit").click()
    demo.page.get_by_test_id("edit-prompt").fill(prompt)
    demo.page.get_by_test_id("edit-send").click()
    expect(demo.stop).to_be_hidden()


def sent(demo, action) -> list[str]:
    """The contents of the messages that an action sends."""
    with demo.page.expect_request("**/v1/chat/completions") as request:
        action()
    expect(demo.status).to_contain_text("Done in")
    return [message["content"] for message in request.value.post_data_json["messages"]]


def test_regenerate_keeps_the_old_answer_as_a_version(demo, named_events):
    for text in ("One.", "Two.", "Three."):
        demo.page.unroute_all()
        demo.answer_with(
            named_events(
                ("final_output_delta", {"text": text}), ("done", {"finish_reason": "stop"})
            )
        )
        if text == "One.":
            demo.ask_and_wait("hi", model=FAST)
            expect(demo.of_turn("versions")).to_be_hidden()
        else:
            demo.of_turn("regenerate").click()
        expect(demo.answer).to_have_text(text)
        expect(demo.status).to_contain_text("Done in")
    expect(demo.of_turn("versions")).to_contain_text("3/3")
    expect(demo.of_turn("newer")).to_be_disabled()
    demo.of_turn("older").click()
    expect(demo.answer).to_have_text("Two.")
    demo.page.reload()
    expect(demo.of_turn("versions")).to_contain_text("2/3")
    demo.of_turn("older").click()
    expect(demo.answer).to_have_text("One.")
    expect(demo.of_turn("older")).to_be_disabled()
    assert sent(demo, lambda: demo.ask("So?")) == ["hi", "One.", "So?"]


def test_an_answer_that_failed_is_no_version(demo):
    demo.ask("hi", model="error-500")
    expect(demo.error).to_be_visible()
    demo.choose(model=FAST)
    demo.of_turn("try-again").click()
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.of_turn("versions")).to_be_hidden()


def test_an_edited_prompt_is_a_new_version_with_its_own_turns(demo):
    demo.ask_and_wait("hi", model=FAST)
    demo.ask_and_wait("What is 2+2?")
    demo.ask_and_wait("hi")
    edit(demo, 1, "What is 3+3?")
    expect(demo.turns).to_have_count(2)
    expect(demo.answer).to_have_text("3 + 3 = 6.")
    expect(demo.of_turn("versions")).to_contain_text("2/2")
    assert sent(demo, lambda: demo.ask("So?")) == [
        *("hi", ANSWER, "What is 3+3?", "3 + 3 = 6.", "So?")
    ]

    second = demo.turns.nth(1)
    second.get_by_test_id("older").click()
    expect(demo.turns).to_have_count(3)
    expect(second.get_by_test_id("final-output")).to_have_text(SUM)
    demo.page.reload()
    expect(demo.turns).to_have_count(3)
    assert sent(demo, lambda: demo.ask("And?")) == [
        *("hi", ANSWER, "What is 2+2?", SUM, "hi", ANSWER, "And?")
    ]
    second.get_by_test_id("newer").click()
    expect(demo.turns).to_have_count(3)
    expect(second.get_by_test_id("final-output")).to_have_text("3 + 3 = 6.")


def test_editing_can_be_cancelled(demo):
    demo.ask_and_wait("hi", model=FAST)
    demo.turns.first.hover()
    demo.of_turn("edit").click()
    field = demo.page.get_by_test_id("edit-prompt")
    expect(field).to_be_focused()
    field.fill("")
    demo.page.keyboard.press("Enter")
    expect(field).to_be_focused()
    demo.page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    expect(demo.of_turn("asked")).to_have_text("hi")
    expect(demo.of_turn("edit")).to_be_focused()


def test_versions_and_edits_wait_for_the_running_turn(demo):
    demo.ask_and_wait("hi", model=FAST)
    demo.of_turn("regenerate").click()
    expect(demo.status).to_contain_text("Done in")
    demo.ask("hi", model="long-thinking")
    expect(demo.turns.first.get_by_test_id("versions")).not_to_be_visible()
    expect(demo.turns.first.get_by_test_id("edit")).not_to_be_visible()
    demo.stop.click()
    expect(demo.turns.first.get_by_test_id("versions")).to_be_visible()


def test_the_arrow_keys_recall_earlier_prompts(demo):
    demo.ask_and_wait("hi", model=FAST)
    demo.ask_and_wait("What is 2+2?")
    press = demo.page.keyboard.press
    demo.prompt.focus()
    for key, value in [
        ("ArrowUp", "What is 2+2?"),
        ("ArrowUp", "hi"),
        ("ArrowUp", "hi"),
        ("ArrowDown", "What is 2+2?"),
        ("ArrowDown", ""),
    ]:
        press(key)
        expect(demo.prompt).to_have_value(value)
    demo.prompt.fill("mine")
    press("ArrowUp")
    expect(demo.prompt).to_have_value("mine")


def test_a_button_jumps_to_the_latest(demo):
    latest = demo.page.get_by_test_id("latest")
    demo.page.set_viewport_size({"width": 360, "height": 600})
    demo.ask_and_wait("Explain streaming APIs", model="default@tps=2000")
    expect(latest).to_be_hidden()
    demo.page.mouse.wheel(0, -4000)
    expect(latest).to_be_visible()
    latest.click()
    expect(latest).to_be_hidden()
    expect(demo.of_turn("figures")).to_be_in_viewport()


def test_a_sheet_lists_the_shortcuts(demo):
    sheet = demo.page.get_by_role("dialog", name="Keyboard shortcuts")
    demo.prompt.fill("")
    demo.page.keyboard.type("?")
    expect(demo.prompt).to_have_value("?")
    expect(sheet).to_have_count(0)
    demo.prompt.blur()
    demo.page.keyboard.press("?")
    expect(sheet).to_contain_text("Recall an earlier prompt")
    demo.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    demo.page.keyboard.press("/")
    expect(demo.prompt).to_be_focused()
    demo.page.keyboard.press("Control+k")
    expect(demo.page.get_by_role("dialog", name="Conversations")).to_be_visible()


@in_both_looks
def test_axe_finds_no_violations(demo, scheme, width):
    page = demo.page
    demo.show_in(scheme, width)
    demo.ask_and_wait("hi", model=FAST)
    demo.of_turn("regenerate").click()
    expect(demo.of_turn("versions")).to_be_visible()
    demo.turns.first.hover()
    demo.of_turn("edit").click()
    expect(page.get_by_test_id("edit-prompt")).to_be_focused()
    assert violations(page) == []
    assert overflow(page) == 0
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#shortcuts-open').click()")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
