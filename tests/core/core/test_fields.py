"""The fields in which servers label reasoning, as each server sends them."""

from typing import Any

import pytest

from gateway.core.events import Extra, OutputDelta, ReasoningDelta
from tests.core.scripted import DONE, FINISH, delta, lines, make_turn, run, text

THOUGHT = {"google": {"thought": True}}


def details(*texts: str, type: str = "reasoning.text", member: str = "text") -> list[Any]:
    return [{"type": type, member: text, "index": 0} for text in texts]


@pytest.mark.parametrize(
    ("deltas", "reasoning", "content"),
    [
        # DeepSeek, SGLang, llama.cpp: content is null, "" or absent beside reasoning.
        ([{"reasoning_content": "a", "content": None}, {"content": "c"}], "a", "c"),
        ([{"reasoning_content": "a", "content": ""}, {"content": "c"}], "a", "c"),
        # vLLM, OpenRouter, Groq, Ollama.
        ([{"reasoning": "a"}, {"reasoning": "b"}, {"content": "c"}], "ab", "c"),
        # A server that sends both names during a transition: the text counts once.
        ([{"reasoning": "a", "reasoning_content": "a"}, {"content": "c"}], "a", "c"),
        # An empty or null field labels nothing.
        ([{"reasoning": None, "reasoning_content": "", "content": "<think>a</think>c"}], "a", "c"),
        # OpenRouter mirrors `reasoning` in `reasoning_details`, which count if they are alone.
        ([{"reasoning": "a", "reasoning_details": details("a")}, {"content": "c"}], "a", "c"),
        ([{"reasoning_details": details("a", "b")}, {"content": "c"}], "ab", "c"),
        (
            [
                {"reasoning_details": details("a", type="reasoning.summary", member="summary")},
                {"content": "c"},
            ],
            "a",
            "c",
        ),
        ([{"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}], "", ""),
        # A chunk with reasoning and content is split.
        ([{"thinking": "a", "content": "c"}], "a", "c"),
        # Mistral's content is first a list, later a string.
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
                {"content": [{"type": "text", "text": "c"}]},
                {"content": "d"},
            ],
            "a",
            "cd",
        ),
        ([{"content": [{"type": "thinking", "thinking": "a"}]}, {"content": "c"}], "a", "c"),
        # Databricks sends a summary in such an item.
        (
            [
                {
                    "content": [
                        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}
                    ]
                },
                {"content": [{"type": "text", "text": "c"}]},
            ],
            "a",
            "c",
        ),
        # Anthropic through LiteLLM.
        (
            [
                {
                    "reasoning_content": "a",
                    "thinking_blocks": [{"type": "thinking", "thinking": "a"}],
                },
                {"content": "c"},
            ],
            "a",
            "c",
        ),
        (
            [{"thinking_blocks": [{"type": "thinking", "thinking": "a"}]}, {"content": "c"}],
            "a",
            "c",
        ),
        ([{"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}], "", ""),
        # Google flags the text, tags it, or both.
        ([{"content": "a", "extra_content": THOUGHT}, {"content": "c"}], "a", "c"),
        (
            [
                {"content": "<thought>a", "extra_content": THOUGHT},
                {"content": "b", "extra_content": THOUGHT},
                {"content": "</thought>c"},
            ],
            "ab",
            "c",
        ),
        # A flag beside a signature is on the answer.
        (
            [
                {
                    "content": "c",
                    "extra_content": {"google": {"thought": True, "thought_signature": "c2ln"}},
                }
            ],
            "",
            "c",
        ),
        # Texts without a type in a content list, and members that are empty in every delta.
        ([{"content": ["c", {"type": "text", "text": "d"}, {"type": "reference"}]}], "", "cd"),
        (
            [{"reasoning": "a", "refusal": ""}, {"content": "c", "refusal": "", "audio": ""}],
            "a",
            "c",
        ),
        # GitHub Copilot.
        ([{"reasoning_text": "a", "reasoning_opaque": "x"}, {"content": "c"}], "a", "c"),
        # Groq with `raw`, and others, leave the markers in the text.
        ([{"content": ""}, {"content": "<think>\na\n</th"}, {"content": "ink>\n\nc"}], "a", "c"),
        # Wrong types are ignored.
        ([{"reasoning": 1, "reasoning_details": "x", "thinking_blocks": {}}], "x", ""),
        ([{"content": [1, None, {}, {"type": "text", "text": 5}]}], "", ""),
        ([{"content": [{"type": ["reasoning"], "summary": "a"}, {"type": "reasoning"}]}], "", ""),
        ([{"content": "c", "extra_content": {"google": 1}}], "", "c"),
    ],
)
def test_labelled_reasoning_and_content(
    deltas: list[dict[str, Any]], reasoning: str, content: str
) -> None:
    events = run(make_turn("raw"), lines(*(delta(**d) for d in deltas), FINISH, DONE))
    assert (text(events, ReasoningDelta), text(events, OutputDelta)) == (reasoning, content)
    assert not any(type(event) is Extra for event in events)
