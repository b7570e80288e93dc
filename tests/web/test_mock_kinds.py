"""The mock as a server of each kind: how it limits and ends the thinking."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.mock.frames import split_tokens
from gateway.mock.request import Playback
from gateway.mock.server import create_app
from tests.web.test_mock_upstream import HELLO, chunks, joined


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Playback(tokens_per_second=0)).test_client()


PREFILLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "vllm": (
        {"reasoning": "Hm."},
        {"continue_final_message": True, "add_generation_prompt": False},
    ),
    "sglang": (
        {"reasoning_content": "Hm."},
        {"continue_final_message": True, "add_generation_prompt": False},
    ),
    "llama.cpp": (
        {"reasoning_content": "Hm."},
        {"continue_final_message": "content", "add_generation_prompt": False},
    ),
    "ollama": ({"reasoning": "Hm."}, {}),
}


def ask_kind(client: FlaskClient, kind: str, model: str = "thinker", **body: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **body}
    path = f"/kinds/{kind}/v1/chat/completions" if kind else "/v1/chat/completions"
    return client.post(path, json={"stream": True, **body}, buffered=True)


def said(response: Any) -> tuple[str, str]:
    """What came as reasoning and as content."""
    stream = chunks(response)
    return joined(stream, "reasoning_content") + joined(stream, "reasoning"), joined(stream)


@pytest.mark.parametrize("kind", PREFILLS)
def test_a_kind_goes_on_behind_its_thoughts(client: FlaskClient, kind: str) -> None:
    message, members = PREFILLS[kind]
    prefill = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", **message},
    ]
    reasoning, content = said(ask_kind(client, kind, messages=prefill, **members))
    assert (reasoning, content) == (("", HELLO) if kind != "ollama" else (HELLO, ""))
    if members:
        reasoning, content = said(ask_kind(client, kind, messages=prefill))
        assert reasoning.startswith("The subject"), "without the members it is a new answer"
    refused = ask_kind(client, kind, "thinker-refuses-prefill", messages=prefill, **members)
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("vllm", {"thinking_token_budget": 20}),
        ("sglang", {"custom_params": {"thinking_budget": 20}}),
        ("llama.cpp", {"thinking_budget_tokens": 20}),
        ("dashscope", {"thinking_budget": 20}),
        ("openrouter", {"reasoning": {"max_tokens": 20}}),
    ],
)
def test_a_kind_keeps_a_budget_in_its_own_member(
    client: FlaskClient, kind: str, members: dict[str, Any]
) -> None:
    reasoning, content = said(ask_kind(client, kind, **members))
    assert (len(split_tokens(reasoning)), content) == (20, HELLO)
    for other in ({"budget": 20}, {"thinking_budget_": 20}):
        assert len(split_tokens(said(ask_kind(client, kind, **other))[0])) > 200
    ignored, _ = said(ask_kind(client, kind, "thinker-ignores-budget", **members))
    assert len(split_tokens(ignored)) > 200
    assert ask_kind(client, kind, "thinker-refuses-budget", **members).status_code == 400


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("ollama", {"reasoning_effort": "none"}),
        ("deepseek", {"thinking": {"type": "disabled"}}),
        ("dashscope", {"enable_thinking": False}),
        ("openrouter", {"reasoning": {"enabled": False}}),
    ],
)
def test_a_kind_can_be_told_not_to_think(
    client: FlaskClient, kind: str, members: dict[str, Any]
) -> None:
    assert said(ask_kind(client, kind, **members)) == ("", HELLO)


@pytest.mark.parametrize("stream", [True, False])
def test_a_model_that_only_thinks_says_nothing_when_told_not_to_think(
    client: FlaskClient, stream: bool
) -> None:
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    response = ask_kind(client, "vllm", "never-ends-thinking", stream=stream, **off)
    assert response.status_code == 200
    if stream:
        assert said(response) == ("", "")
    else:
        assert not response.get_json()["choices"][0]["message"]["content"]


def test_llama_cpp_is_told_to_end_the_thinking_of_a_running_answer(client: FlaskClient) -> None:
    path = "/kinds/llama.cpp/v1/chat/completions"
    body = {"model": "thinker", "stream": True, "reasoning_control": True}
    messages = [{"role": "user", "content": "hi"}]
    response = client.post(path, json={**body, "messages": messages})
    assert response.headers["Server"] == "llama.cpp"
    frames = response.iter_encoded()
    read = [next(frames) for _ in range(20)]
    id = json.loads(read[0].removeprefix(b"data: "))["id"]
    told = client.post(f"{path}/control", json={"id": id, "action": "reasoning_end"})
    assert told.get_json()["success"] is True
    read += frames
    text = b"".join(read).decode()
    assert text.count('"reasoning_content"') < 25
    assert text.count('"content"') > 5
    late = client.post(f"{path}/control", json={"id": id, "action": "reasoning_end"})
    assert late.get_json()["success"] is False
    assert client.post(f"{path}/control", json={"id": id, "action": "x"}).status_code == 400
