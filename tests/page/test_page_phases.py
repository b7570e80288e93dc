"""The phases of a turn as they are told: waiting, thinking, answer; the gist; the sign of work."""

import re

import pytest
from playwright.sync_api import expect

REASONING = ("reasoning_delta", {"text": "Let me see."})
OUTPUT = ("final_output_delta", {"text": "Hi"})
WAITING = re.compile(r"^Waiting for \d+ s$")


def test_waiting_is_not_called_thinking(demo, scripted):
    demo.ask("hi", model="default")
    expect(demo.thoughts_title).to_have_text(WAITING)
    expect(demo.status).to_have_text(re.compile(r"^Waiting… \d+ s$"))
    scripted.say(("prompt_summary", {"text": "hi"}), ("heartbeat", {"elapsed_ms": 1}))
    expect(demo.prompt_summary).to_have_text("hi")
    expect(demo.thoughts_title).to_have_text(WAITING)
    expect(demo.thoughts).to_have_attribute("data-state", "waiting")

    scripted.say(REASONING)
    expect(demo.thoughts_title).to_have_text(re.compile(r"^Thinking for \d+ s · ≈ 3 tokens$"))
    expect(demo.thoughts).to_have_attribute("data-state", "active")
    scripted.say(OUTPUT)
    expect(demo.status).to_have_text(re.compile(r"^Answering… "))
    demo.stop.click()


def test_the_time_of_waiting_does_not_count_as_thinking(demo, scripted, clock):
    demo.ask("hi", model="default")
    scripted.say(("prompt_summary", {"text": "hi"}))
    expect(demo.prompt_summary).to_have_text("hi")
    clock.run_for(30_000)
    scripted.say(REASONING)
    clock.run_for(4_000)
    expect(demo.thoughts_title).to_have_text(re.compile(r"^Thinking for [45] s "))
    scripted.say(OUTPUT, ("done", {"finish_reason": "stop"}))
    clock.run_for(1_000)
    expect(demo.thoughts_title).to_have_text(re.compile(r"^Thought for [45]\.\d s · ≈ 3 tokens$"))


def test_a_turn_that_ends_while_waiting_has_no_thoughts(demo, scripted):
    demo.ask("hi", model="default")
    scripted.say(("prompt_summary", {"text": "hi"}), ("failed", {"error": {"message": "No."}}))
    expect(demo.error).to_be_visible()
    expect(demo.thoughts).to_be_hidden()
    expect(demo.of_turn("gist")).to_be_hidden()


@pytest.mark.parametrize(
    ("summary", "gist"),
    [
        ("It tries 7 and 11. So 3.5 is right.", "So 3.5 is right."),
        ("先试七。所以答案是四。", "所以答案是四。"),
        ("One line.\nThe last line", "The last line"),
    ],
)
def test_the_last_conclusion_stays_beside_the_time(demo, named_events, summary, gist):
    demo.answer_with(
        named_events(
            ("reasoning_summary_delta", {"text": "Tries something."}),
            ("reasoning_summary", {"text": summary}),
            ("final_output_delta", {"text": "4"}),
            ("done", {"finish_reason": "stop"}),
        )
    )
    demo.ask_and_wait("2+2")
    expect(demo.of_turn("gist")).to_have_text(gist)
    expect(demo.of_turn("gist")).to_be_visible()
    demo.thoughts_title.click()
    expect(demo.of_turn("gist")).to_be_hidden()


@pytest.mark.parametrize("model", ["no-reasoning", "error-500"])
def test_without_reasoning_there_is_no_gist(demo, model):
    demo.ask("hi", model=model)
    expect(demo.status).to_have_text(re.compile("^(Done|Failed)"))
    expect(demo.of_turn("gist")).to_be_hidden()


def test_between_two_lines_something_shows_that_the_model_works(demo, scripted, clock):
    work = demo.of_turn("work")
    demo.ask("hi", model="default")
    scripted.say(
        ("reasoning_delta", {"text": "So the "}), ("reasoning_summary_delta", {"text": "A."})
    )
    expect(demo.summary).to_have_text("A.")
    expect(work).to_be_hidden()
    clock.run_for(3_000)
    expect(work).to_have_text("… So the")
    scripted.say(("reasoning_delta", {"text": "moon is\nround."}))
    clock.run_for(500)
    expect(work).to_have_text("… So the moon is round.")
    expect(work).to_have_attribute("aria-hidden", "true")
    scripted.say(OUTPUT)
    clock.run_for(500)
    expect(work).to_be_hidden()
    demo.stop.click()


def test_tokens_are_estimates_until_they_are_counted(demo, scripted):
    demo.ask("hi", model="default")
    scripted.say(
        ("reasoning_delta", {"text": "Let me see."}), ("final_output_delta", {"text": "Hi"})
    )
    scripted.say(("done", {"finish_reason": "stop"}))
    expect(demo.of_turn("figures")).to_contain_text("≈ 1 token")

    demo.ask("hi")
    usage = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 4}}
    scripted.say(
        ("reasoning_delta", {"text": "Let me see."}), ("final_output_delta", {"text": "Hi"})
    )
    scripted.say(("done", {"finish_reason": "stop", "usage": usage}))
    expect(demo.of_turn("figures")).to_contain_text("5 tokens")
    expect(demo.of_turn("figures")).not_to_contain_text("≈")
