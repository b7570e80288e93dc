"""Upstreams of known and unknown kinds, as `/v1/models` and `/health` show them."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
import responses
from flask.testing import FlaskClient

from gateway.config import UpstreamConfig

MakeClient = Callable[..., FlaskClient]
Mock = responses.RequestsMock
ROOT = "http://a.test"


def upstreams(**settings: Any) -> dict[str, Any]:
    return {"upstreams": (UpstreamConfig(name="a", url=ROOT, **settings),)}


def kind_in_models(client: FlaskClient) -> str | None:
    [model] = client.get("/v1/models").get_json()["data"]
    kind: str | None = model["server"]["kind"]
    return kind


def kind_in_health(client: FlaskClient) -> str | None:
    [upstream] = client.get("/health").get_json()["upstreams"]
    kind: str | None = upstream["server"]["kind"]
    return kind


def lists(upstream: Mock, owner: str, **options: Any) -> None:
    upstream.get(f"{ROOT}/v1/models", json={"data": [{"id": "m", "owned_by": owner}]}, **options)


def test_a_named_kind_is_believed(make_client: MakeClient, upstream: Mock) -> None:
    lists(upstream, "vllm")
    client = make_client(**upstreams(kind="sglang"))
    assert kind_in_models(client) == kind_in_health(client) == "sglang"


def test_the_list_of_models_shows_the_kind(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    lists(upstream, "vllm")
    client = make_client(**upstreams())
    assert kind_in_models(client) == kind_in_health(client) == "vllm"
    assert [line["kind"] for line in logged if line["event"] == "upstream recognized"] == ["vllm"]


def test_a_header_shows_the_kind(make_client: MakeClient, upstream: Mock) -> None:
    lists(upstream, "me", headers={"Server": "llama.cpp"})
    assert kind_in_models(make_client(**upstreams())) == "llama.cpp"


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/props", {"default_generation_settings": {}}, "llama.cpp"),
        ("/api/version", {"version": "0.14"}, "ollama"),
        ("/version", {"version": "0.19"}, "vllm"),
        ("/version", ["0.19"], "chat"),
        ("/api/v0/models", {"data": [{"id": "m", "max_context_length": 4096}]}, "lmstudio"),
        ("/api/v0/models", {"data": [{"id": "m"}]}, "chat"),  # a server that answers any path
        ("/api/v0/models", {"data": []}, "chat"),
        ("/nothing", {}, "chat"),
    ],
)
def test_health_begins_to_find_the_kind_by_a_path_of_its_own(
    make_client: MakeClient, upstream: Mock, path: str, body: Any, kind: str
) -> None:
    lists(upstream, "me")
    upstream.get(f"{ROOT}{path}", json=body)
    client = make_client(**upstreams())
    assert kind_in_health(client) is None
    gevent.idle()
    assert kind_in_health(client) == kind


def test_a_server_that_is_down_is_asked_again_later(
    make_client: MakeClient, upstream: Mock
) -> None:
    now = 0.0
    client = make_client(clock=lambda: now, **upstreams())
    assert kind_in_health(client) is None
    gevent.idle()
    lists(upstream, "vllm")
    kind_in_health(client)
    gevent.idle()
    assert kind_in_health(client) is None
    now = 31.0
    kind_in_health(client)
    gevent.idle()
    assert kind_in_health(client) == "vllm"
