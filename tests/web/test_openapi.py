"""The OpenAPI document agrees with the application."""

import re
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient

from gateway.apis import DIALECTS
from gateway.config import Format
from gateway.errors import CODES
from gateway.web import ops


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    return client.get("/openapi.json").get_json()


def test_every_route_is_described_and_no_other(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    routes = {
        (re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in client.application.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint != "page.static"
    }
    described = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert described == routes


def test_the_document_is_built_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(ops, "document", lambda *of: built.append(of) or {})
    assert [client.get("/openapi.json").get_json() for _ in range(3)] == [{}] * 3
    assert len(built) == 1


def test_every_format_is_there(document: dict[str, Any]) -> None:
    [parameter] = document["paths"]["/{format}/v1/chat/completions"]["parameters"]
    assert parameter["schema"]["enum"] == list(get_args(Format))
    assert set(parameter["schema"]["enum"]) <= set(DIALECTS)


def test_a_model_may_have_any_name(document: dict[str, Any]) -> None:
    for path in ("/v1/models/{id}", "/{format}/v1/models/{id}"):
        [id] = [each for each in document["paths"][path]["parameters"] if each["name"] == "id"]
        assert id["schema"] == {"type": "string"}


def test_every_error_that_a_caller_can_meet_is_there(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/chat/completions"]["post"]["responses"]
    named = set(re.findall(r"`(\w+)`", "".join(r["description"] for r in responses.values())))
    in_a_stream = {code for code in CODES if code.startswith(("upstream_", "client_"))}
    in_a_stream |= {"cancelled", "abandoned"}
    assert CODES - in_a_stream <= named


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for name in set(re.findall(r"#/components/schemas/([\w.]+)", str(document))):
        assert name in document["components"]["schemas"]
