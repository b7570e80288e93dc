"""Ollama's API over HTTP: streamed and not, refusals, keys, and what VS Code asks for first."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import COMPLETIONS, UPSTREAM, answers, sent

HI = {"role": "user", "content": "What is 2+2?"}
CHAT = {"model": "m", "messages": [HI]}
ANSWER = [*contents("<think>I add 2. It is 4.</think>", "The answer", " is 4."), FINISH, DONE]


def lines(response: Any) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_chat_streams_its_summaries_and_then_its_answer(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    response = client.post("/api/chat", json=CHAT, buffered=True)
    assert response.content_type == "application/x-ndjson"
    messages = [line["message"] for line in lines(response)]
    thinking = "".join(message.get("thinking", "") for message in messages)
    assert thinking == "What is 2+2?\n\nI add 2. It is 4.\n\n"
    assert "".join(message["content"] for message in messages) == "The answer is 4."
    assert [line["done"] for line in lines(response)][-2:] == [False, True]


def test_a_text_and_an_answer_in_one_piece(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    body = {"model": "m", "prompt": "What is 2+2?", "stream": False}
    answer = client.post("/api/generate", json=body).get_json()
    assert (answer["response"], answer["done"]) == ("The answer is 4.", True)
    assert answer["thinking"].startswith("What is 2+2?\n\n")
    assert sent(upstream)["messages"] == [HI]


def test_ollamas_own_example_with_curl_works(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *ANSWER)
    # curl's Content-Type for `-d`
    form = "application/x-www-form-urlencoded"
    response = client.post("/api/chat", data=json.dumps(CHAT), content_type=form, buffered=True)
    assert response.status_code == 200


def test_a_refusal_is_a_text_with_its_status(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    upstream.post(COMPLETIONS, status=429, json={"error": {"message": "Slow down."}})
    refused = client.post("/api/chat", json=CHAT)
    assert (refused.status_code, refused.get_json()) == (429, {"error": "Slow down."})
    bad = client.post("/api/chat", data="{", content_type="application/json")
    assert bad.status_code == 400
    assert isinstance(bad.get_json()["error"], str)


def test_an_error_in_the_stream_is_its_last_line(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Four"), {"error": {"message": "Out of memory."}})
    *_, last = lines(client.post("/api/chat", json=CHAT, buffered=True))
    assert last == {"error": "Out of memory."}


@pytest.mark.parametrize(("after", "is_cut"), [(0, True), (2, False)])
def test_only_an_answer_that_has_begun_is_cut_after_its_error(
    client: FlaskClient, upstream: responses.RequestsMock, after: int, is_cut: bool
) -> None:
    """A reader of a kept stream may have had all of it: a proxy takes silence for a dead server."""
    answers(upstream, {"error": {"message": "Out of memory."}})
    kept = client.post("/api/chat", json=CHAT | {"gateway": {"keep": True}}, buffered=True)
    path = f"/v1/streams/{kept.headers['X-Stream-Id']}?after={after}"
    ours, other = socket.socketpair()
    with ours, other:
        ours.setblocking(False)
        other.setblocking(False)
        client.get(path, environ_overrides={"gunicorn.socket": ours}, buffered=True)
        if is_cut:
            assert other.recv(1) == b""
        else:
            with pytest.raises(BlockingIOError):
                other.recv(1)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("embed", "POST"),
        ("embeddings", "POST"),
        ("pull", "POST"),
        ("push", "POST"),
        ("create", "POST"),
        ("copy", "POST"),
        ("delete", "DELETE"),
        ("blobs/sha256:0", "POST"),
    ],
)
def test_what_the_gateway_does_not_offer_is_said(
    client: FlaskClient, path: str, method: str
) -> None:
    refused = client.open(f"/api/{path}", method=method, json={"model": "m"})
    assert refused.status_code == 501
    assert "/api/chat" in refused.get_json()["error"]


def test_a_path_that_does_not_exist_is_refused_in_ollamas_form(client: FlaskClient) -> None:
    for path, method, status in (("/api/nothing", "POST", 404), ("/api/chat", "GET", 405)):
        refused = client.open(path, method=method)
        assert refused.status_code == status
        assert isinstance(refused.get_json()["error"], str)


def test_a_client_finds_the_server_alive(client: FlaskClient) -> None:
    assert client.head("/").status_code == 200


def test_every_path_wants_a_key_where_there_are_keys(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    client = make_client(api_keys="sk-one")
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "m"}]})
    asked = [("GET", "/api/version"), ("GET", "/api/tags"), ("POST", "/api/chat")]
    for method, path in asked:
        refused = client.open(path, method=method, json=CHAT)
        assert refused.status_code == 401
        assert isinstance(refused.get_json()["error"], str)
    key = {"Authorization": "Bearer sk-one"}
    assert client.get("/api/tags", headers=key).status_code == 200


def test_loading_a_model_asks_no_model(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    loaded = client.post("/api/chat", json={"model": "m", "messages": []})
    assert (loaded.status_code, loaded.get_json()["done_reason"]) == (200, "load")
    assert not upstream.calls


# What VS Code's Copilot asks of a server of Ollama's API, by its source (vscode-copilot-chat): the
# version, which must be 0.6.4 or later; the list; each model; then it chats over OpenAI's API, by
# the name that the list had. Written by hand, not recorded.
VS_CODE = [
    ("GET", "/api/version", None),
    ("GET", "/api/tags", None),
    ("POST", "/api/show", {"model": "qwen3:latest"}),
    (
        "POST",
        "/v1/chat/completions",
        {"model": "qwen3:latest", "messages": [HI], "stream": True, "n": 1},
    ),
]


def test_a_session_of_vs_code(client: FlaskClient, upstream: responses.RequestsMock) -> None:
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "qwen3"}]})
    answers(upstream, *ANSWER)
    got = [client.open(path, method=m, json=body, buffered=True) for m, path, body in VS_CODE]
    assert [response.status_code for response in got] == [200] * 4
    version, tags, shown, _ = got
    assert tuple(map(int, version.get_json()["version"].split("."))) >= (0, 6, 4)
    [model] = tags.get_json()["models"]
    assert model["model"] == VS_CODE[2][2]["model"]  # type: ignore[index]
    assert {"tools", "thinking", "vision"} <= set(shown.get_json()["capabilities"])
    assert isinstance(shown.get_json()["model_info"]["general.architecture"], str)
    assert json.loads(upstream.calls[-1].request.body)["model"] == "qwen3"
