"""Which web pages may use the gateway, and under which names it answers."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway import Config
from gateway.errors import ConfigError
from gateway.server.admin import AdminSocket
from tests.web.conftest import UPSTREAM, answers

PATH = "/v1/chat/completions"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": False}
OWN = "http://localhost"
FOREIGN = "https://evil.example"
FRIEND = "https://chat.example:8443"
ANSWER = {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}
CONTENT_TYPES = [None, "text/plain", "application/x-www-form-urlencoded"]
"""What a page can send to another origin without a preflight request."""
FROM_OTHER_ORIGINS = [
    {"Origin": FOREIGN},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "chrome-extension://abcdef"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": OWN, "Sec_Fetch_Site": "cross-site"},
]
OLLAMA_PATHS = ["/api/chat", "/api/generate", "/api/show"]


def post(client: FlaskClient, path: str = PATH, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, json=BODY, headers=named)


def code(response: Any) -> str | None:
    error = response.get_json()["error"]
    return error["code"] if isinstance(error, dict) else None


@pytest.mark.parametrize("path", [PATH, "/openai/v1/chat/completions", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_body_without_a_json_content_type_gets_415(
    client: FlaskClient, path: str, content_type: str | None
) -> None:
    refused = client.post(path, data=b"{}", content_type=content_type)
    assert refused.status_code == 415
    assert "Content-Type: application/json" in refused.get_json()["error"]["message"]


def test_a_prompt_without_a_content_type_is_refused_in_the_words_of_plain(
    client: FlaskClient,
) -> None:
    refused = client.post("/plain/v1/chat/completions", data=b'{"prompt": "x", "stream": true}')
    assert refused.status_code == 400
    assert "No JSON body provided" in refused.text


def send(
    client: FlaskClient, path: str, content_type: str | None, headers: dict[str, str] | None = None
) -> Any:
    body = {"model": "m", "prompt": "hi", **BODY}
    named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    return client.post(path, data=json.dumps(body), content_type=content_type, headers=named)


@pytest.mark.parametrize("path", OLLAMA_PATHS)
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_ollamas_paths_take_any_content_type(
    client: FlaskClient, upstream: responses.RequestsMock, path: str, content_type: str | None
) -> None:
    """As Ollama does: its own examples are `curl -d`."""
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "m"}]})
    answers(upstream, ANSWER, "[DONE]")
    assert send(client, path, content_type).status_code == 200


@pytest.mark.parametrize("headers", FROM_OTHER_ORIGINS, ids=str)
@pytest.mark.parametrize("path", OLLAMA_PATHS)
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_ollamas_paths_refuse_pages_of_other_origins(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    headers: dict[str, str],
    path: str,
    content_type: str | None,
) -> None:
    refused = send(client, path, content_type, headers)
    assert refused.status_code == 403
    assert "ALLOWED_ORIGINS" in refused.get_json()["error"]
    assert not upstream.calls


@pytest.mark.parametrize("path", OLLAMA_PATHS)
@pytest.mark.parametrize("origin", [OWN, "http://localhost:3000"])
def test_a_page_needs_a_json_content_type_on_ollamas_paths(
    client: FlaskClient, upstream: responses.RequestsMock, path: str, origin: str
) -> None:
    """Without `Sec-Fetch-Site`, the gateway's origin and another port look alike."""
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": "m"}]})
    answers(upstream, ANSWER, "[DONE]")
    assert send(client, path, "text/plain", {"Origin": origin}).status_code == 415
    assert send(client, path, "application/json", {"Origin": origin}).status_code == 200


