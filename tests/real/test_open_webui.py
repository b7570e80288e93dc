"""Open WebUI as a client of the gateway, tested through its API and on its page."""

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="needs requirements-real.txt: make test-real")

from playwright.sync_api import Browser, expect

from tests.browser import chromium
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, frame, refusal, say
from tests.live.wire import logged_turns, wait_until
from tests.programs import Program, start_gateway
from tests.real.open_webui import OLLAMA, PHASED, Chat, OpenWebUI, start_open_webui

OPEN_WEBUI = os.environ.get("OPEN_WEBUI", "")
pytestmark = pytest.mark.skipif(
    not OPEN_WEBUI, reason="OPEN_WEBUI is not the path of an open-webui: make test-real sets it"
)
expect.set_options(timeout=60_000)

KEY = "a-key-of-the-gateway"
PROMPT = "What is 2+2?"
THOUGHT = "Two and two make four."
STEPS = [
    "The user asks for a sum of two small numbers, and wants to know the result. ",
    "First I count two fingers on the left hand, then I count two more on the right hand. ",
    "Together that makes four fingers, so the sum of the two numbers has to be four. ",
    "I check it once more by counting backwards from four, and I arrive at zero as I should. ",
    "So the result is four, and I can say it in one line. ",
]
"""Long enough for a first line of the summary while the model still thinks."""
ANSWER = "It is 4."
TASKS = {"title": "A small sum", "follow_ups": ["And 3+3?"], "tags": ["sums"]}
PREFIXES = ["", f"{PHASED}."]
"""The prefix of a model's name selects the base URL: none `/openai/v1`, `phased.` `/v1`."""

REFUSALS = {
    "too-long": (400, "The prompt is too long.", 400),
    "busy": (429, "Slow down.", 429),
    "broken": (500, "The model is broken.", 502),
}
"""Model → the model server's status, its message, and the status of Open WebUI's API."""


def answer(*texts: str) -> tuple[bytes, ...]:
    return CHUNKED, *chunked([*say(*texts), FINISH, DONE])


def tool_call(name: str) -> tuple[bytes, ...]:
    call = {"index": 0, "id": "call_1", "function": {"name": name, "arguments": "{}"}}
    asked = frame({"tool_calls": [{**call, "type": "function"}]})
    return CHUNKED, *chunked([*say("<think>I look."), asked, frame({}, "tool_calls"), DONE])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as made:
        thinks = f"<think>\n{THOUGHT}\n</think>\n\n"
        made.set_script("thinker", *answer(thinks, ANSWER))
        made.set_script("tasks", *answer("<think>JSON.</think>", json.dumps(TASKS)))
        made.set_scripts("clock", tool_call("get_current_timestamp"), answer(thinks, ANSWER))
        made.set_script("breaks-off", CHUNKED, *chunked(say(thinks, "It is"), end=False))
        for model, (status, message, _) in REFUSALS.items():
            error = {"message": message, "type": "made_up", "param": None, "code": None}
            made.set_script(model, refusal(status, error))
        for model in ("stays", "slow"):
            made.set_script(model)
        yield made


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[Program]:
    with start_gateway(upstream.url, breaker_failures=10_000, api_keys=KEY) as program:
        yield program


@pytest.fixture(scope="module")
def webui(gateway: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWebUI]:
    folder = tmp_path_factory.mktemp("open-webui")
    with start_open_webui(OPEN_WEBUI, gateway.url, KEY, folder) as program:
        yield program


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_chat(browser: Browser, webui: OpenWebUI) -> Iterator[Callable[[str], Chat]]:
    """Opens the page with a model chosen."""
    made: list[Chat] = []

    def make(model: str) -> Chat:
        made.append(Chat(browser, webui, model))
        return made[-1]

    yield make
    for chat in made:
        chat.page.close()


def conversations(upstream: Upstream, model: str) -> list[Any]:
    """Returns the messages of each request that the model server got."""
    return [seen.body["messages"] for seen in upstream.requests if seen.body["model"] == model]


# --- The API --------------------------------------------------------------------------------------


def test_the_models_of_both_base_urls_are_listed(webui: OpenWebUI) -> None:
    assert {"thinker", f"{PHASED}.thinker"} <= set(webui.models())


def test_a_streamed_answer_has_the_summaries_in_reasoning_content(webui: OpenWebUI) -> None:
    *events, end = webui.ask("thinker", stream=True).content.decode().strip().split("\n\n")
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]
    thoughts = "".join(delta.get("reasoning_content", "") for delta in deltas)
    assert thoughts == f"{PROMPT}\n\n{THOUGHT}\n\n"
    assert "".join(delta.get("content", "") for delta in deltas) == ANSWER
    assert end == "data: [DONE]"


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_non_streamed_answer_has_only_the_answer_in_content(
    webui: OpenWebUI, prefix: str
) -> None:
    [choice] = webui.ask(f"{prefix}thinker", stream=False).json()["choices"]
    assert choice["message"]["content"] == ANSWER
    assert choice["message"]["reasoning_content"] == THOUGHT


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("model", REFUSALS)
def test_a_refusal_keeps_its_status_and_message(webui: OpenWebUI, model: str, stream: bool) -> None:
    _, message, status = REFUSALS[model]
    refused = webui.ask(model, stream=stream)
    assert refused.status_code == status
    assert refused.json()["error"]["message"] == message


