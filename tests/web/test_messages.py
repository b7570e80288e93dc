"""Anthropic's Messages API: request members, refusals, streamed and non-streamed answers."""

from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import COMPLETIONS, answers, sent, typed_events

USER = {"role": "user", "content": "What is 2+2?"}
THINKING = {"type": "enabled", "budget_tokens": 1024}
USAGE = {
    "choices": [],
    "usage": {
        "prompt_tokens": 10,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 20},
    },
}
ANSWER = [
    *contents("<think>I add 2. It is 4.</think>", "The answer", " is 4."),
    FINISH,
    USAGE,
    DONE,
]
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def ask(client: FlaskClient, **body: Any) -> Any:
    """The response, read to its end and closed."""
    request = {"model": "m", "max_tokens": 100, "messages": [USER], **body}
    return client.post("/v1/messages", json=request, buffered=True)


def test_a_streamed_answer_has_the_events_of_anthropics_api(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    response = ask(client, stream=True, thinking=THINKING)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    start, ping, *blocks, delta, stop = typed_events(response)
    message = start["message"]
    assert message.pop("id").startswith("msg_")
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "output_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }
    assert ping == {"type": "ping"}
    assert delta == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {
            "input_tokens": 6,
            "output_tokens": 30,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 20},
        },
    }
    assert stop == {"type": "message_stop"}
    starts = [e["content_block"] for e in blocks if e["type"] == "content_block_start"]
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    assert starts == [empty, empty, {"type": "text", "text": ""}]


def test_a_non_streamed_answer_is_one_message(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    response = ask(client, thinking=THINKING)
    assert response.content_type == "application/json"
    body = response.get_json()
    blocks = body.pop("content")
    assert all(block.pop("signature") for block in blocks[:2])
    assert blocks == [
        {"type": "thinking", "thinking": "What is 2+2?\n\n"},
        {"type": "thinking", "thinking": "I add 2. It is 4.\n\n"},
        {"type": "text", "text": "The answer is 4."},
    ]
    assert body.pop("id").startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 6,
            "output_tokens": 30,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 20},
        },
    }


@pytest.mark.parametrize(
    ("members", "setting", "thinking"),
    [
        ({}, "asked", []),
        ({"thinking": {"type": "disabled"}}, "asked", []),
        (
            {"thinking": {"type": "adaptive"}},
            "asked",
            ["What is 2+2?\n\n", "I add 2. It is 4.\n\n"],
        ),
        ({"thinking": {**THINKING, "display": "omitted"}}, "asked", [""]),
        (
            {"thinking": {**THINKING, "display": "updates"}},
            "asked",
            ["What is 2+2?\n\n", "I add 2. It is 4.\n\n"],
        ),
        ({}, "always", ["What is 2+2?\n\n", "I add 2. It is 4.\n\n"]),
        (
            {"thinking": {"type": "disabled"}},
            "always",
            ["What is 2+2?\n\n", "I add 2. It is 4.\n\n"],
        ),
        ({"gateway": {"reasoning": "raw"}}, "asked", ["What is 2+2?\n\n", "I add 2. It is 4."]),
        (
            {"gateway": {"reasoning": "both"}},
            "asked",
            ["What is 2+2?\n\n", "I add 2. It is 4.", "I add 2. It is 4.\n\n"],
        ),
        ({"gateway": {"reasoning": "none"}, "thinking": THINKING}, "always", []),
        (
            {"gateway": {"reasoning": "none"}, "thinking": {**THINKING, "display": "omitted"}},
            "asked",
            [],
        ),
        (
            {"gateway": {"reasoning": "raw"}, "thinking": {**THINKING, "display": "omitted"}},
            "asked",
            [""],
        ),
        ({"gateway": {"detail": "concise"}}, "asked", []),
    ],
)
def test_thinking_blocks_depend_on_the_request_and_the_setting(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    members: dict[str, Any],
    setting: str,
    thinking: list[str],
) -> None:
    answers(upstream, *ANSWER)
    content = ask(make_client(messages_summary=setting), **members).get_json()["content"]
    assert [block["thinking"] for block in content[:-1]] == thinking
    assert content[-1] == {"type": "text", "text": "The answer is 4."}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"system": "Be brief."}, [{"role": "system", "content": "Be brief."}, USER]),
        (
            {
                "system": [
                    {"type": "text", "text": "a", "cache_control": {}},
                    {"type": "text", "text": "b"},
                ]
            },
            [{"role": "system", "content": "a\n\nb"}, USER],
        ),
        ({"system": ""}, [USER]),
        (
            {"messages": [USER, {"role": "system", "content": "s"}]},
            [USER, {"role": "user", "content": "s"}],
        ),
        (
            {"messages": [{"role": "system", "content": [{"type": "text", "text": "s"}]}]},
            [{"role": "system", "content": "s"}],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}
                ]
            },
            [{"role": "user", "content": "a\n\nb"}],
        ),
        ({"messages": [{"role": "user", "content": []}]}, [{"role": "user", "content": ""}]),
        (
            {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": "a"}]}]},
            [{"role": "user", "content": [IMAGE_PART, {"type": "text", "text": "a"}]}],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "url", "url": "http://a/b"}}
                        ],
                    }
                ]
            },
            [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "http://a/b"}}],
                }
            ],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "document",
                                "title": "T",
                                "context": "C",
                                "source": {"type": "text", "media_type": "text/plain", "data": "D"},
                            },
                            {"type": "document", "source": {"type": "content", "content": "E"}},
                            {
                                "type": "document",
                                "source": {
                                    "type": "content",
                                    "content": [{"type": "text", "text": "F"}],
                                },
                            },
                            {
                                "type": "search_result",
                                "title": "T",
                                "source": "http://a",
                                "content": [{"type": "text", "text": "found"}],
                            },
                        ],
                    }
                ]
            },
            [
                {
                    "role": "user",
                    "content": "T\n\nC\n\nD\n\nE\n\nF\n\nT\n\nhttp://a\n\nfound",
                }
            ],
        ),
    ],
)
def test_messages_become_chat_messages(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    members: dict[str, Any],
    expected: list[dict[str, Any]],
) -> None:
    answers(upstream, *ANSWER)
    assert ask(client, **members).status_code == 200
    assert sent(upstream) == {"max_tokens": 100, "messages": expected}


