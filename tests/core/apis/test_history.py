"""Reasoning that clients send back does not reach the model."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer
from gateway.apis.history import strip_summaries, without_reasoning
from gateway.config import ReasoningMode
from tests.core.scripted import DONE, contents, finish, lines, make_turn, run

USER = {"role": "user", "content": "[Prompt Summary] mine\n\nhi", "reasoning": "mine"}
CALLS = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
PHASED = "[Prompt Summary] hi\n\n[Reasoning Summary] I greet.\nIt is short.\n\n"

reasonings = st.lists(
    st.sampled_from(["I add. ", "It is 4.\n\n", "Wait, no. ", "So the answer is 391. ", "\n", "x"])
    | st.text(max_size=20),
    max_size=30,
)
answers = st.text() | st.sampled_from([PHASED, "[Prompt Summary] no", "\n\n[Reasoning Summary] a"])


@given(reasonings, answers, st.sampled_from(["summary", "both"]))
def test_a_phased_answer_that_is_sent_back_loses_its_summaries(
    reasoning: list[str], answer: str, mode: ReasoningMode
) -> None:
    thoughts = [{"choices": [{"index": 0, "delta": {"reasoning": text}}]} for text in reasoning]
    upstream_lines = lines(*thoughts, *contents(answer), finish("stop"), DONE)
    dialect = DIALECTS["phased"](Answer(id="1", model="m", created=7))
    content = ""
    for block in dialect.encode(1, run(make_turn(mode), upstream_lines)).decode().split("\n\n"):
        data = block.rpartition("data: ")[2]
        if data.startswith("{"):
            content += json.loads(data)["choices"][0]["delta"].get("content", "")
    assert content.startswith("[Prompt Summary] ")
    assert strip_summaries(content) == answer


def test_nothing_is_left_of_a_truncated_summary() -> None:
    assert strip_summaries("[Prompt Summary] hi\n\n[Reasoning Summary] I gr") == ""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": "Hi."}, {"content": "Hi."}),
        ({"content": PHASED + "Hi."}, {"content": "Hi."}),
        ({"content": "[Prompt Summary] hi\n\nHi."}, {"content": "Hi."}),
        ({"content": f"Hi. {PHASED}"}, {"content": f"Hi. {PHASED}"}),
        ({"content": ""}, {"content": ""}),
        ({"content": PHASED, "refusal": "No."}, {"content": "", "refusal": "No."}),
        ({"content": PHASED, "tool_calls": CALLS}, {"content": None, "tool_calls": CALLS}),
        ({"content": "", "tool_calls": CALLS}, {"content": "", "tool_calls": CALLS}),
        ({"tool_calls": CALLS}, {"tool_calls": CALLS}),
        *(
            ({"content": "Hi.", field: "I greet.", "name": "n"}, {"content": "Hi.", "name": "n"})
            for field in (
                *("reasoning_content", "reasoning", "reasoning_summary", "thinking"),
                *("reasoning_details", "reasoning_text", "thinking_blocks"),
            )
        ),
        (
            {"content": [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "Hi."}]},
            {"content": [{"type": "text", "text": "Hi."}]},
        ),
        (
            {"content": [{"type": "text", "text": PHASED + "Hi."}, {"type": "refusal"}]},
            {"content": [{"type": "text", "text": "Hi."}, {"type": "refusal"}]},
        ),
        ({"content": [{"type": "text", "text": ""}]}, {"content": [{"type": "text", "text": ""}]}),
        (
            {"content": [{"type": "reasoning", "text": "a"}], "tool_calls": CALLS},
            {"content": None, "tool_calls": CALLS},
        ),
    ],
)
def test_reasoning_is_removed_from_assistant_messages_only(
    message: dict[str, Any], expected: dict[str, Any]
) -> None:
    history = [USER, {"role": "assistant", **message}, USER]
    before = json.dumps(history)
    assert without_reasoning(history) == [USER, {"role": "assistant", **expected}, USER]
    assert json.dumps(history) == before


@pytest.mark.parametrize(
    "message",
    [
        {"content": PHASED},
        {"content": "[Prompt Summary] hi\n\n[Reasoning Summary] I gr", "name": "n"},
        {"content": PHASED, "tool_calls": []},
        {"content": [{"type": "text", "text": PHASED}]},
        {"content": [{"type": "thinking", "thinking": "a"}]},
        {"content": "", "reasoning_content": "I greet."},
        {"content": None, "reasoning": "I greet."},
        {"thinking": "I greet."},
    ],
)
def test_an_assistant_message_that_held_only_reasoning_is_removed(message: dict[str, Any]) -> None:
    history = [USER, {"role": "assistant", **message}, USER]
    assert without_reasoning(history) == [USER, USER]
