"""Failures: each is explained in a sentence, and the text received so far stays."""

import re

import pytest
from playwright.sync_api import Route, expect

CHAT_PATH = "v1/chat/completions"
OTHER_PATHS = {"messages": "v1/messages", "responses": "v1/responses"}
FAILED = re.compile(r"^Failed after (\d+ ms|\d+\.\d s)$")
FORMATS = ["events", "phased", "openai", "plain", "messages", "responses"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_upstream_error(demo, format):
    demo.ask("hi", model="error-500", format=format)

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(re.compile(r"^[A-Z].+\.$"))
    expect(demo.stop).to_be_hidden()
    expect(demo.thoughts).to_be_hidden()


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_stream(demo, format):
    demo.ask("hi", model="cut", format=format)

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(re.compile(r"^[A-Z].+\.$"))
    expect(demo.answer).to_have_text(re.compile("^Hi!"))
    expect(demo.answer).to_have_attribute("data-state", "failed")


def test_an_empty_prompt(demo):
    demo.ask("  ")

    expect(demo.input_error).to_have_text("Write a prompt first.")
    expect(demo.prompt).to_be_focused()
    expect(demo.status).to_have_text("Ready")

    demo.ask("hi", model="default")
    expect(demo.status).to_contain_text("Done in")
    expect(demo.input_error).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "headers", "body", "sentence"),
    [
        (
            400,
            {},
            '{"error":{"message":"Name a format."}}',
            "Name a format. Change the request, then try again.",
        ),
        (
            400,
            {},
            'data: {"error":"Prompt too long","code":400}\n\n',
            "Prompt too long. Change the request, then try again.",
        ),
        (
            503,
            {"Retry-After": "3"},
            '{"error":{"message":"The gateway is full."}}',
            "The gateway is full. Try again in 3 s.",
        ),
        (502, {}, "<h1>Bad gateway</h1>", "The gateway answered with status 502."),
        (500, {}, "[]", "The gateway answered with status 500."),
    ],
)
def test_a_refusal(demo, status, headers, body, sentence):
    demo.answer_with(body, status=status, headers=headers)
    demo.ask("hi")

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(sentence)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "upstream_unreachable",
            "The model server cannot be reached. Check that it is running, then try again.",
        ),
        ("no_upstream", "No model server can be reached at the moment. Try again in 9 s."),
        ("model_not_found", "There is no such model here. Choose another below the prompt."),
    ],
)
def test_an_error_is_told_in_the_readers_words(demo, code, text):
    message = "ECONNREFUSED 127.0.0.1:9"
    demo.answer_with(
        f'{{"error":{{"message":"{message}","code":"{code}"}}}}',
        status=502 if code != "no_upstream" else 503,
        headers={"Retry-After": "9"} if code == "no_upstream" else {},
        path="v1/messages",
    )
    demo.ask("hi", format="messages")
    expect(demo.error).to_have_text(text)
    detail = demo.of_turn("error-detail")
    expect(detail).to_be_hidden()
    demo.page.get_by_text("What the gateway said").click()
    expect(detail).to_be_visible()
    expect(detail).to_have_text(f"{message}. ({code})")


def test_a_models_own_error_is_told_as_it_is(demo):
    demo.ask("hi", model="error-400")
    expect(demo.error).to_have_text(
        "The conversation is too long for this model. "
        "Shorten the prompt, start a new chat, or choose another model."
    )
    demo.ask("hi", model="error-500")
    expect(demo.error).to_contain_text("The server had an error while processing your request.")
    expect(demo.turns.last.get_by_text("What the gateway said")).to_be_hidden()


CHUNK = 'data: {"choices":[{"delta":{"content":"Hi"}}],"phase":"final_output"}\n\n'
BROKEN = "The upstream broke off."


@pytest.mark.parametrize(
    ("format", "body"),
    [
        (
            "events",
            'event: final_output_delta\ndata: {"text":"Hi"}\n\n'
            f'event: failed\ndata: {{"error":{{"message":"{BROKEN}"}}}}\n\n',
        ),
        ("phased", f'{CHUNK}data: {{"error":{{"message":"{BROKEN}"}}}}\n\ndata: [DONE]\n\n'),
        ("openai", f'{CHUNK}data: {{"error":{{"message":"{BROKEN}"}}}}\n\ndata: [DONE]\n\n'),
        ("plain", f'{CHUNK}data: {{"error":"{BROKEN}","code":502}}\n\n'),
    ],
)
def test_an_error_in_the_stream(demo, format, body):
    demo.answer_with(body)
    demo.ask("hi", format=format)

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(BROKEN)
    expect(demo.answer).to_have_text("Hi")


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_that_ends_early(demo, format):
    demo.answer_with(": connected\n\n", path=OTHER_PATHS.get(format, CHAT_PATH))
    demo.ask("hi", format=format)

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(
        "The stream ended before the answer was complete. "
        "The text received so far is kept. Try again when the connection is back."
    )


def test_a_stream_that_is_not_json(demo):
    demo.answer_with("data: {oops\n\n")
    demo.ask("hi", format="phased")

    expect(demo.error).to_have_text("The gateway sent an event that this page cannot read.")


def test_an_unreachable_gateway(demo):
    demo.page.route("**/v1/chat/completions", lambda route: route.abort("connectionrefused"))
    demo.ask("hi")

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_contain_text("The gateway cannot be reached.")


def test_a_turn_that_lost_its_connection_can_be_tried_again(demo, scripted):
    demo.ask("hi", model="default")
    scripted.say(("prompt_summary", {"text": "hi"}), ("final_output_delta", {"text": "Hi! Ni"}))
    expect(demo.answer).to_have_text("Hi! Ni")
    scripted.lose()

    expect(demo.status).to_have_text(FAILED)
    expect(demo.error).to_have_text(
        "The connection was lost before the answer was complete. "
        "The text received so far is kept. Try again when the connection is back."
    )
    expect(demo.answer).to_have_text("Hi! Ni")

    demo.of_turn("try-again").click()
    scripted.say(("final_output_delta", {"text": "Hello."}), ("done", {"finish_reason": "stop"}))
    expect(demo.answer).to_have_text("Hello.")
    expect(demo.turns).to_have_count(1)
    expect(demo.error).to_be_hidden()


def test_without_a_list_of_models_the_user_enters_a_name(demo):
    def refuse(route: Route) -> None:
        route.fulfill(status=503, body="{}")

    demo.page.route("**/v1/models", refuse)
    demo.page.reload()
    expect(demo.model_name).to_be_visible()

    demo.prompt.fill("hi")
    demo.send.click()
    expect(demo.input_error).to_have_text(
        "Enter a model name first: the gateway lists no models. Is the model server running?"
    )
    expect(demo.model_name).to_be_focused()

    demo.model_name.fill("default")
    demo.send.click()
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")


def test_a_model_server_that_starts_later_is_found_without_a_reload(demo):
    demo.page.route("**/v1/models", lambda route: route.fulfill(status=502, body="{}"))
    demo.page.reload()
    expect(demo.model_name).to_be_visible()
    demo.page.unroute("**/v1/models")
    demo.ask_and_wait("hi")
    expect(demo.answer).to_have_text("Hi! Nice to meet you.")
