"""One row in a table is all that one more client API needs."""

import json
import socket
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway import Config, create_app
from gateway.config import KeyConfig, UpstreamConfig
from tests.core.scripted import DONE, FINISH, contents
from tests.toy_api import ALL_APIS
from tests.web.conftest import UPSTREAM, answers

ASK = {"ask": "What is 2+2?"}


def make_client(**settings: Any) -> FlaskClient:
    return create_app(Config(upstream_url=UPSTREAM, **settings), apis=ALL_APIS).test_client()


@pytest.fixture
def toy() -> FlaskClient:
    return make_client()


def lines(response: Any) -> list[Any]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_it_streams_lines_unless_told_otherwise(
    toy: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("<think>Hm.</think>", "Four", "."), FINISH, DONE)
    response = toy.post("/toy/ask", json=ASK)
    assert response.content_type == "application/x-ndjson"
    *texts, end = lines(response)
    assert end == {"done": True}
    assert "".join(line["toy"] for line in texts) == "Four."
    assert json.loads(upstream.calls[0].request.body)["messages"][0]["content"] == "What is 2+2?"


def test_it_answers_in_one_piece(toy: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    answer = toy.post("/toy/ask", json={**ASK, "stream": False}).get_json()
    assert answer["choices"][0]["message"]["content"] == "Four."


def test_its_faults_name_the_path(toy: FlaskClient) -> None:
    refused = toy.post("/toy/ask", json={"ask": 7})
    assert refused.status_code == 400
    assert refused.get_json() == {"error": "ask: expected `str`, got `int`."}


def test_it_asks_for_a_key_in_the_header_that_it_names(upstream: responses.RequestsMock) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    toy = make_client(api_keys="sk-one")
    refused = toy.post("/toy/ask", json=ASK, headers={"Authorization": "Bearer sk-one"})
    assert (refused.status_code, upstream.calls.__len__()) == (401, 0)
    assert toy.post("/toy/ask", json=ASK, headers={"x-toy-key": "sk-one"}).status_code == 200


def test_the_openapi_document_has_it(toy: FlaskClient) -> None:
    document = toy.get("/openapi.json").get_json()
    operation = document["paths"]["/toy/ask"]["post"]
    assert operation["summary"] == "A toy"
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ToyRequest"}
    assert document["components"]["schemas"]["ToyRequest"]["required"] == ["ask"]
    assert "x-toy-key" in document["components"]["securitySchemes"]


def test_the_page_leaves_out_a_format_that_it_cannot_read(toy: FlaskClient) -> None:
    page = toy.get("/").text
    assert 'value="openai"' in page
    assert 'value="toy"' not in page


def test_the_document_names_the_stream_and_what_a_line_is(toy: FlaskClient) -> None:
    document = toy.get("/openapi.json").get_json()
    answer = document["paths"]["/toy/ask"]["post"]["responses"]["200"]["content"]
    assert answer["application/x-ndjson"]["schema"] == {"$ref": "#/components/schemas/ToyLine"}
    assert answer.keys() == {"application/json", "application/x-ndjson"}


def test_a_body_needs_no_json_content_type_unless_a_browser_sends_it(
    toy: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert toy.post("/toy/ask", data=json.dumps(ASK), headers=form).status_code == 200
    for origin, status in (("http://localhost", 415), ("http://elsewhere.test", 403)):
        form["Origin"] = origin
        refused = toy.post("/toy/ask", data=json.dumps(ASK), headers=form)
        assert refused.status_code == status


def test_an_error_in_the_stream_cuts_the_body(
    toy: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Four"), {"error": {"message": "Out of memory."}})
    answers(upstream, *contents("Four."), FINISH, DONE)
    for words in ("Out of memory.", "done"):
        server, client = socket.socketpair()
        with server, client:
            client.setblocking(False)
            environ = {"gunicorn.socket": server}
            response = toy.post("/toy/ask", json=ASK, environ_overrides=environ, buffered=True)
            assert words in str(lines(response)[-1])
            if words == "done":
                with pytest.raises(BlockingIOError):
                    client.recv(1)  # the connection is open, for the next request
            else:
                assert client.recv(1) == b""


def test_a_second_kind_of_request_has_paths_and_a_schema_of_its_own(
    toy: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Hi."), FINISH, DONE)
    assert lines(toy.post("/toy/repeat", json={"repeat": "Hi."}))[0] == {"toy": "Hi."}
    operation = toy.get("/openapi.json").get_json()["paths"]["/toy/repeat"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ToyRepeatRequest"}


def test_a_request_may_need_no_run_of_the_model(upstream: responses.RequestsMock) -> None:
    toy = make_client(upstreams=(UpstreamConfig(name="one", url=UPSTREAM, models=("known",)),))
    found = toy.post("/toy/repeat", json={"repeat": "", "model": "known"})
    assert (found.status_code, found.get_json()) == (200, {"repeated": ""})
    missing = toy.post("/toy/repeat", json={"repeat": "", "model": "unknown"})
    assert missing.status_code == 404
    assert not upstream.calls


def test_an_endpoint_answers_from_the_models_that_the_key_covers(
    upstream: responses.RequestsMock,
) -> None:
    listed = [{"id": "qwen3-8b"}, {"id": "secret"}]
    upstream.get(f"{UPSTREAM}/models", json={"data": listed})
    toy = make_client(keys=(KeyConfig(name="one", key="sk-one", models=("qwen*",)),))
    answer = toy.get("/toy/list", headers={"x-toy-key": "sk-one"})
    assert answer.get_json() == {"toys": [{"id": "qwen3-8b", "own_name": "qwen3-8b"}]}
    assert toy.get("/toy/list").status_code == 401


def test_what_is_not_offered_and_what_does_not_exist_is_refused_in_its_words(
    toy: FlaskClient,
) -> None:
    refused = toy.post("/toy/make")
    assert (refused.status_code, refused.get_json()) == (
        501,
        {"error": "The gateway makes no toys."},
    )
    document = toy.get("/openapi.json").get_json()
    assert document["paths"]["/toy/make"]["post"]["responses"].keys() == {"401", "501"}
    missing = toy.get("/toy/none")
    assert missing.status_code == 404
    assert missing.get_json()["error"].startswith("There is nothing at this path")


@pytest.mark.parametrize(
    ("asked", "served"),
    [("m:latest", "m"), ("m", "m"), ("m:8b", "m:8b"), ("listed:latest", "listed:latest")],
)
def test_the_tag_latest_is_left_out_unless_an_upstream_lists_it(
    toy: FlaskClient, upstream: responses.RequestsMock, asked: str, served: str
) -> None:
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "m"}, {"id": "listed:latest"}]})
    answers(upstream, *contents("Four."), FINISH, DONE)
    messages = [{"role": "user", "content": "hi"}]
    for path, body in (("/toy/ask", ASK), ("/v1/chat/completions", {"messages": messages})):
        assert toy.post(path, json={**body, "model": asked}, buffered=True).status_code == 200
        assert json.loads(upstream.calls[-1].request.body)["model"] == served
