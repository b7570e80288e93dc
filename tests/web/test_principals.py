"""A key has a name and limits: they go with the request into the log, the models and the limits."""

from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway.config import KeyConfig
from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import COMPLETIONS, answers

KEYS = (
    KeyConfig(name="ada", key="sk-ada", models=("Qwen3-*",), max_streams=1),
    KeyConfig(name="bob", key="sk-bob"),
)
ASK = {"model": "qwen3-8b", "messages": [{"role": "user", "content": "hi"}]}
PATH = "/openai/v1/chat/completions"


@pytest.fixture
def keyed(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(keys=KEYS, api_keys="sk-unnamed")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("key", "name"), [("sk-ada", "ada"), ("sk-bob", "bob"), ("sk-unnamed", "key-1")]
)
def test_the_log_line_names_the_key(
    keyed: FlaskClient,
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
    key: str,
    name: str,
) -> None:
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    assert keyed.post(PATH, json=ASK, headers=bearer(key)).status_code == 200
    [line] = logged
    assert line["key"] == name
    assert key not in repr(line)


def test_the_metrics_count_turns_and_tokens_by_key(
    keyed: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Four."), FINISH, DONE)
    keyed.post(PATH, json=ASK, headers=bearer("sk-bob"))
    counted = keyed.get("/metrics").text
    assert 'gateway_key_turns_total{end="done",key="bob"} 1.0' in counted
    assert 'gateway_key_tokens_total{key="bob",kind="answer"} 2.0' in counted
    assert "sk-bob" not in counted


def test_without_keys_every_client_is_anonymous(
    client: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    client.post(PATH, json=ASK)
    assert logged[0]["key"] == "anonymous"


@pytest.mark.parametrize("model", ["deepseek-r1", ""])
def test_a_model_that_the_key_does_not_cover_is_refused(
    keyed: FlaskClient, upstream: responses.RequestsMock, model: str
) -> None:
    refused = keyed.post(PATH, json=ASK | {"model": model}, headers=bearer("sk-ada"))
    error = refused.get_json()["error"]
    assert (refused.status_code, error["code"]) == (403, "model_not_allowed")
    assert error["message"].endswith("it covers Qwen3-*.")
    assert not upstream.calls


def test_the_list_of_models_has_those_that_the_key_covers(
    keyed: FlaskClient, upstream: responses.RequestsMock
) -> None:
    listed = {"data": [{"id": "qwen3-8b"}, {"id": "deepseek-r1"}]}
    upstream.get(COMPLETIONS.replace("chat/completions", "models"), json=listed)

    def models(key: str) -> list[str]:
        return [m["id"] for m in keyed.get("/v1/models", headers=bearer(key)).get_json()["data"]]

    assert models("sk-ada") == ["qwen3-8b"]
    assert models("sk-bob") == ["qwen3-8b", "deepseek-r1"]


def test_a_key_has_no_more_streams_than_it_may_have(
    keyed: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    body = ASK | {"stream": True}
    with keyed.post(PATH, json=body, headers=bearer("sk-ada")):
        refused = keyed.post(PATH, json=body, headers=bearer("sk-ada"))
        assert (refused.status_code, refused.get_json()["error"]["code"]) == (429, "key_limit")
        assert refused.headers["Retry-After"] == "1"
        with keyed.post(PATH, json=body, headers=bearer("sk-bob")) as other:
            assert other.status_code == 200
    with keyed.post(PATH, json=body, headers=bearer("sk-ada")) as after:
        assert after.status_code == 200
