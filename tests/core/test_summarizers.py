"""Summaries say what was stated, within their budget, whatever the pieces."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Detail
from gateway.summarizers import BUDGET_WORDS, SUMMARIZERS, Summary, summarize_prompt
from gateway.summarizers.text import words
from tests.core.cuts import cut, places

LONG = """Okay, let me figure out what the user wants here. The train leaves at 9:40.
It arrives at 11:10, so the journey takes 90 minutes in total.
Hmm, wait. The distance is 120 km between both cities.
Speed is distance divided by time, so 120 / 1.5 = 80 km/h for the whole way.

Maybe there is a stop that I should take into account? The problem names no stop at all.
Let me check the times again. From 9:40 to 11:10 there are exactly 90 minutes, or 1.5 hours.
Multiplying back, 80 km/h times 1.5 hours gives 120 km, which is the distance.
Therefore, the average speed of the train is 80 km/h.
"""


def account(name: str, pieces: list[str], budget: int = 60) -> tuple[list[str], Summary]:
    summarizer = SUMMARIZERS[name]("How fast is the train?", budget)
    lines = [line for piece in pieces for line in summarizer.feed(piece)]
    return lines, summarizer.close()


@pytest.mark.parametrize("name", SUMMARIZERS)
class TestEverySummarizer:
    def test_short_reasoning_is_its_own_summary(self, name: str) -> None:
        text = "I should greet in one sentence. Keep it short."
        assert account(name, [text]) == ([], Summary(text, text))

    def test_no_reasoning_gives_nothing(self, name: str) -> None:
        assert account(name, []) == ([], Summary("", ""))
        assert account(name, [" \n"]) == ([], Summary("", ""))

    @pytest.mark.parametrize("detail", BUDGET_WORDS)
    def test_a_summary_keeps_its_budget_and_states_the_conclusion(
        self, name: str, detail: Detail
    ) -> None:
        _, summary = account(name, [LONG * 5], BUDGET_WORDS[detail])
        assert 0 < words(summary.text) <= BUDGET_WORDS[detail]
        assert "average speed of the train is 80 km/h" in summary.text
        assert "Okay" not in summary.text

    def test_live_lines_come_while_the_model_thinks(self, name: str) -> None:
        lines, _ = account(name, [LONG, LONG])
        assert len(lines) >= 2
        assert all(line == line.strip() and "\n" not in line for line in lines)

    @given(text=st.text(max_size=400), where=places)
    def test_any_text_in_any_pieces(self, name: str, text: str, where: list[int]) -> None:
        whole = account(name, [text])
        assert account(name, cut(text, where)) == whole
        assert words(whole[1].text) <= 60

    @given(where=places)
    def test_no_cut_changes_the_account(self, name: str, where: list[int]) -> None:
        assert account(name, cut(LONG, where)) == account(name, [LONG])

    @pytest.mark.parametrize("piece", ["a", "a ", "word. ", "\n", "```\n", "。"])
    def test_long_texts_take_linear_time(self, name: str, piece: str) -> None:
        began = time.process_time()
        account(name, [piece * 100] * 1000)
        assert time.process_time() - began < 10


def ask(text: object, *before: tuple[str, str]) -> str:
    messages = [{"role": role, "content": content} for role, content in before]
    return summarize_prompt([*messages, {"role": "user", "content": text}])


def test_a_short_prompt_is_its_own_summary() -> None:
    assert ask("hi") == "hi"
    assert ask("What is 2+2?") == "What is 2+2?"
    assert ask("5的阶乘是多少？") == "5的阶乘是多少？"
    assert ask(" two\n lines ") == "two lines"


def test_a_long_prompt_is_its_topic_and_what_is_asked() -> None:
    story = "I keep a list of dictionaries that comes from a large JSON file of orders. " + (
        "Every order has a date, a customer and a total, and some totals are missing. " * 8
    )
    summary = ask(f"{story}\nHow do I sort it by two keys? Thanks.")
    assert summary.startswith("I keep a list of dictionaries")
    assert "How do I sort it by two keys?" in summary


def test_only_the_last_user_message_counts() -> None:
    before = [("system", "Be a pirate."), ("user", "What is 2+2?"), ("assistant", "4")]
    assert ask("And 3+3?", *before) == "And 3+3?"
    assert "pirate" not in summarize_prompt([{"role": "system", "content": "Be a pirate."}])


def test_code_and_attachments_are_named_not_dumped() -> None:
    assert ask("Why?\n```python\nx = 1\ny = 2\n```") == "Why? ⟨python, 2 lines⟩"
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:..."}},
        {"type": "image_url", "image_url": {"url": "data:..."}},
        {"type": "file", "file": {}},
    ]
    assert ask(parts) == "What is this? + 2 images, 1 file"


@pytest.mark.parametrize("content", [None, [], "", "  ", [{"type": "text"}], [{}]])
def test_a_prompt_without_text_still_has_a_line(content: object) -> None:
    assert ask(content)


@given(st.text())
def test_any_prompt_gives_one_short_line(text: str) -> None:
    summary = ask(text)
    assert 0 < len(summary) <= 160
    assert words(summary) <= 31
    assert "\n" not in summary


def test_a_prompt_of_any_length_takes_no_time() -> None:
    text = "A sentence of some words, which says nothing. " * 20_000
    began = time.process_time()
    ask(text)
    assert time.process_time() - began < 0.05
