"""A gateway that wants a key: the page asks its reader for it, and tells it to nobody else."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.page.test_page_access import faults
from tests.programs import start_gateway

KEY = "sk-one"
WANTED = "This gateway wants a key. Type it under Options."
UNKNOWN = "The gateway does not know this key. Type another under Options."


@pytest.fixture(scope="module")
def gateway_url(mock_url: str) -> Iterator[str]:
    with start_gateway(mock_url, api_keys=KEY) as gateway:
        yield gateway.url


def key_field(demo):
    return demo.page.get_by_test_id("key")


def test_the_key_is_asked_for_and_then_answers_come(demo):
    expect(demo.complaint).to_have_text(WANTED)
    demo.prompt.fill("hi")
    demo.send.click()
    expect(key_field(demo)).to_be_focused()

    demo.page.keyboard.type("sk-wrong")
    demo.page.keyboard.press("Enter")
    expect(key_field(demo)).to_be_hidden()
    expect(demo.complaint).to_have_text(UNKNOWN)

    demo.send.click()
    key_field(demo).fill(f"{KEY}\u200b")  # as it comes when it is pasted
    demo.page.keyboard.press("Escape")
    expect(demo.complaint).to_be_hidden()
    expect(demo.model).to_have_value("default")
    expect(demo.prompt).to_have_value("hi")
    demo.send.click()
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")


@pytest.mark.parametrize("format", ["events", "phased", "openai", "plain", "messages", "responses"])
def test_every_format_sends_the_key_and_says_what_to_do_without(demo, format):
    demo.choose(key=KEY)
    expect(demo.model).to_have_value("default")
    demo.ask_to_the_end("hi", format=format)
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")

    def without(route: Route) -> None:
        headers = {**route.request.headers}
        del headers["authorization"]
        route.continue_(headers=headers)

    demo.page.route("**/v1/**", without)
    demo.ask("hi")
    expect(demo.error).to_have_text(
        "Send a key of this gateway as `Authorization: Bearer` or `x-api-key`. "
        "Type a key under Options, then try again."
    )


def test_the_key_outlasts_a_reload_and_a_reset_in_its_tab_alone(demo, gateway_url):
    demo.choose(key=KEY)
    expect(demo.model).to_have_value("default")
    demo.page.reload()
    expect(demo.model).to_have_value("default")
    expect(demo.complaint).to_be_hidden()
    demo.page.get_by_test_id("options").click()
    demo.page.get_by_role("button", name="Reset").click()
    expect(key_field(demo)).to_have_value(KEY)

    other = demo.page.context.new_page()
    other.goto(gateway_url)
    expect(other.locator("#complaint")).to_have_text(WANTED)


def test_a_key_that_the_gateway_learns_later_need_not_be_typed_again(demo):
    def forbid(route: Route) -> None:
        route.fulfill(status=401, body="{}")

    demo.page.route("**/v1/models", forbid)
    demo.page.reload()
    expect(demo.complaint).to_have_text(WANTED)
    demo.choose(key=KEY)
    expect(demo.complaint).to_have_text(UNKNOWN)
    demo.page.unroute("**/v1/models")
    demo.ask_to_the_end("hi")
    expect(demo.complaint).to_be_hidden()


def test_neither_a_link_nor_a_command_has_it(demo):
    demo.choose(key=KEY)
    demo.ask_to_the_end("hi", model="default")
    page = demo.page
    page.get_by_test_id("options").click()
    page.get_by_test_id("share").click()
    copied = "navigator.clipboard.readText()"
    expect(page.get_by_test_id("share")).to_have_text("Copied")
    assert KEY not in page.evaluate(copied)
    page.get_by_test_id("options-close").click()
    page.get_by_test_id("inspect").click()
    page.get_by_test_id("curl").click()
    expect(page.get_by_test_id("curl")).to_have_text("Copied")
    command = page.evaluate(copied)
    assert KEY not in command
    assert '-H "Authorization: Bearer $GATEWAY_API_KEY"' in command
    assert KEY not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(demo, scheme):
    demo.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    expect(demo.complaint).to_have_text(WANTED)
    assert faults(demo.page) == []
    demo.send.click()
    expect(demo.page.get_by_label("API key")).to_be_focused()
    assert faults(demo.page) == []