@pytest.mark.parametrize("headers", FROM_OTHER_ORIGINS, ids=str)
def test_a_page_of_another_origin_is_refused(
    client: FlaskClient, upstream: responses.RequestsMock, headers: dict[str, str]
) -> None:
    answers(upstream, ANSWER, "[DONE]")
    refused = post(client, **headers)
    assert (refused.status_code, code(refused)) == (403, "origin_not_allowed")
    assert "ALLOWED_ORIGINS" in refused.get_json()["error"]["message"]
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert not upstream.calls


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OWN},
        {"Origin": "http://localhost:8080"},
        {"Origin": OWN, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
def test_the_gateways_own_page_and_other_programs_are_answered(
    client: FlaskClient, upstream: responses.RequestsMock, headers: dict[str, str]
) -> None:
    answers(upstream, ANSWER, "[DONE]")
    assert post(client, **headers).status_code == 200


def test_the_own_page_behind_a_proxy_that_drops_the_port(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, ANSWER, "[DONE]")
    assert post(client, Host="127.0.0.1", Origin="http://127.0.0.1:8080").status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/openapi.json"])
def test_a_link_on_another_page_opens_the_page(client: FlaskClient, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get(path, headers=headers).status_code == 200


def preflight(client: FlaskClient, origin: str) -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-stainless-os",
    }
    return client.options(PATH, headers=headers)


def test_an_allowed_origin_gets_cors_answers(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, ANSWER, "[DONE]")
    client = make_client(allowed_origins=f"https://other.example,{FRIEND}", api_keys="sk-1")
    asked = preflight(client, FRIEND)
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["Access-Control-Allow-Headers"] == (
        "authorization, content-type, x-stainless-os"
    )
    answered = post(client, Origin=FRIEND, Sec_Fetch_Site="cross-site", Authorization="Bearer sk-1")
    assert answered.status_code == 200
    assert answered.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "X-Stream-Id" in answered.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answered.headers["Vary"]


def test_an_allowed_origin_can_read_refusals(make_client: Callable[..., FlaskClient]) -> None:
    refused = post(make_client(allowed_origins=FRIEND, api_keys="sk-1"), Origin=FRIEND)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == FRIEND


def test_a_foreign_preflight_is_refused(make_client: Callable[..., FlaskClient]) -> None:
    for origin in (FOREIGN, "null", FRIEND.removesuffix(":8443")):
        refused = preflight(make_client(allowed_origins=FRIEND), origin)
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize(("setting", "origin"), [("*", FOREIGN), ("null", "null")])
def test_every_origin_and_null_can_be_allowed(
    make_client: Callable[..., FlaskClient], setting: str, origin: str
) -> None:
    allowed = preflight(make_client(allowed_origins=setting), origin)
    assert allowed.headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "10.0.0.1", "0.0.0.0:80"])
@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/metrics"])
def test_a_gateway_on_loopback_refuses_other_hosts(
    client: FlaskClient, host: str, path: str
) -> None:
    """A name that an attacker points to 127.0.0.1 would be an origin of its own."""
    refused = client.get(path, headers={"Host": host})
    assert (refused.status_code, code(refused)) == (403, "host_not_allowed")
    assert "ALLOWED_HOSTS" in refused.get_json()["error"]["message"]


@pytest.mark.parametrize("path", ["version", "tags", "ps", "chat", "generate", "show", "embed"])
def test_ollamas_paths_refuse_other_hosts(client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST"):
        refused = client.open(f"/api/{path}", method=method, headers={"Host": "evil.example"})
        assert refused.status_code == 403
        assert "ALLOWED_HOSTS" in refused.get_json()["error"]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "a.localhost"]
)
def test_a_gateway_on_loopback_answers_to_loopbacks_names(client: FlaskClient, host: str) -> None:
    assert client.get("/health", headers={"Host": host}).status_code == 200


def test_allowed_hosts_are_answered_on_any_port(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(allowed_hosts="gateway.example, *.lan")
    for host in ("gateway.example", "Gateway.Example:8080", "a.lan", "127.0.0.1"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 403


def elsewhere(client: FlaskClient, host: str, path: str = "/health") -> int:
    bound = {"SERVER_NAME": "10.0.0.1", "HTTP_HOST": host}
    return client.get(path, environ_overrides=bound).status_code


def test_operators_may_use_any_name_where_their_listener_is_not_on_loopback(
    make_client: Callable[..., FlaskClient],
) -> None:
    client = make_client(allowed_hosts="gateway.example", admin_bind="10.0.0.1:9090")
    connection: Any = SimpleNamespace(_sock=None)
    environ = {"HTTP_HOST": "10.0.0.9:9090", "gunicorn.socket": AdminSocket(connection)}
    for server, expected in (("10.0.0.1", 200), ("127.0.0.1", 403)):
        environ["SERVER_NAME"] = server
        assert client.get("/metrics", environ_overrides=environ).status_code == expected
    del environ["gunicorn.socket"]
    assert client.get("/metrics", environ_overrides=environ).status_code == 403


def test_bound_elsewhere_hosts_are_checked_only_if_they_are_set(
    client: FlaskClient, make_client: Callable[..., FlaskClient]
) -> None:
    assert elsewhere(client, "any.example") == 200
    limited = make_client(allowed_hosts="gateway.example")
    assert elsewhere(limited, "gateway.example") == 200
    assert elsewhere(limited, "any.example") == 403
    assert elsewhere(limited, "10.0.0.1:8080", "/ready") == 200  # a probe, by its address


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("allowed_origins", "chat.example"),
        ("allowed_origins", "https://chat.example/"),
        ("allowed_origins", "https://chat.example/page"),
        ("allowed_origins", " , "),
        ("allowed_hosts", "http://chat.example"),
        ("allowed_hosts", ","),
        ("allowed_hosts", "a b"),
    ],
)
def test_a_bad_list_stops_the_start(setting: str, value: str) -> None:
    with pytest.raises(ConfigError, match=setting.upper()):
        Config.load({setting.upper(): value, "GATEWAY_CONFIG": ""})
