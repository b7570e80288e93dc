"""One row in a table is all that one more client API needs."""

import json
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway import Config, create_app
from tests.core.scripted import DONE, FINISH, contents
from tests.toy_api import ALL_APIS
from tests.web.conftest import UPSTREAM, answers

ASK = {"ask": "What is 2+2?"}


def make_client(**settings: Any) -> FlaskClient:
    return create_app(Config(upstream_url=UPSTREAM, **settings), apis=ALL_APIS).test_client()


@pytest.fixture
def toy() -> FlaskClient:
    return make_client()


def test_it_streams(toy: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *contents("<think>Hm.</think>", "Four", "."), FINISH, DONE)
    response = toy.post("/v1/toy", json={**ASK, "stream": True})
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n")[:-1]]
    assert lines.pop() == "[DONE]"
    assert "".join(json.loads(line)["toy"] for line in lines) == "Four."
    assert json.loads(upstream.calls[0].request.body)["messages"][0]["content"] == "What is 2+2?"


def test_it_answers_in_one_piece(toy: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    answer = toy.post("/v1/toy", json=ASK).get_json()
    assert answer["choices"][0]["message"]["content"] == "Four."


def test_its_faults_name_the_path(toy: FlaskClient) -> None:
    refused = toy.post("/v1/toy", json={"ask": 7})
    assert refused.status_code == 400
    assert refused.get_json()["error"]["param"] == "ask"


def test_it_asks_for_a_key_in_the_header_that_it_names(upstream: responses.RequestsMock) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    toy = make_client(api_keys="sk-one")
    refused = toy.post("/v1/toy", json=ASK, headers={"Authorization": "Bearer sk-one"})
    assert (refused.status_code, upstream.calls.__len__()) == (401, 0)
    assert toy.post("/v1/toy", json=ASK, headers={"x-toy-key": "sk-one"}).status_code == 200


def test_the_openapi_document_has_it(toy: FlaskClient) -> None:
    document = toy.get("/openapi.json").get_json()
    operation = document["paths"]["/v1/toy"]["post"]
    assert operation["summary"] == "A toy"
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ToyRequest"}
    assert document["components"]["schemas"]["ToyRequest"]["required"] == ["ask"]
    assert "x-toy-key" in document["components"]["securitySchemes"]


def test_the_page_lists_it(toy: FlaskClient) -> None:
    option = '<option value="toy" data-path="v1/toy" data-hint="A toy for tests.">toy</option>'
    assert option in toy.get("/").text
