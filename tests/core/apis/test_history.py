"""Reasoning that clients send back does not reach the model."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer
from gateway.apis.history import (
    strip_summaries,
    valid_arguments,
    with_one_system_message,
    with_results_of_calls,
    without_reasoning,
)
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
                *("reasoning_details", "reasoning_text", "thinking_blocks", "reasoning_opaque"),
            )
        ),
        ({"content": "<think>I greet.</think>\n\nHi."}, {"content": "Hi."}),
        ({"content": "\n<think>a</think><reasoning>b</reasoning>Hi."}, {"content": "Hi."}),
        (
            {"content": "\n<thinking-content-7b>\n\nI greet.\n\n</thinking-content-7b>\n\nHi."},
            {"content": "Hi."},
        ),
        ({"content": "Use <think>a</think>."}, {"content": "Use <think>a</think>."}),
        ({"content": "<think>a", "tool_calls": CALLS}, {"content": None, "tool_calls": CALLS}),
        (
            {"content": "Hi.", "provider_specific_fields": {"reasoning": "I greet."}},
            {"content": "Hi."},
        ),
        (
            {"content": "Hi.", "provider_specific_fields": {"reasoning": "a", "id": 1}},
            {"content": "Hi.", "provider_specific_fields": {"id": 1}},
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
        {"content": "<think>I greet.</think>"},
        {"content": "", "reasoning_content": "I greet."},
        {"content": None, "reasoning": "I greet."},
        {"thinking": "I greet."},
    ],
)
def test_an_assistant_message_that_held_only_reasoning_is_removed(message: dict[str, Any]) -> None:
    history = [USER, {"role": "assistant", **message}, USER]
    assert without_reasoning(history) == [USER, USER]


def system(*contents: Any, role: str = "system") -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for content in contents]


TEXT = {"type": "text", "text": "c"}
BILLING = "x-anthropic-billing-header: cc_version=2.1.9; cch=4f2a1;"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([USER], [USER]),
        ([*system("a"), USER], [*system("a"), USER]),
        ([*system([TEXT]), USER], [*system([TEXT]), USER]),
        ([*system("a", role="developer"), USER], [*system("a"), USER]),
        ([*system("a"), *system("b", role="developer"), USER], [*system("a\n\nb"), USER]),
        (system("a", [TEXT], "b"), system([TEXT | {"text": t} for t in "acb"])),
        ([*system("a"), USER, *system("b")], [*system("a"), USER, *system("b", role="user")]),
        ([USER, *system("b", role="developer")], [USER, *system("b", role="user")]),
        ([*system("", None), USER], [USER]),
        (system(f"{BILLING}\n\na\nb"), system("a\nb")),
        (system([TEXT | {"text": BILLING}, TEXT]), system([TEXT])),
        (system(BILLING, f"a {BILLING}"), system(f"a {BILLING}")),
    ],
)
def test_there_is_one_system_message_and_it_comes_first(
    messages: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    before = json.dumps(messages)
    assert with_one_system_message(messages) == expected
    assert json.dumps(messages) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a":1}', '{"a":1}'),
        ("", "{}"),
        (" ", "{}"),
        (None, "{}"),
        ({"a": "é"}, '{"a": "é"}'),
        ('{"a', '{"INVALID_JSON": "{\\"a"}'),
        ("[1]", '{"INVALID_JSON": "[1]"}'),
        ([1], '{"INVALID_JSON": [1]}'),
    ],
)
def test_the_arguments_of_a_call_become_a_json_object(arguments: Any, expected: str) -> None:
    assert valid_arguments(arguments) == expected
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    [kept] = without_reasoning([{"role": "assistant", "tool_calls": [call]}])
    assert kept["tool_calls"][0]["function"] == {"name": "f", "arguments": expected}


def test_many_thoughts_are_removed_in_linear_time() -> None:
    thoughts = "<think></think>" * 200_000
    [kept] = without_reasoning([{"role": "assistant", "content": f"{thoughts}Hi."}])
    assert kept["content"] == "Hi."


CALL = {"role": "assistant", "content": None, "tool_calls": CALLS}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "R"}
NO_RESULT = {**RESULT, "content": "[no result: the call was interrupted]"}
AS_TEXT = {"role": "user", "content": "[tool result]\nR"}
OTHER = {"role": "user", "content": "wait"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([CALL, RESULT, OTHER], [CALL, RESULT, OTHER]),
        ([CALL, OTHER], [CALL, NO_RESULT, OTHER]),
        ([CALL, CALL, RESULT], [CALL, NO_RESULT, CALL, RESULT]),
        ([CALL, OTHER, RESULT], [CALL, RESULT, OTHER]),
        ([OTHER, RESULT], [OTHER, AS_TEXT]),
        ([CALL, RESULT, RESULT], [CALL, RESULT, AS_TEXT]),
        ([CALL, {"role": "tool", "content": "R"}], [CALL, RESULT]),
        ([CALL, {**RESULT, "content": None}], [CALL, {**RESULT, "content": ""}]),
        (
            [{**RESULT, "content": [{"type": "text", "text": "R"}]}],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "[tool result]"},
                        {"type": "text", "text": "R"},
                    ],
                }
            ],
        ),
        ([{**RESULT, "tool_call_id": ["x"]}], [AS_TEXT]),
        ([{**CALL, "tool_calls": [1]}, OTHER], [{**CALL, "tool_calls": [1]}, OTHER]),
    ],
)
def test_each_call_has_its_result_behind_it(messages: list[Any], expected: list[Any]) -> None:
    assert with_results_of_calls(messages) == expected


@pytest.mark.parametrize(
    "folded",
    [
        '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> R\n</details>\n',
        ":::thinking\nR\n:::\n\n",
    ],
)
def test_reasoning_that_a_client_has_folded_is_removed(folded: str) -> None:
    message = {"role": "assistant", "content": f"{folded}Hi."}
    assert without_reasoning([message]) == [{"role": "assistant", "content": "Hi."}]


def test_empty_members_and_empty_messages_of_the_assistant_are_left_out() -> None:
    empty = {"tool_calls": [], "function_call": None, "audio": None, "annotations": []}
    messages = [
        {"role": "assistant", "content": "Hi.", **empty},
        {"role": "assistant", "content": None, **empty},
        {"role": "assistant", "content": "", "thoughts": "I greet."},
    ]
    assert without_reasoning(messages) == [{"role": "assistant", "content": "Hi."}]


def test_the_line_that_changes_with_each_request_is_left_out_wherever_it_is() -> None:
    text = "You are.\n\nx-anthropic-billing-header: cc_version=1; cch=ab;\n\nBe kind."
    [message] = with_one_system_message([{"role": "system", "content": text}])
    assert message["content"] == "You are.\n\nBe kind."
