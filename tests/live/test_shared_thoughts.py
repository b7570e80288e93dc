"""What a model thought before it called a tool reaches it from whatever worker has it."""

import json
from typing import Any

import pytest
import requests

from gateway.server.channel import Channel, WorkerGone
from tests.live.wire import ask, logged_turns, request_body
from tests.programs import start_gateway

TOOL = {
    "type": "function",
    "function": {
        "name": "run",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}
ASK = {"role": "user", "content": "Look around."}
MODEL = "deepseek-v4-agent@tps=0"
"""Refuses a history in which the reasoning behind a tool call is missing."""


def answer(url: str, messages: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    body = request_body(MODEL, stream=False, messages=messages, tools=[TOOL])
    with ask(url, body, path="/openai/v1/chat/completions") as stream:
        return stream.status, json.loads(stream.response.read())


def mock_requests(mock_url: str) -> int:
    stats = requests.get(f"{mock_url.removesuffix('/v1')}/stats", timeout=60).json()
    return int(stats["requests"])


def test_a_conversation_may_go_on_at_any_worker(mock_url: str) -> None:
    with start_gateway(mock_url, web_concurrency=3) as gateway:
        for _ in range(4):
            status, first = answer(gateway.url, [ASK])
            assert status == 200
            [call] = first["choices"][0]["message"]["tool_calls"]
            said = {"role": "assistant", "content": None, "tool_calls": [call]}
            result = {"role": "tool", "tool_call_id": call["id"], "content": "step 1"}
            statuses = [answer(gateway.url, [ASK, said, result])[0] for _ in range(6)]
            assert statuses == [200] * 6
        requests_before = mock_requests(mock_url)
        made_up = {**call, "id": "call_nobody_knows"}
        lost = {**said, "tool_calls": [made_up]}
        status, _ = answer(gateway.url, [ASK, lost, {**result, "tool_call_id": made_up["id"]}])
        assert status == 200
        assert mock_requests(mock_url) == requests_before + 2
        assert logged_turns(gateway)[-1]["thoughts_replaced"] == 1


def test_a_worker_that_is_gone_is_passed_over(tmp_path: Any) -> None:
    (tmp_path / "1.sock").touch()
    channel = Channel(tmp_path, 0, None)
    assert channel.others() == [1]
    with pytest.raises(WorkerGone):
        list(channel.call(1, "thoughts", ids=[]))
    assert Channel(None, 0, None).others() == []