def test_a_history_keeps_its_tool_calls_and_loses_its_thinking(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "é"}}
    history = [
        USER,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I add.", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "Let me"},
                {"type": "text", "text": " look."},
                call,
                {**call, "id": "toolu_2", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Go on."},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [
                        {"type": "text", "text": "A picture:"},
                        IMAGE,
                        {"type": "text", "text": "Nice."},
                    ],
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": "no such place",
                    "is_error": True,
                },
                {"type": "tool_result", "tool_use_id": "toolu_3"},
            ],
        },
        {"role": "assistant", "content": [call]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": ""}]},
        {"role": "assistant", "content": "ok"},
    ]
    assert ask(client, messages=history).status_code == 200
    function = {"name": "f", "arguments": '{"a": "é"}'}
    first = {"id": "toolu_1", "type": "function", "function": function}
    second = {"id": "toolu_2", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert sent(upstream)["messages"] == [
        USER,
        {"role": "assistant", "content": "Let me look.", "tool_calls": [first, second]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "A picture:\n\n[image 1]\n\nNice."},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no such place"},
        {"role": "user", "content": "[tool result]"},
        {
            "role": "user",
            "content": [
                IMAGE_PART,
                {"type": "text", "text": "Go on."},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [first]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "r"},
        {"role": "assistant", "content": "ok"},
    ]


TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}}
HOSTED = [
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
    {"type": "mcp_toolset", "mcp_server_name": "files"},
]
SCHEMA = {"type": "json_schema", "schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {"temperature": 0.5, "top_p": 0.9, "top_k": 40},
            {"temperature": 0.5, "top_p": 0.9, "top_k": 40},
        ),
        ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
        ({"stop_sequences": []}, {}),
        ({"metadata": {"user_id": "u1"}}, {"user": "u1"}),
        ({"metadata": {}}, {}),
        ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
        (
            {"tools": [{**TOOL, "type": "custom", "strict": True}]},
            {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}]},
        ),
        ({"tools": []}, {}),
        ({"tools": [TOOL, *HOSTED]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
        ({"tools": HOSTED, "tool_choice": {"type": "any"}}, {}),
        (
            {"tools": [TOOL, *HOSTED], "tool_choice": {"type": "tool", "name": "web_search"}},
            {"tools": [{"type": "function", "function": FUNCTION}]},
        ),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        (
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
            {
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
        ),
        (
            {"output_config": {"format": SCHEMA, "effort": "max"}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "output", "schema": {"type": "object"}, "strict": True},
                },
                "reasoning_effort": "high",
            },
        ),
        (
            {"output_format": SCHEMA},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "output", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"output_config": {"effort": "low"}}, {"reasoning_effort": "low"}),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
        ),
        ({"thinking": THINKING}, {}),
        (
            {
                "cache_control": {"type": "ephemeral"},
                "service_tier": "auto",
                "container": None,
                "made_up": 1,
                "gateway": {"detail": "concise"},
            },
            {},
        ),
    ],
)
def test_other_members_are_converted_or_dropped(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    members: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    answers(upstream, *ANSWER)
    assert ask(client, **members).status_code == 200
    assert sent(upstream) == {"max_tokens": 100, "messages": [USER], **expected}


def test_client_keys_are_not_sent_to_the_upstream(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    for headers in ({"x-api-key": "secret-1"}, {"Authorization": "Bearer secret-1"}):
        body = {"max_tokens": 9, "messages": [USER]}
        assert client.post("/v1/messages", json=body, headers=headers).status_code == 200
        assert "secret-1" not in str(upstream.calls[-1].request.headers)


def request_with(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"messages": [USER, {"role": role, "content": [{"type": "text", "text": "a"}, *blocks]}]}


PDF = {"type": "base64", "media_type": "application/pdf", "data": "A"}
CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"max_tokens": None}, "max_tokens: it is required."),
        ({"max_tokens": 0}, "max_tokens: it must be at least 1."),
        ({"max_tokens": "9"}, "max_tokens: expected `int | null`, got `str`."),
        ({"messages": []}, "messages: at least one message is required."),
        ({"messages": None}, "messages: expected `array`, got `null`."),
        (
            {"messages": [{"role": "tool", "content": ""}]},
            "messages.0.role: 'tool' is not one of user, assistant, system.",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0: object missing required field `content`."),
        (
            request_with({"type": "video"}),
            "messages.1.content.1.type: 'video' is not one of text, image, document, "
            "search_result, thinking, redacted_thinking, tool_use, tool_result.",
        ),
        (
            request_with({"type": "text"}),
            "messages.1.content.1: object missing required field `text`.",
        ),
        (
            request_with({"type": "image", "source": {"type": "file", "file_id": "f"}}),
            "messages.1.content.1.source: the gateway stores no files; "
            "send the image as base64 or by its URL.",
        ),
        (
            request_with({"type": "document", "source": PDF}),
            "messages.1.content.1.source: the model server can't read files; "
            "send the document as text.",
        ),
        (
            request_with(CALL),
            "messages.1.content.1: a message with the role user can't hold tool_use.",
        ),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema: it is required."),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name: it is required."),
        (
            {"tool_choice": {"type": "some"}},
            "tool_choice.type: 'some' is not one of auto, any, tool, none.",
        ),
        (
            {"thinking": {"type": "deep"}},
            "thinking.type: 'deep' is not one of enabled, adaptive, between_tools, disabled.",
        ),
        (
            {"thinking": {**THINKING, "display": "all"}},
            "thinking.display: 'all' is not one of summarized, omitted, updates.",
        ),
        (
            {"gateway": {"format": "plain"}},
            "gateway.format: this path has only one format; leave it out.",
        ),
        ({"gateway": {"made_up": 1}}, "gateway.made_up: unknown key."),
        ({"gateway": 1}, "gateway: expected `object | null`, got `int`."),
    ],
)
def test_a_bad_request_names_the_path_of_the_fault(
    client: FlaskClient, members: dict[str, Any], message: str
) -> None:
    response = ask(client, **members)
    assert response.status_code == 400
    assert response.get_json() == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": message},
        "request_id": response.headers["request-id"],
    }


