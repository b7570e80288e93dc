"""The button "Answer now", against the mock as a server of each kind."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from gateway.core.continuation import closing_sentence
from gateway.mock.replies import long_reply
from tests.kinds import write_settings
from tests.programs import start_gateway

DONE = re.compile(r"^Done in ")
THOUGHTS, ANSWER = long_reply("hi")
SENTENCE = closing_sentence("thinker").strip()


@pytest.fixture(scope="module")
def gateway_url(mock_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config = write_settings(tmp_path_factory.mktemp("kinds") / "gateway.toml", mock_url, 40)
    with start_gateway(mock_url, gateway_config=config, web_concurrency=2) as gateway:
        yield gateway.url


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama.cpp", "ollama", "chat"])
@pytest.mark.parametrize("format", ["events", "messages"])
def test_the_button_ends_the_thinking(demo, kind, format):
    button = demo.page.get_by_test_id("answer-now")
    expect(button).to_be_hidden()
    demo.ask("hi", model=f"{kind}/thinker", format=format, reasoning="both")
    expect(demo.trace).to_contain_text("The subject here is")
    button.click()

    expect(demo.status).to_have_text(DONE)
    expect(demo.answer).to_have_text(ANSWER)
    expect(button).to_be_hidden()
    trace = " ".join(demo.trace.text_content().split())
    assert " ".join(THOUGHTS.split()).startswith(trace.removesuffix(SENTENCE).strip())
    assert len(trace) < len(THOUGHTS) / 2


def test_the_button_is_gone_once_the_answer_has_begun(demo):
    button = demo.page.get_by_test_id("answer-now")
    demo.ask("hi", model="vllm/thinker", format="events")
    expect(button).to_be_visible()
    button.click()
    expect(demo.answer).to_contain_text("Hi!")
    expect(button).to_be_hidden()
    expect(demo.status).to_have_text(DONE)


def test_a_refusal_is_shown(demo):
    demo.page.route(
        "**/v1/streams/*/answer",
        lambda route: route.fulfill(
            status=409, json={"error": {"message": "It can't be ended.", "code": "x"}}
        ),
    )
    demo.ask("hi", model="vllm/thinker", format="plain")
    demo.page.get_by_test_id("answer-now").click()
    expect(demo.page.get_by_role("alert")).to_have_text("It can't be ended.")
    demo.stop.click()
