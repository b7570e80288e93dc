"""The conversations of this browser: kept, searched, opened, renamed, deleted and saved."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.page.test_page_access import in_both_looks, overflow, violations

FAST = "default@tps=2000"
ANSWER = "Hi! Nice to meet you."


@pytest.fixture
def kept(demo):
    """The page with two earlier conversations and an empty present one."""
    for prompt in ("hi", "What is 2+2?"):
        demo.ask_and_wait(prompt, model="default")
        demo.page.get_by_test_id("new-chat").click()
        expect(demo.turns).to_have_count(0)
    demo.page.get_by_test_id("chats").click()
    return demo


def titles(demo):
    return demo.page.locator("#chats-list .chat-open span")


def test_conversations_are_listed_newest_first_and_can_be_opened(kept):
    expect(titles(kept)).to_have_text(["What is 2+2?", "hi"])
    titles(kept).last.click()
    expect(kept.page.get_by_role("dialog")).to_have_count(0)
    expect(kept.answer).to_have_text(ANSWER)
    expect(kept.status).to_have_text("Ready")
    with kept.page.expect_request("**/v1/chat/completions") as request:
        kept.ask_and_wait("hi")
    assert len(request.value.post_data_json["messages"]) == 3
    kept.page.reload()
    expect(kept.turns).to_have_count(2)
    kept.page.get_by_test_id("chats").click()
    expect(titles(kept)).to_have_text(["hi", "What is 2+2?"])
    expect(kept.page.locator(".chat-open[aria-current]")).to_contain_text("hi")


def test_conversations_outlive_their_tab(kept, gateway_url):
    other = kept.page.context.new_page()
    other.goto(gateway_url)
    expect(other.locator(".turn")).to_have_count(0)
    other.get_by_test_id("chats").click()
    other.locator(".chat-open").first.click()
    expect(other.get_by_test_id("final-output")).to_have_text("2 + 2 = 4.")


def test_the_search_finds_titles_and_answers(kept):
    search = kept.page.get_by_test_id("chats-search")
    search.fill("NICE to meet")
    expect(titles(kept)).to_have_text(["hi"])
    search.fill("2+2")
    expect(titles(kept)).to_have_text(["What is 2+2?"])
    search.fill("zebra")
    expect(titles(kept)).to_have_count(0)
    expect(kept.page.locator("#chats-note")).to_have_text("No conversation contains this.")


def test_a_conversation_can_be_renamed(kept):
    kept.page.get_by_role("button", name="Rename “hi”").click()
    kept.page.get_by_label("New name").fill("A greeting")
    kept.page.keyboard.press("Enter")
    expect(titles(kept)).to_have_text(["What is 2+2?", "A greeting"])
    expect(kept.page.get_by_role("dialog")).to_be_visible()
    titles(kept).last.click()
    kept.ask_and_wait("hi")
    kept.page.get_by_test_id("chats").click()
    expect(titles(kept)).to_have_text(["A greeting", "What is 2+2?"])
    kept.page.get_by_role("button", name="Rename “A greeting”").click()
    kept.page.get_by_label("New name").fill("Nothing")
    kept.page.keyboard.press("Escape")
    expect(titles(kept).first).to_have_text("A greeting")


def test_a_deleted_conversation_can_be_brought_back(kept):
    kept.page.get_by_role("button", name="Delete “What is 2+2?”").click()
    expect(titles(kept)).to_have_text(["hi"])
    expect(kept.page.locator("#chats-note")).to_have_text("“What is 2+2?” is deleted.")
    undo = kept.page.get_by_test_id("chats-undo")
    expect(undo).to_be_focused()
    undo.click()
    expect(titles(kept)).to_have_text(["What is 2+2?", "hi"])
    expect(undo).to_be_hidden()
    titles(kept).first.click()
    expect(kept.answer).to_have_text("2 + 2 = 4.")


def test_deleting_the_present_conversation_clears_the_page(kept):
    titles(kept).first.click()
    expect(kept.turns).to_have_count(1)
    kept.page.get_by_test_id("chats").click()
    kept.page.get_by_role("button", name="Delete “What is 2+2?”").click()
    expect(kept.turns).to_have_count(0)
    assert "2+2" not in kept.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    kept.page.get_by_test_id("chats-undo").click()
    expect(kept.turns).to_have_count(1)


def test_all_conversations_are_deleted_and_brought_back(kept):
    titles(kept).first.click()
    expect(kept.turns).to_have_count(1)
    kept.page.get_by_test_id("chats").click()
    delete_all = kept.page.get_by_test_id("chats-delete-all")
    kept.page.get_by_test_id("chats-search").fill("hi")
    expect(delete_all).to_be_hidden()
    kept.page.get_by_test_id("chats-search").fill("")
    delete_all.click()
    expect(titles(kept)).to_have_count(0)
    expect(kept.turns).to_have_count(0)
    expect(delete_all).to_be_hidden()
    expect(kept.page.locator("#chats-note")).to_have_text("2 conversations are deleted.")
    stored = kept.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert "2+2" not in stored
    assert "Nice to meet" not in stored

    undo = kept.page.get_by_test_id("chats-undo")
    expect(undo).to_be_focused()
    undo.click()
    expect(titles(kept)).to_have_text(["What is 2+2?", "hi"])
    expect(kept.answer).to_have_text("2 + 2 = 4.")
    titles(kept).last.click()
    expect(kept.answer).to_have_text(ANSWER)

    kept.page.get_by_test_id("chats").click()
    delete_all.click()
    kept.page.reload()
    kept.page.get_by_test_id("chats").click()
    expect(kept.page.locator("#chats-note")).to_have_text("No conversations yet.")


def test_a_turn_goes_on_while_another_conversation_is_open(demo):
    demo.ask_and_wait("hi", model="default")
    demo.page.get_by_test_id("new-chat").click()
    demo.ask("Explain streaming APIs", model="default@tps=150")
    expect(demo.trace).not_to_be_empty()
    demo.page.get_by_test_id("chats").click()
    titles(demo).last.click()
    expect(demo.answer).to_have_text(ANSWER)
    expect(demo.send).to_be_visible()
    demo.page.get_by_test_id("chats").click()
    titles(demo).get_by_text("Explain streaming APIs").click()
    expect(demo.stop).to_be_visible()
    expect(demo.status).to_contain_text("Done in", timeout=60_000)
    expect(demo.answer).to_contain_text("to cache and to retry.")


def test_full_storage_drops_the_oldest_conversations(kept):
    page = kept.page
    page.get_by_test_id("chats-close").click()
    page.evaluate(
        """() => {
            let text = "x".repeat(4096);
            for (let n = 0; ; n += 1) {
                try { localStorage.setItem(`ballast-${n}`, text); } catch {
                    if (text.length < 8) break;
                    text = text.slice(0, text.length / 2);
                }
            }
        }"""
    )
    kept.ask_and_wait("hi", model="default")
    kept.page.reload()
    expect(kept.answer).to_have_text(ANSWER)
    page.get_by_test_id("chats").click()
    expect(titles(kept).first).to_have_text("hi")


def saved(demo, kind: str) -> str:
    demo.page.get_by_test_id("chats").click()
    with demo.page.expect_download() as download:
        demo.page.get_by_test_id(f"save-{kind}").click()
    assert re.fullmatch(r"What-is-2-2\.(md|json)", download.value.suggested_filename)
    return download.value.path().read_text()


def test_a_conversation_is_saved_as_markdown(demo):
    demo.ask_and_wait("What is 2+2?", model="default")
    demo.ask_and_wait("hi")
    text = saved(demo, "markdown")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# What is 2+2?", *["## You, to default", "## Answer"] * 2]
    assert "\n\n2 + 2 = 4.\n\n" in text
    assert "\n> I should greet in one sentence and keep it short." in text
    assert text.endswith(f"\n\n{ANSWER}\n")


def test_a_conversation_is_saved_as_json(demo):
    demo.ask_and_wait("What is 2+2?", model="default")
    found = json.loads(saved(demo, "json"))
    assert found["title"] == "What is 2+2?"
    assert found["messages"] == [
        {"role": "user", "content": "What is 2+2?"},
        {"role": "assistant", "content": "2 + 2 = 4."},
    ]
    assert found["turns"][0]["choice"]["model"] == "default"
    assert found["turns"][0]["summary"]


@in_both_looks
def test_the_drawer_fits_and_axe_finds_no_violations(kept, scheme, width):
    kept.show_in(scheme, width)
    assert violations(kept.page) == []
    kept.page.get_by_role("button", name="Delete “hi”").click()
    expect(kept.page.get_by_test_id("chats-undo")).to_be_visible()
    assert violations(kept.page) == []
    kept.page.get_by_role("button", name="Rename").click()
    assert violations(kept.page) == []
    assert overflow(kept.page) == 0
