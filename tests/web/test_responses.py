"""OpenAI's Responses API: request members, refusals, streamed and non-streamed answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents, delta, finish
from tests.web.conftest import COMPLETIONS, answers, sent, typed_events

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
SUMMARY = {"summary": "auto"}
SUMMARY_PART = [
    "reasoning_summary_part.added",
    "reasoning_summary_text.delta",
    "reasoning_summary_text.done",
    "reasoning_summary_part.done",
]
SAME = {"user": "u", "safety_identifier": "s", "prompt_cache_key": "k", "service_tier": "flex"}
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
SENT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "4"}
SENT_RESULT = {"role": "tool", "tool_call_id": "c1", "content": "4"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
SENT_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def ask(client: FlaskClient, **body: Any) -> Any:
    """The response, read to its end and closed."""
    request = {"model": "m", "input": "What is 2+2?", **body}
    return client.post("/v1/responses", json=request, buffered=True)


def events(response: Any) -> list[dict[str, Any]]:
    """The data of each event. The sequence numbers must count from 0."""
    found = typed_events(response)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def test_a_streamed_answer_has_the_events_of_its_items(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    response = ask(client, stream=True, reasoning=SUMMARY)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    found = events(response)
    prefix = "response."
    assert [event["type"].removeprefix(prefix) for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        *SUMMARY_PART,
        *SUMMARY_PART,
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [e["delta"] for e in found if "summary_text.delta" in e["type"]] == [
        "What is 2+2?\n\n",
        "I add 2. It is 4.\n\n",
    ]
    created, completed = found[0]["response"], found[-1]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert created["id"] == completed["id"]
    assert completed["status"] == "completed"
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert completed["output"] == done


def test_the_base_url_of_the_chat_api_serves_responses_too(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    response = client.post("/openai/v1/responses", json={"model": "m", "input": "hi"})
    assert response.get_json()["object"] == "response"


def test_a_non_streamed_answer_is_one_response(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    body = ask(client, reasoning={"effort": "high", **SUMMARY}, metadata={"a": "b"}).get_json()
    reasoning, message = body.pop("output")
    assert reasoning.pop("id").startswith("rs_")
    assert reasoning == {
        "type": "reasoning",
        "summary": [
            {"type": "summary_text", "text": "What is 2+2?\n\n"},
            {"type": "summary_text", "text": "I add 2. It is 4.\n\n"},
        ],
        "status": "completed",
    }
    assert message.pop("id").startswith("msg_")
    text = {"type": "output_text", "text": "The answer is 4.", "annotations": [], "logprobs": []}
    assert message == {
        "type": "message",
        "role": "assistant",
        "content": [text],
        "status": "completed",
    }
    assert body.pop("id").startswith("resp_")
    assert body.pop("completed_at") >= body.pop("created_at")
    assert body == {
        "object": "response",
        "status": "completed",
        "model": "m",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "previous_response_id": None,
        "store": True,
        "truncation": "disabled",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": "high", "summary": "auto"},
        "metadata": {"a": "b"},
        "instructions": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "usage": {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens": 30,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 40,
        },
    }


@pytest.mark.parametrize(
    ("members", "setting", "summaries", "traces", "echoed"),
    [
        ({}, "asked", 0, 0, None),
        ({}, "always", 2, 0, "auto"),
        ({"reasoning": {"effort": "low"}}, "asked", 0, 0, None),
        ({"reasoning": {"summary": "concise"}}, "asked", 2, 0, "concise"),
        ({"reasoning": {"generate_summary": "detailed"}}, "asked", 2, 0, "detailed"),
        ({"gateway": {"reasoning": "summary"}}, "asked", 2, 0, "auto"),
        ({"gateway": {"reasoning": "raw"}}, "asked", 1, 1, None),
        ({"gateway": {"reasoning": "both", "detail": "concise"}}, "asked", 2, 1, "concise"),
        ({"gateway": {"reasoning": "none"}, "reasoning": SUMMARY}, "always", 0, 0, None),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_summaries_depend_on_the_request_and_the_setting(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    members: dict[str, Any],
    setting: str,
    summaries: int,
    traces: int,
    echoed: str | None,
    stream: bool,
) -> None:
    answers(upstream, *ANSWER)
    response = ask(make_client(responses_summary=setting), stream=stream, **members)
    body = events(response)[-1]["response"] if stream else response.get_json()
    *reasoning, message = body["output"]
    assert message["content"][0]["text"] == "The answer is 4."
    assert [len(item["summary"]) for item in reasoning] == [summaries] * bool(summaries)
    content = [part for item in reasoning for part in item.get("content", [])]
    assert content == [{"type": "reasoning_text", "text": "I add 2. It is 4."}] * traces
    assert body["reasoning"]["summary"] == echoed


def test_the_trace_is_streamed_as_reasoning_text(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    found = events(ask(client, stream=True, gateway={"reasoning": "raw"}))
    raw = [e for e in found if e.get("content_index") == 0 and e["output_index"] == 0]
    assert [event["type"] for event in raw] == [
        "response.content_part.added",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.content_part.done",
    ]
    assert (raw[0]["part"], raw[2]["text"]) == (
        {"type": "reasoning_text", "text": ""},
        "I add 2. It is 4.",
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": "hi"}, [USER]),
        ({"input": [{"type": "message", **USER}]}, [USER]),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}, [USER]),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}, IMAGE]}]},
            [{"role": "user", "content": [{"type": "text", "text": "hi"}, SENT_IMAGE]}],
        ),
        (
            {"input": [{"role": "user", "content": [{**IMAGE, "detail": "low"}]}]},
            [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "image_url",
                            "image_url": {**SENT_IMAGE["image_url"], "detail": "low"},
                        }
                    ],
                }
            ],
        ),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_file", "filename": "a", "file_data": "data:,b"},
                            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                        ],
                    }
                ]
            },
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_data": "data:,b", "filename": "a"}},
                        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                    ],
                }
            ],
        ),
        (
            {"instructions": "Be kind.", "input": "hi"},
            [{"role": "system", "content": "Be kind."}, USER],
        ),
        (
            {
                "instructions": "Be kind.",
                "input": [{"role": "developer", "content": "Be brief."}, USER],
            },
            [{"role": "system", "content": "Be kind.\n\nBe brief."}, USER],
        ),
        (
            {
                "input": [
                    USER,
                    {"type": "reasoning", "id": "rs_1", "summary": [{"text": "thoughts"}]},
                    {
                        "type": "message",
                        "id": "msg_1",
                        "role": "assistant",
                        "phase": "commentary",
                        "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
                    },
                    CALL,
                    {**CALL, "call_id": "c2"},
                    RESULT,
                    {**RESULT, "call_id": "c2"},
                    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "x"},
                    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
                ]
            },
            [
                USER,
                {
                    "role": "assistant",
                    "content": "I look.",
                    "tool_calls": [SENT_CALL, {**SENT_CALL, "id": "c2"}],
                },
                SENT_RESULT,
                {**SENT_RESULT, "tool_call_id": "c2"},
                {"role": "assistant", "content": "No."},
            ],
        ),
        (
            {"input": [USER, CALL, {"role": "assistant", "content": "Calling."}, RESULT]},
            [
                USER,
                {"role": "assistant", "content": "Calling.", "tool_calls": [SENT_CALL]},
                SENT_RESULT,
            ],
        ),
        (
            {
                "input": [
                    CALL,
                    {**CALL, "call_id": "c2"},
                    {**RESULT, "output": [{"type": "input_text", "text": "It:"}, IMAGE]},
                    {**RESULT, "call_id": "c2"},
                ]
            },
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [SENT_CALL, {**SENT_CALL, "id": "c2"}],
                },
                {**SENT_RESULT, "content": "It:\n\n[image 1]"},
                {**SENT_RESULT, "tool_call_id": "c2"},
                {
                    "role": "user",
                    "content": [SENT_IMAGE],
                },
            ],
        ),
    ],
)
def test_input_becomes_chat_messages(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    body: dict[str, Any],
    expected: list[dict[str, Any]],
) -> None:
    answers(upstream, *ANSWER)
    assert ask(client, **body).status_code == 200
    assert sent(upstream) == {"messages": expected}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"max_output_tokens": 5}, {"max_tokens": 5}),
        ({"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
        ({"temperature": None, "tools": None, "text": None, "reasoning": None}, {}),
        ({"reasoning": {"effort": "none"}}, {"reasoning_effort": "none"}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}
                }
            },
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {}, "strict": True},
                }
            },
        ),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "description": "d",
                            "parameters": {},
                            "strict": True,
                        },
                    }
                ],
                "tool_choice": "required",
                "parallel_tool_calls": False,
            },
        ),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        (
            {
                "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "g"}],
                },
            },
            {
                "tools": [{"type": "function", "function": {"name": "g"}}],
                "tool_choice": "required",
            },
        ),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        (
            {"include": ["message.output_text.logprobs"]},
            {"logprobs": True, "top_logprobs": 0},
        ),
        (
            {
                "user": "u",
                "safety_identifier": "s",
                "prompt_cache_key": "k",
                "service_tier": "flex",
            },
            {
                "user": "u",
                "safety_identifier": "s",
                "prompt_cache_key": "k",
                "service_tier": "flex",
            },
        ),
        (
            {"top_k": 3, "chat_template_kwargs": {"enable_thinking": False}},
            {"top_k": 3, "chat_template_kwargs": {"enable_thinking": False}},
        ),
        (
            {
                "store": True,
                "truncation": "auto",
                "include": ["reasoning.encrypted_content"],
                "metadata": {"a": "b"},
                "max_tool_calls": 3,
                "background": False,
                "stream_options": {"include_obfuscation": False},
                "prompt_cache_retention": "24h",
                "gateway": {"detail": "concise"},
            },
            {},
        ),
    ],
)
def test_other_members_are_converted_or_dropped(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    body: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    answers(upstream, *ANSWER)
    response = ask(client, input="hi", **body)
    assert response.status_code == 200
    assert sent(upstream) == {"messages": [USER], **expected}
    upstream_body = json.loads(upstream.calls[-1].request.body)
    assert upstream_body["stream_options"] == {"include_usage": True}
    echoed = {k: v for k, v in body.items() if k in ("tools", "tool_choice", "user") and v}
    assert response.get_json() | echoed == response.get_json()


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"input": ""}, 400, "input", "bad_request"),
        ({"input": []}, 400, "input", "bad_request"),
        ({"input": None}, 400, "input", "bad_request"),
        ({"input": 1}, 400, "input", "bad_request"),
        ({"input": [1]}, 400, "input[0]", "bad_request"),
        ({"input": [{}]}, 400, "input[0]", "bad_request"),
        ({"input": [{"role": "tool", "content": ""}]}, 400, "input[0].role", "bad_request"),
        ({"input": [USER, {"role": "user"}]}, 400, "input[1]", "bad_request"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_video"}]}]},
            400,
            "input[0].content[0].type",
            "bad_request",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            400,
            "input[0].content[0].image_url",
            "bad_request",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]},
            400,
            "input[0].content[0].file_data",
            "bad_request",
        ),
        ({"input": [{"type": "function_call"}]}, 400, "input[0]", "bad_request"),
        ({"input": [{"type": "web_search_call"}]}, 400, "input[0].type", "unsupported_parameter"),
        ({"input": [{"type": "item_reference", "id": "rs_1"}]}, 404, "input[0]", "not_found"),
        (
            {"previous_response_id": "resp_1"},
            404,
            "previous_response_id",
            "previous_response_not_found",
        ),
        ({"conversation": "conv_1"}, 400, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, 400, "prompt", "unsupported_parameter"),
        ({"n": 2}, 400, "n", "unsupported_parameter"),
        ({"tools": [TOOL, {"type": "function"}]}, 400, "tools[1].name", "bad_request"),
        (
            {"tool_choice": {"type": "web_search"}},
            400,
            "tool_choice",
            "unsupported_parameter",
        ),
        ({"tool_choice": "some"}, 400, "tool_choice", "bad_request"),
        ({"text": {"format": {"type": "xml"}}}, 400, "text.format.type", "bad_request"),
        ({"text": {"format": {"type": "json_schema"}}}, 400, "text.format.schema", "bad_request"),
        ({"reasoning": {"summary": "long"}}, 400, "reasoning.summary", "bad_request"),
        ({"max_output_tokens": "5"}, 400, "max_output_tokens", "bad_request"),
        ({"gateway": {"format": "plain"}}, 400, "gateway.format", "bad_request"),
        ({"gateway": {"fromat": "plain"}}, 400, "gateway.fromat", "bad_request"),
    ],
)
def test_a_refusal_names_the_parameter(
    client: FlaskClient, body: dict[str, Any], status: int, param: str, code: str
) -> None:
    response = ask(client, **body)
    error = response.get_json()["error"]
    assert response.status_code == status
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"].endswith(".")


APPLY_PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: BEGIN"},
}
MCP = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Tools of the server files.",
    "tools": [
        {"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "write"},
        {"type": "web_search"},
    ],
}
HOSTED = [{"type": "web_search"}, {"type": "image_generation"}, {"type": "tool_search"}]


def test_tools_that_run_only_at_openai_are_left_out(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    body = ask(client, tools=[HOSTED[0], TOOL, *HOSTED[1:]], tool_choice="auto").get_json()
    assert body["tools"] == [TOOL]
    assert [tool["function"]["name"] for tool in sent(upstream)["tools"]] == ["f"]
    for choice in ("auto", "required"):
        response = ask(client, tools=HOSTED, tool_choice=choice, parallel_tool_calls=False)
        assert response.status_code == 200
        assert sent(upstream).keys() == {"messages"}
    for tool in (*HOSTED, {"type": "mcp", "server_label": "files"}):
        response = ask(client, tools=[TOOL, tool], tool_choice=tool)
        assert (response.status_code, response.get_json()["tool_choice"]) == (200, "auto")
        assert sent(upstream).keys() == {"messages", "tools"}
    assert ask(client, tools=[1]).get_json()["error"]["param"] == "tools[0]"


def test_tools_that_run_only_at_openai_can_be_refused(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    client = make_client(responses_other_tools="refuse")
    error = ask(client, tools=[TOOL, HOSTED[0]]).get_json()["error"]
    assert (error["param"], error["code"]) == ("tools[1].type", "unsupported_parameter")
    assert ask(client, tools=[TOOL, HOSTED[0]], tool_choice=HOSTED[0]).status_code == 400
    assert ask(client, tools=[TOOL, MCP, APPLY_PATCH]).status_code == 200


def test_namespaces_and_custom_tools_become_functions(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    choice = {"type": "custom", "name": "write", "namespace": "mcp__files"}
    body = ask(client, tools=[TOOL, MCP, APPLY_PATCH], tool_choice=choice).get_json()
    assert body["tools"] == [TOOL, MCP, APPLY_PATCH]
    functions = {tool["function"].pop("name"): tool["function"] for tool in sent(upstream)["tools"]}
    assert list(functions) == ["f", "mcp__files__read", "mcp__files__write", "apply_patch"]
    assert functions["mcp__files__read"] == {"parameters": {"type": "object"}, "strict": False}
    patch = functions["apply_patch"]
    assert patch["description"] == "Edits files."
    assert patch["parameters"]["required"] == ["input"]
    description = patch["parameters"]["properties"]["input"].pop("description")
    assert "start: BEGIN" in description
    assert patch["parameters"]["properties"] == {"input": {"type": "string"}}
    chosen = {"type": "function", "function": {"name": "mcp__files__write"}}
    assert sent(upstream)["tool_choice"] == chosen


@pytest.mark.parametrize("stream", [True, False])
def test_calls_have_the_names_of_the_requests_tools(
    client: FlaskClient, upstream: responses.RequestsMock, stream: bool
) -> None:
    called = [
        ("mcp__files__read", '{"path":"a"}'),
        ("apply_patch", '{"input":"*** Begin Patch\\n"}'),
        ("write", '{"input":"b"}'),
        ("apply_patch", "*** Begin Patch"),
        ("f", "{}"),
    ]
    calls = [
        {"index": at, "id": f"c{at}", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(called)
    ]
    answers(upstream, delta(tool_calls=calls), finish("tool_calls"), DONE)
    response = ask(client, tools=[TOOL, MCP, APPLY_PATCH], stream=stream)
    body = events(response)[-1]["response"] if stream else response.get_json()
    assert [
        {k: v for k, v in item.items() if k not in ("id", "status", "call_id")}
        for item in body["output"]
    ] == [
        {
            "type": "function_call",
            "name": "read",
            "namespace": "mcp__files",
            "arguments": '{"path":"a"}',
        },
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch\n"},
        {"type": "custom_tool_call", "name": "write", "namespace": "mcp__files", "input": "b"},
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "function_call", "name": "f", "arguments": "{}"},
    ]
    assert [item["call_id"] for item in body["output"]] == ["c0", "c1", "c2", "c3", "c4"]
    if stream:
        custom = [e for e in events(response) if "custom_tool_call_input" in e["type"]]
        assert [(e["type"].rpartition(".")[2], e.get("delta", e.get("input"))) for e in custom] == [
            (kind, text)
            for text in ("*** Begin Patch\n", "b", "*** Begin Patch")
            for kind in ("delta", "done")
        ]


def test_a_history_of_codex_fits_a_chat_server(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    items = [
        {"type": "message", "role": "developer", "content": "Be brief."},
        USER,
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "made_up"},
        {**CALL, "name": "read", "namespace": "mcp__files", "arguments": '{"path":"a'},
        RESULT,
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "é"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "Done."},
        {"type": "local_shell_call", "call_id": "c3", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "c3", "output": {"exit": 0}},
        {"type": "mcp_call", "id": "m4", "name": "g", "arguments": "{}", "output": "5"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "made_up"}, IMAGE]},
        {"role": "user", "content": [{"type": "input_file", "file_url": "http://a/b.pdf"}]},
        {"role": "developer", "content": [{"type": "input_text", "text": "Now be kind."}]},
        {"role": "user", "content": "go on"},
    ]
    response = ask(client, instructions="Be good.", input=items, client_metadata={"a": "b"})
    assert response.status_code == 200
    body = sent(upstream)
    assert body.keys() == {"messages"}

    def call(id: str, name: str, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        chat = {"id": id, "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [chat]}

    assert body["messages"] == [
        {"role": "system", "content": "Be good.\n\nBe brief."},
        USER,
        call("c1", "mcp__files__read", '{"INVALID_JSON": "{\\"path\\":\\"a"}'),
        SENT_RESULT,
        call("c2", "apply_patch", '{"input": "é"}'),
        {"role": "tool", "tool_call_id": "c2", "content": "Done."},
        call("c3", "local_shell", '{"action": {"command": ["ls"]}}'),
        {"role": "tool", "tool_call_id": "c3", "content": '{"exit":0}'},
        call("m4", "g", "{}"),
        {"role": "tool", "tool_call_id": "m4", "content": "5"},
        {"role": "user", "content": "[tool result]\n[image 1]"},  # c1 has its result
        {"role": "user", "content": [SENT_IMAGE]},
        {"role": "user", "content": "[file http://a/b.pdf: this model cannot read it]"},
        {"role": "user", "content": "Now be kind."},
        {"role": "user", "content": "go on"},
    ]


def test_an_unknown_response_is_not_found(client: FlaskClient) -> None:
    for method, path in (
        ("GET", "/v1/responses/resp_1"),
        ("GET", "/v1/responses/resp_1?stream=true&starting_after=3"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items"),
    ):
        response = client.open(path, method=method)
        error = response.get_json()["error"]
        assert response.status_code == 404
        assert error["message"] == "Response with id 'resp_1' not found."
        assert error["type"] == "invalid_request_error"
    assert client.get("/v1/responses").status_code == 405


def test_estimated_usage_is_marked(client: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *ANSWER[:-2], DONE)
    body = ask(client, metadata={"a": "b"}).get_json()
    assert body["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 16,
        "estimated": "all",
    }
    assert body["metadata"] == {"a": "b"}
    figures = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 30}}
    upstream.reset()
    answers(upstream, *ANSWER[:-2], figures, DONE)
    body = ask(client).get_json()
    assert body["usage"]["output_tokens_details"] == {"reasoning_tokens": 5}
    assert body["usage"]["total_tokens"] == 40
    assert body["usage"]["estimated"] == "reasoning_tokens"


@pytest.mark.parametrize(
    ("finish_reason", "incomplete_reason"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_a_truncated_answer_is_incomplete(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    finish_reason: str,
    incomplete_reason: str,
) -> None:
    answers(upstream, *contents("Once upon"), finish(finish_reason), USAGE, DONE)
    last = events(ask(client, stream=True))[-1]
    assert last["type"] == "response.incomplete"
    for body in (last["response"], ask(client).get_json()):
        assert body["status"] == "incomplete"
        assert body["incomplete_details"] == {"reason": incomplete_reason}
        assert body["output"][-1]["status"] == "incomplete"
        assert body["usage"]["output_tokens"] == 30


def test_a_length_stop_can_count_as_completed(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Once upon"), finish("length"), USAGE, DONE)
    client = make_client(responses_at_length="completed")
    last = events(ask(client, stream=True))[-1]
    assert last["type"] == "response.completed"
    for body in (last["response"], ask(client).get_json()):
        assert (body["status"], body["incomplete_details"]) == ("completed", None)
        assert "completed_at_length" not in body


def test_a_failure_in_the_stream_fails_the_response(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("<think>I add.</think>The"))
    *_, delta, error, failed = events(ask(client, stream=True))
    members = {
        "code": "upstream_broke_off",
        "message": "The upstream's stream ended before its answer did.",
        "param": None,
    }
    assert delta["type"] == "response.output_text.delta"
    del error["sequence_number"]
    assert error == {"type": "error", **members, "error": {"type": "upstream_error", **members}}
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {"code": "server_error", "message": members["message"]}
    [message] = failed["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "The")
    non_streamed = ask(client)
    assert non_streamed.status_code == 502
    assert non_streamed.headers["x-should-retry"] == "false"
    assert non_streamed.get_json()["error"]["code"] == "upstream_broke_off"


@pytest.mark.parametrize("stream", [True, False])
def test_an_upstream_refusal_is_answered_with_its_status(
    client: FlaskClient, upstream: responses.RequestsMock, stream: bool
) -> None:
    refusal = {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}
    upstream.post(COMPLETIONS, status=429, json=refusal, headers={"Retry-After": "7"})
    response = ask(client, stream=stream)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response.get_json()["error"]["code"] == "rate_limit_exceeded"
