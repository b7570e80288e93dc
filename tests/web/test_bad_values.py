"""A bad value in a request is answered with the values that exist, by every API."""

from typing import Any

import pytest
from flask.testing import FlaskClient

USER = {"role": "user", "content": "Hi"}
CHAT = {"messages": [USER], "stream": True}
MESSAGES = {"messages": [USER], "max_tokens": 9}
RESPONSES = {"input": "Hi"}
REASONING = "'all' is not one of summary, raw, both, none."


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (
            "/v1/chat/completions",
            {**CHAT, "gateway": {"format": "bare"}},
            "gateway.format: 'bare' is not one of phased, events, openai, plain.",
        ),
        ("/v1/chat/completions", {**CHAT, "gateway": {"reasoning": "all"}}, REASONING),
        (
            "/openai/v1/chat/completions",
            {**CHAT, "gateway": {"detail": "long"}},
            "gateway.detail: 'long' is not one of auto, concise, detailed.",
        ),
        ("/v1/messages", {**MESSAGES, "gateway": {"reasoning": "all"}}, REASONING),
        (
            "/v1/messages",
            {**MESSAGES, "thinking": {"type": "on"}},
            "thinking.type: 'on' is not one of enabled, adaptive, between_tools, disabled.",
        ),
        (
            "/v1/messages/count_tokens",
            {"messages": [{"role": "tool", "content": ""}]},
            "messages.0.role: 'tool' is not one of user, assistant, system.",
        ),
        ("/v1/responses", {**RESPONSES, "gateway": {"reasoning": "all"}}, REASONING),
        (
            "/v1/responses",
            {**RESPONSES, "reasoning": {"summary": "long"}},
            "reasoning.summary: 'long' is not one of auto, concise, detailed.",
        ),
        (
            "/v1/responses",
            {**RESPONSES, "tool_choice": "some"},
            "tool_choice: 'some' is not one of none, auto, required.",
        ),
        (
            "/v1/responses",
            {"input": [{"role": "robot", "content": ""}]},
            "input[0].role: 'robot' is not one of user, assistant, system, developer.",
        ),
    ],
)
def test_a_bad_value_is_answered_with_the_values_that_exist(
    client: FlaskClient, path: str, body: dict[str, Any], message: str
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 400
    assert response.get_json()["error"]["message"].endswith(message)
