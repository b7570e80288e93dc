"""Compaction in the Responses API, as Codex asks for it: by a path, or by an item of the input."""

from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents, finish
from tests.web.conftest import answers, sent, typed_events

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Add é."}]}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "4"}
HISTORY = [USER, CALL, RESULT]
TOOL = {"type": "function", "name": "f", "parameters": {}}
TRIGGER = {"type": "compaction_trigger"}
SUMMARY = "The user wants é: it is 4."
ANSWER = [*contents("<think>I sum up.</think>", "The user wants é:", " it is 4."), FINISH, DONE]


def trigger(client: FlaskClient, **body: Any) -> Any:
    request = {"model": "m", "input": [*HISTORY, TRIGGER], "tools": [TOOL], **body}
    return client.post("/v1/responses", json=request, buffered=True)


def compact(client: FlaskClient, **body: Any) -> Any:
    request = {"model": "m", "input": HISTORY, "instructions": "Be brief.", **body}
    return client.post("/v1/responses/compact", json=request)


def read_back(client: FlaskClient, upstream: responses.RequestsMock, item: Any) -> str:
    """What the model reads for the item."""
    response = client.post("/v1/responses", json={"model": "n", "input": [item, USER]})
    assert response.status_code == 200
    return str(sent(upstream)["messages"][0]["content"])


@pytest.mark.parametrize("stream", [True, False])
def test_a_trigger_is_answered_by_a_compaction_alone(
    client: FlaskClient, upstream: responses.RequestsMock, stream: bool
) -> None:
    answers(upstream, *ANSWER)
    response = trigger(client, stream=stream, reasoning={"summary": "auto"})
    if stream:
        events = typed_events(response)
        assert [event["type"] for event in events] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.completed",
        ]
        body = events[-1]["response"]
        assert events[3]["item"] == body["output"][0]
    else:
        body = response.get_json()
    assert [item["type"] for item in body["output"]] == ["compaction"]
    assert "compaction" not in body
    assert "kept_messages" not in body
    assert read_back(client, upstream, body["output"][0]).endswith(f"\n\n{SUMMARY}")


def test_the_model_is_told_to_sum_up_and_to_call_no_tool(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    trigger(client, text={"format": {"type": "json_object"}})
    body = sent(upstream)
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]
    assert body["messages"][-1]["content"].startswith("Sum up this conversation")
    assert body["tool_choice"] == "none"
    assert body["tools"][0]["function"]["name"] == "f"
    assert "response_format" not in body


def test_the_path_answers_with_the_users_messages_and_the_compaction(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    long = {"role": "user", "content": "a" * 70_000}
    response = compact(client, input=[USER, long, {"role": "user", "content": "b"}, *HISTORY])
    assert response.status_code == 200
    body = response.get_json()
    assert body["object"] == "response.compaction"
    assert body["output"][:-1] == [{"type": "message", "role": "user", "content": "b"}, USER]
    assert body["output"][-1]["type"] == "compaction"
    assert sent(upstream)["messages"][0] == {"role": "system", "content": "Be brief."}
    assert read_back(client, upstream, body["output"][-1]).endswith(SUMMARY)


def test_the_path_takes_a_text(client: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *ANSWER)
    output = compact(client, input="hi").get_json()["output"]
    assert output[0] == {"type": "message", "role": "user", "content": "hi"}
    assert [message["role"] for message in sent(upstream)["messages"]] == ["system", "user", "user"]
    assert compact(client, input=[]).status_code == 400


def test_a_summary_that_was_cut_is_kept_and_an_empty_one_is_a_failure(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("The user wants"), finish("length"), DONE)
    assert trigger(client).get_json()["status"] == "completed"
    answers(upstream, *contents("<think>I sum up.</think>", " \n"), FINISH, DONE)
    response = compact(client)
    assert response.status_code == 502
    assert response.headers["x-should-retry"] == "false"
    assert [event["type"] for event in typed_events(trigger(client, stream=True))][-2:] == [
        "error",
        "response.failed",
    ]


@pytest.mark.parametrize("type", ["compaction", "compaction_summary", "context_compaction"])
@pytest.mark.parametrize("content", ["made elsewhere", "gwc1.=", "gwc1.____", None])
def test_what_another_server_compacted_is_left_out(
    client: FlaskClient, upstream: responses.RequestsMock, type: str, content: str | None
) -> None:
    answers(upstream, *ANSWER)
    items = [{"type": type, "encrypted_content": content}, TRIGGER, USER]
    assert client.post("/v1/responses", json={"input": items}).status_code == 200
    assert [message["role"] for message in sent(upstream)["messages"]] == ["user"]


def test_a_websocket_is_refused_such_that_codex_goes_on_at_once(client: FlaskClient) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    response = client.get("/v1/responses", headers=headers)
    assert response.status_code == 426
    assert response.get_json()["error"]["code"] == "no_websocket"
    assert client.get("/v1/responses").status_code == 405