def test_a_stream_that_breaks_off_ends_in_an_error(webui: OpenWebUI) -> None:
    *_, said, error, end = webui.ask("breaks-off", stream=True).content.decode().split("\n\n")[:-1]
    assert '"content":"It is"' in said
    assert "broke off" in error
    assert end == "data: [DONE]"
    assert webui.ask("breaks-off", stream=False).status_code == 502


def test_over_ollamas_api_the_summaries_are_beside_the_answer(
    webui: OpenWebUI, gateway: Program
) -> None:
    webui.connect_ollama(gateway.url, KEY)
    model = f"{OLLAMA}.thinker:latest"
    assert model in webui.models()
    [choice] = webui.ask(model, stream=False).json()["choices"]
    assert choice["message"]["content"] == ANSWER
    assert THOUGHT in choice["message"]["reasoning_content"]
    *events, end = webui.ask(model, stream=True).content.decode().strip().split("\n\n")
    deltas = [json.loads(event.removeprefix("data: "))["choices"][0]["delta"] for event in events]
    thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    assert thoughts == f"{PROMPT}\n\n{THOUGHT}\n\n"
    assert "".join(delta.get("content") or "" for delta in deltas) == ANSWER
    assert end == "data: [DONE]"


# --- The page -------------------------------------------------------------------------------------


def test_the_summaries_grow_below_thinking_before_the_answer(
    upstream: Upstream, open_chat: Callable[[str], Chat]
) -> None:
    answers_now = threading.Event()
    thinks = chunked([*say("<think>", *STEPS)], end=False)
    rest = chunked([*say("</think>\n\n", ANSWER), FINISH, DONE])
    upstream.set_script("slow", CHUNKED, *thinks, answers_now, *rest)
    chat = open_chat("slow")
    chat.say(PROMPT)
    expect(chat.thoughts).to_contain_text("Thinking")
    shown = chat.reply.locator("blockquote p")
    expect(shown).to_have_count(2)
    prompt, first_line = shown.all_inner_texts()
    assert prompt == PROMPT
    assert first_line in "".join(STEPS)
    answers_now.set()
    expect(chat.thoughts).to_contain_text("Thought for")
    expect(chat.reply).to_contain_text(ANSWER)
    assert shown.all_inner_texts()[:2] == [prompt, first_line]
    assert ANSWER not in shown.all_inner_texts()


def test_the_summaries_are_labelled_in_the_phased_format(
    open_chat: Callable[[str], Chat],
) -> None:
    chat = open_chat(f"{PHASED}.thinker")
    chat.say(PROMPT)
    expect(chat.reply).to_have_text(
        re.compile(rf"\[Prompt Summary\] .*\[Reasoning Summary\] {THOUGHT}\s*{ANSWER}", re.DOTALL)
    )


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_model_gets_earlier_turns_without_their_summaries(
    upstream: Upstream, open_chat: Callable[[str], Chat], prefix: str
) -> None:
    before = len(conversations(upstream, "thinker"))
    chat = open_chat(f"{prefix}thinker")
    chat.say(PROMPT)
    expect(chat.reply).to_contain_text(ANSWER)
    chat.say("Are you sure?")
    wait_until(lambda: len(conversations(upstream, "thinker")) == before + 2, 60)
    assert conversations(upstream, "thinker")[-1] == [
        {"role": "user", "content": PROMPT},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "Are you sure?"},
    ]


def test_title_and_follow_ups_come_from_answers_without_summaries(
    open_chat: Callable[[str], Chat],
) -> None:
    chat = open_chat("thinker")
    chat.say(PROMPT)
    expect(chat.page).to_have_title(re.compile(f"^{TASKS['title']}"))
    expect(chat.button(f"Follow up: {TASKS['follow_ups'][0]}")).to_be_visible()


def test_a_tool_result_goes_back_without_summaries(
    upstream: Upstream, open_chat: Callable[[str], Chat]
) -> None:
    chat = open_chat("clock")
    chat.say("What time is it?")
    expect(chat.reply).to_contain_text(ANSWER)
    _, asked, result = conversations(upstream, "clock")[1]
    assert (asked["role"], asked.get("content") or "") == ("assistant", "")
    assert [call["function"]["name"] for call in asked["tool_calls"]] == ["get_current_timestamp"]
    assert "current_timestamp" in result["content"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("model", [*REFUSALS, "breaks-off"])
def test_an_error_is_shown_in_the_reply_and_not_retried(
    upstream: Upstream, open_chat: Callable[[str], Chat], prefix: str, model: str
) -> None:
    before = upstream.requests_for(model)
    chat = open_chat(f"{prefix}{model}")
    chat.say(PROMPT)
    said = REFUSALS[model][1] if model in REFUSALS else "The connection to the upstream broke off."
    expect(chat.reply).to_contain_text(said)
    assert upstream.requests_for(model) == before + 1


def test_the_stop_button_stops_the_model(
    upstream: Upstream, gateway: Program, open_chat: Callable[[str], Chat]
) -> None:
    never = threading.Event()
    upstream.set_script("stays", CHUNKED, *chunked([*say("<think>", *STEPS)], end=False), never)
    chat = open_chat("stays")
    chat.say(PROMPT)
    expect(chat.thoughts).to_contain_text("Thinking")
    chat.button("Stop").click()
    wait_until(lambda: any(turn["end"] == "left" for turn in logged_turns(gateway)), 60)
    [turn] = [turn for turn in logged_turns(gateway) if turn["model"] == "stays"]
    assert turn["end"] == "left"
