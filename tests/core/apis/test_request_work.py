"""The work of reading a request grows with its size and no faster."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.apis import APIS
from gateway.apis.json import read_json
from gateway.config import Config
from gateway.core.json_size import MAX_VALUES
from gateway.core.summarizers.prompt import prompt_of
from gateway.errors import BadRequest
from tests.core.work import assert_grows

CONFIG = Config()
READ = {api.name: api.read for api in APIS}


def chat(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def calls(n: int) -> list[dict[str, Any]]:
    asked = [
        {"type": "function_call", "call_id": f"c{i}", "name": "f", "arguments": "{}"}
        for i in range(n)
    ]
    told = [
        {"type": "function_call_output", "call_id": f"c{i}", "output": "x"}
        for i in reversed(range(n))
    ]
    return [*asked, *told]


def tool_blocks(n: int) -> list[dict[str, Any]]:
    asked = [{"type": "tool_use", "id": f"c{i}", "name": "f", "input": {}} for i in range(n)]
    told = [{"type": "tool_result", "tool_use_id": f"c{i}"} for i in reversed(range(n))]
    return [{"role": "assistant", "content": asked}, {"role": "user", "content": told}]


def nameless_calls(n: int) -> list[dict[str, Any]]:
    asked = [{"function": {"name": "f", "arguments": {}}}] * n
    return [{"role": "assistant", "tool_calls": asked}, *[{"role": "tool", "content": "x"}] * n]


SHAPES: dict[str, tuple[str, int, Callable[[int], dict[str, Any]]]] = {
    "empty parts": ("chat", 20_000, lambda n: chat([{}] * n)),
    "text parts": ("chat", 10_000, lambda n: chat([{"type": "text", "text": "a"}] * n)),
    "messages": (
        "chat",
        10_000,
        lambda n: {"messages": [{"role": "assistant", "content": "a"}] * n},
    ),
    "end tags": ("chat", 400_000, lambda n: chat("</" * n)),
    "elements": ("chat", 200_000, lambda n: chat("<x>\n</x>" * n)),
    "fences": ("chat", 200_000, lambda n: chat("```\n" * n)),
    "lines of a log": ("chat", 100_000, lambda n: chat("12:00:00 ERROR\n" * n)),
    "blocks": (
        "messages",
        10_000,
        lambda n: {"max_tokens": 1, **chat([{"type": "text", "text": "a"}] * n)},
    ),
    "tools": (
        "messages",
        10_000,
        lambda n: {"max_tokens": 1, **chat("a"), "tools": [{"name": "a", "input_schema": {}}] * n},
    ),
    "tool blocks": (
        "messages",
        5_000,
        lambda n: {"max_tokens": 1, "messages": tool_blocks(n)},
    ),
    "items": ("responses", 10_000, lambda n: {"input": [{"role": "user", "content": "a"}] * n}),
    "calls and their outputs": ("responses", 4_000, lambda n: {"input": calls(n)}),
    "calls without ids": ("ollama", 4_000, lambda n: {"messages": nameless_calls(n)}),
    "thoughts in front": (
        "chat",
        200_000,
        lambda n: {"messages": [{"role": "assistant", "content": "<think>a</think>" * n}]},
    ),
}


@pytest.mark.work
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_request_takes_twice_the_time(shape: str) -> None:
    api, size, make = SHAPES[shape]

    def read(data: bytes) -> None:
        request = READ[api](read_json(data), None, CONFIG)
        prompt_of(request.body["messages"])

    half, whole = (json.dumps({"model": "x", **make(n)}).encode() for n in (size // 2, size))
    assert_grows(read, half, whole, times=3.2, more_s=0.01)


def test_a_body_with_too_many_values_is_refused_before_it_is_decoded() -> None:
    data = b'{"x": [' + b"{}," * MAX_VALUES + b"{}]}"
    with pytest.raises(BadRequest, match=f"more than {MAX_VALUES} values") as refused:
        read_json(data)
    assert refused.value.code == "too_many_values"


def test_commas_in_a_text_are_not_values() -> None:
    text = ",{[" * MAX_VALUES
    assert read_json(json.dumps({"x": text}).encode()) == {"x": text}
