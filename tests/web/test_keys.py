"""With API_KEYS, every route below /v1/ needs a key, and refuses in the form of its API."""

import json
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway import Config, create_app
from gateway.apis import APIS
from gateway.errors import NotOffered
from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import COMPLETIONS, answers

KEY = "sk-client-1"
OTHER = "sk-client-2"
WRONG = "sk-unknown"
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 9,
    "input": "hi",
}
ID = f"resp_{32 * '0'}"
ROOTS = ("/v1/", "/api/")
"""Every path that needs a key has one of these in it."""
NO_KEY_NEEDED = {
    "/",
    "/health",
    "/ready",
    "/metrics",
    "/openapi.json",
    "/static/<requested>/<path:name>",
}


def routes() -> Iterator[tuple[str, str]]:
    """Yields the method and the path of every route that needs a key."""
    for rule in create_app(Config()).url_map.iter_rules():
        formats = re.search(r"<any\((.*)\):format>", rule.rule)
        for format in formats[1].split(",") if formats else [""]:
            path = re.sub("<any.*?>", format, rule.rule)
            path = re.sub("<(path:)?id>", ID, path)
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                if rule.rule not in NO_KEY_NEEDED:
                    yield method, path


KEYED_ROUTES = sorted(routes())
MODELS = {"data": [{"id": ID}, {"id": "m"}]}
NOT_OFFERED = {
    endpoint.path.translate(str.maketrans("{}", "<>"))
    for api in APIS
    for endpoint in api.endpoints
    if endpoint.refusal is NotOffered
}


@pytest.fixture
def keyed(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(api_keys=f"{KEY},{OTHER}")


def call(client: FlaskClient, method: str, path: str, **headers: str) -> Any:
    body = {"json": BODY} if method == "POST" else {}
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return client.open(path, method=method, headers=sent, buffered=True, **body)


def test_the_routes_that_need_a_key_are_those_of_the_apis() -> None:
    assert len(KEYED_ROUTES) > 15
    assert all(any(root in path for root in ROOTS) for _, path in KEYED_ROUTES)


@pytest.mark.parametrize(("method", "path"), KEYED_ROUTES)
def test_a_request_without_a_valid_key_is_refused(
    keyed: FlaskClient, upstream: responses.RequestsMock, method: str, path: str
) -> None:
    for headers in ({}, {"Authorization": f"Bearer {WRONG}"}, {"x_api_key": WRONG}):
        refused = call(keyed, method, path, **headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert refused.headers["X-Request-Id"]
        assert WRONG not in refused.text + str(refused.headers)
        assert error_of(path, refused)
    assert not upstream.calls


def error_of(path: str, refused: Any) -> str:
    """Returns the message of an error body, which must have the form of the path's API."""
    if path.startswith("/plain/"):
        said = json.loads(refused.text.removeprefix("data: "))
        assert said["code"] == 401
        return str(said["error"])
    said = refused.get_json()
    if path.startswith("/api/"):
        return str(said["error"])
    if path.startswith("/v1/messages"):
        assert said["type"] == "error"
        assert said["request_id"]
    else:
        assert (said["error"]["code"], said["error"]["param"]) == ("invalid_api_key", None)
    assert said["error"]["type"] == "authentication_error"
    return str(said["error"]["message"])


@pytest.mark.parametrize(("method", "path"), KEYED_ROUTES)
def test_every_key_is_accepted_in_either_header(
    keyed: FlaskClient, upstream: responses.RequestsMock, method: str, path: str
) -> None:
    is_gone = "/streams/" in path or ("/responses/" in path and not path.endswith("/compact"))
    status = 404 if is_gone else 501 if path in NOT_OFFERED else 200
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    upstream.get(COMPLETIONS.replace("chat/completions", "models"), json=MODELS)
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"x_api_key": OTHER}):
        assert call(keyed, method, path, **headers).status_code == status


@pytest.mark.parametrize(
    "path", [*sorted(path for path in NO_KEY_NEEDED if "<" not in path), "/static/any/page.js"]
)
def test_other_paths_need_no_key(keyed: FlaskClient, path: str) -> None:
    with keyed.get(path) as response:
        assert response.status_code == 200


def test_an_options_request_needs_no_key(keyed: FlaskClient) -> None:
    asked = keyed.options("/v1/chat/completions")
    assert asked.status_code == 200
    assert "POST" in asked.headers["Allow"]


def test_without_api_keys_every_request_is_accepted(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    for headers in ({}, {"Authorization": "Bearer \xff"}, {"x_api_key": WRONG}):
        assert call(client, "POST", "/v1/chat/completions", **headers).status_code == 200


def test_a_request_is_refused_before_its_body_is_read(keyed: FlaskClient) -> None:
    class Unread(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("the body was read")

    refused = keyed.post(
        "/v1/chat/completions",
        input_stream=Unread(b"no JSON"),
        content_type="text/nonsense",
    )
    assert refused.status_code == 401


def test_a_refusal_is_counted_and_no_key_is_shown(
    keyed: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    call(keyed, "POST", "/v1/messages", x_api_key=WRONG)
    counted = 'gateway_error_responses_total{code="invalid_api_key"} 1.0'
    assert counted in keyed.get("/metrics").text

    said = {"error": {"message": f"Is {KEY} a word?", "code": OTHER}}
    upstream.post(COMPLETIONS, status=400, json=said)
    refused = call(keyed, "POST", "/openai/v1/chat/completions", x_api_key=KEY)
    assert "Is … a word?" in json.loads(refused.text)["error"]["message"]
    sent = upstream.calls[-1].request.headers
    shown = f"{refused.text} {logged} {sent} {keyed.get('/metrics').text}"
    assert not [key for key in (KEY, OTHER, WRONG) if key in shown]


def test_the_openapi_document_shows_which_paths_may_need_a_key(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["components"]["securitySchemes"].keys() == {"bearer", "x-api-key"}
    keyed = {
        path
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and "security" in operation
        if operation["security"] == [{}, {"bearer": []}, {"x-api-key": []}]
        if "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    }
    assert keyed == {path for path in document["paths"] if any(root in path for root in ROOTS)}
