"""A gateway that requires a key: the page asks for it, and keeps it out of links and commands."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.page.test_page_access import violations
from tests.programs import start_gateway

KEY = "sk-one"
REQUIRED = "This gateway requires an API key. Enter it under Options."
REJECTED = "The gateway rejects this API key. Enter another under Options."


@pytest.fixture(scope="module")
def gateway_url(mock_url: str) -> Iterator[str]:
    with start_gateway(mock_url, api_keys=KEY) as gateway:
        yield gateway.url


def key_field(demo):
    return demo.page.get_by_test_id("key")


def test_the_page_asks_for_the_key_and_then_gets_answers(demo):
    expect(demo.input_error).to_have_text(REQUIRED)
    demo.prompt.fill("hi")
    demo.send.click()
    expect(key_field(demo)).to_be_focused()

    demo.page.keyboard.type("sk-wrong")
    demo.page.keyboard.press("Enter")
    expect(key_field(demo)).to_be_hidden()
    expect(demo.input_error).to_have_text(REJECTED)

    demo.send.click()
    key_field(demo).fill(f"{KEY}\u200b")  # pasted text may contain invisible characters
    demo.page.keyboard.press("Escape")
    expect(demo.input_error).to_be_hidden()
    expect(demo.model).to_have_value("default")
    expect(demo.prompt).to_have_value("hi")
    demo.send.click()
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")


@pytest.mark.parametrize("format", ["events", "phased", "openai", "plain", "messages", "responses"])
def test_every_format_sends_the_key_and_explains_a_missing_one(demo, format):
    demo.choose(key=KEY)
    expect(demo.model).to_have_value("default")
    demo.ask_and_wait("hi", format=format)
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")

    def remove_key(route: Route) -> None:
        headers = {**route.request.headers}
        del headers["authorization"]
        route.continue_(headers=headers)

    demo.page.route("**/v1/**", remove_key)
    demo.ask("hi")
    expect(demo.error).to_have_text(
        "The gateway does not accept this API key. Enter a key under Options, then try again."
    )
    expect(demo.of_turn("error-detail")).to_contain_text("Send a key of this gateway as")


def test_the_key_survives_a_reload_and_a_reset_in_its_tab_only(demo, gateway_url):
    demo.choose(key=KEY)
    expect(demo.model).to_have_value("default")
    demo.page.reload()
    expect(demo.model).to_have_value("default")
    expect(demo.input_error).to_be_hidden()
    demo.page.get_by_test_id("options").click()
    demo.page.get_by_role("button", name="Reset").click()
    expect(key_field(demo)).to_have_value(KEY)

    other = demo.page.context.new_page()
    other.goto(gateway_url)
    expect(other.locator("#input-error")).to_have_text(REQUIRED)


def test_a_key_that_the_gateway_accepts_later_need_not_be_entered_again(demo):
    def reject_key(route: Route) -> None:
        route.fulfill(status=401, body="{}")

    demo.page.route("**/v1/models", reject_key)
    demo.page.reload()
    expect(demo.input_error).to_have_text(REQUIRED)
    demo.choose(key=KEY)
    expect(demo.input_error).to_have_text(REJECTED)
    demo.page.unroute("**/v1/models")
    demo.ask_and_wait("hi")
    expect(demo.input_error).to_be_hidden()


def test_links_and_commands_do_not_contain_the_key(demo):
    demo.choose(key=KEY)
    demo.ask_and_wait("hi", model="default")
    page = demo.page
    page.get_by_test_id("options").click()
    page.get_by_test_id("share").click()
    read_clipboard = "navigator.clipboard.readText()"
    expect(page.get_by_test_id("share")).to_have_text("Copied")
    assert KEY not in page.evaluate(read_clipboard)
    page.get_by_test_id("options-close").click()
    page.get_by_test_id("inspect").click()
    page.get_by_test_id("curl").click()
    expect(page.get_by_test_id("curl")).to_have_text("Copied")
    command = page.evaluate(read_clipboard)
    assert KEY not in command
    assert '-H "Authorization: Bearer $GATEWAY_API_KEY"' in command
    assert KEY not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(demo, scheme):
    demo.page.emulate_media(color_scheme=scheme)
    expect(demo.input_error).to_have_text(REQUIRED)
    assert violations(demo.page) == []
    demo.send.click()
    expect(demo.page.get_by_label("API key")).to_be_focused()
    assert violations(demo.page) == []