BIG_PDF = {**PDF, "data": "QUFB" * 194 + "QUE="}


@pytest.mark.parametrize("trailing", [[], [{"role": "system", "content": "Be kind."}]])
def test_a_history_of_claude_code_fits_a_chat_server(
    client: FlaskClient, upstream: responses.RequestsMock, trailing: list[dict[str, Any]]
) -> None:
    answers(upstream, *ANSWER)
    result = {"type": "tool_result", "tool_use_id": "a"}
    history = [
        USER,
        {"role": "system", "content": "Now in plan mode."},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
                {"type": "compaction", "content": "We added 2 and 2."},
                IMAGE,
                {**CALL, "input": "2+2"},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    **result,
                    "content": [
                        {"type": "tool_reference", "tool_name": "g"},
                        {"type": "document", "source": BIG_PDF},
                        {"type": "made_up"},
                    ],
                },
                {"type": "document", "title": "T", "source": {"type": "file", "file_id": "f"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": ""}]},
        {"role": "robot", "content": "?"},
        {"role": "user", "content": [{"type": "made_up"}]},
        {"role": "user", "content": [{"type": "container_upload"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "ok"},
        USER,
        *trailing,
    ]
    billing = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=0a1b2;"}
    system = [billing, {"type": "text", "text": "Be brief."}]
    assert ask(client, system=system, messages=history).status_code == 200
    call = {"name": "f", "arguments": '{"INVALID_JSON": "2+2"}'}
    assert sent(upstream)["messages"] == [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "user", "content": "Now in plan mode."},
        {
            "role": "assistant",
            "content": "We added 2 and 2.[image/png, 3 bytes: this model cannot read it]",
            "tool_calls": [{"id": "a", "type": "function", "function": call}],
        },
        {
            "role": "tool",
            "tool_call_id": "a",
            "content": "[tool: g]\n\n[PDF, 584 bytes: this model cannot read it]",
        },
        {"role": "user", "content": "[document T: this model cannot read it]"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "ok"},
        USER,
        *[{**message, "role": "user"} for message in trailing],
    ]


def test_the_prompt_summary_is_of_the_users_message_not_of_a_system_message_behind_it(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    messages = [USER, {"role": "system", "content": "The date has changed."}]
    body = ask(client, messages=messages, thinking=THINKING).get_json()
    assert body["content"][0]["thinking"] == "What is 2+2?\n\n"


@pytest.mark.parametrize(
    ("upstream_status", "status", "type"),
    [
        (400, 400, "invalid_request_error"),
        (401, 424, "api_error"),
        (404, 404, "not_found_error"),
        (409, 409, "conflict_error"),
        (413, 413, "request_too_large"),
        (422, 422, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (500, 502, "api_error"),
        (503, 502, "api_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_an_upstream_refusal_is_answered_with_a_status(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    upstream_status: int,
    status: int,
    type: str,
    stream: bool,
) -> None:
    headers = {"Retry-After": "7"} if upstream_status == 429 else {}
    upstream.post(
        COMPLETIONS, json={"error": {"message": "No."}}, status=upstream_status, headers=headers
    )
    response = ask(client, stream=stream)
    assert response.status_code == status
    assert response.get_json()["error"]["type"] == type
    assert response.headers.get("Retry-After") == headers.get("Retry-After")
    assert response.headers.get("x-should-retry") == ("false" if status == 424 else None)


def test_a_failure_in_the_stream_ends_it_with_an_error_event(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Hi", " there"))
    response = ask(client, stream=True)
    *_, last = typed_events(response)
    assert last == {
        "type": "error",
        "error": {
            "type": "api_error",
            "message": "The upstream's stream ended before its answer did.",
        },
        "request_id": response.headers["request-id"],
    }
    non_streamed = ask(client)
    assert (non_streamed.status_code, non_streamed.headers["x-should-retry"]) == (502, "false")


def test_every_error_has_anthropics_form(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(max_body_bytes=9)
    found = [
        (client.post("/v1/messages", json={"a": "b" * 99}), 413, "request_too_large"),
        (client.get("/v1/messages"), 405, "invalid_request_error"),
        (client.post("/v1/messages/batches"), 404, "not_found_error"),
        (client.post("/v1/messages", data="[]", content_type="application/json"), 400, None),
        (client.post("/v1/messages", data="a=1", content_type="text/plain"), 415, None),
    ]
    for response, status, type in found:
        assert response.status_code == status
        error = response.get_json()
        assert error["request_id"] == response.headers["request-id"]
        assert error["error"]["type"] == (type or "invalid_request_error")


def test_a_full_gateway_answers_with_an_overloaded_error(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    client = make_client(max_streams=1)
    held = client.post(
        "/v1/messages", json={"max_tokens": 9, "messages": [USER], "stream": True}, buffered=False
    )
    response = ask(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert response.get_json()["error"]["type"] == "overloaded_error"
    held.close()


def test_usage_is_estimated_if_the_upstream_sends_none(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("<think>" + "think " * 100 + "</think>", "four"), FINISH, DONE)
    assert ask(client).get_json()["usage"] == {
        "input_tokens": 7,
        "output_tokens": 151,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens_details": {"thinking_tokens": 150},
        "estimated": "all",
    }


def count(client: FlaskClient, **body: Any) -> int:
    response = client.post("/v1/messages/count_tokens", json={"messages": [USER], **body})
    assert response.status_code == 200
    assert response.headers["X-Token-Count"] == "estimated"
    counted = response.get_json()
    assert counted.pop("estimated") is True
    tokens = counted.pop("input_tokens")
    assert counted == {}
    return int(tokens)


def test_count_tokens_returns_an_estimate(client: FlaskClient) -> None:
    least = count(client)
    assert least == 4 + 3
    assert count(client, system="Be brief. " * 40) == least + 4 + 100
    assert count(client, tools=[TOOL]) > least + 10
    assert count(client, **request_with(IMAGE)) >= least + 1000
    assert count(client, **request_with(CALL, role="assistant")) > least + 10
    assert count(client, model="m", thinking=THINKING) == least


def test_count_tokens_refuses_a_bad_request(client: FlaskClient) -> None:
    response = client.post("/v1/messages/count_tokens", json={"messages": []})
    assert response.status_code == 400
    assert response.get_json()["error"]["type"] == "invalid_request_error"
