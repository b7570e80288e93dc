"""Several upstreams: which is asked, which is next, and the error when none is left."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import requests
import responses
from flask.testing import FlaskClient

from gateway.config import KeyConfig, UpstreamConfig
from gateway.core.families.evidence import TURNS_IN_A_ROW
from tests.core.scripted import DONE, FINISH, USAGE, contents, delta
from tests.web.conftest import sse
from tests.web.test_api import UNKNOWN_SERVER, ask, events

GOOD = sse(*contents("<think>\nIt is easy to say.\n</think>\n\nHi!"), FINISH, DONE)
MakeClient = Callable[..., FlaskClient]
Mock = responses.RequestsMock


def server(name: str, **settings: Any) -> UpstreamConfig:
    return UpstreamConfig(name=name, url=f"http://{name}.test", **settings)


def in_order(*names: str, **settings: Any) -> dict[str, Any]:
    """Settings with these upstreams in order of priority."""
    return {
        "upstreams": tuple(server(n, priority=at, **settings) for at, n in enumerate(names)),
    }


def says(upstream: Mock, name: str, *bodies: bytes, **options: Any) -> None:
    """Sets the answers of an upstream: each body once, the last one again and again."""
    for body in bodies or (b"",):
        upstream.post(f"http://{name}.test/v1/chat/completions", body=body, **options)


def asked(upstream: Mock) -> list[str]:
    """The names of the upstreams that were called, in order."""
    return [call.request.url.split("/")[2].removesuffix(".test") for call in upstream.calls]


def last(response: Any) -> tuple[str, Any]:
    return events(response)[-1]


# --- Failover -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403, 408, 429, 500, 502, 503, 504, 529, 302])
@pytest.mark.parametrize("format", ["events", "openai"])
def test_failover_when_an_upstream_refuses_for_its_own_reasons(
    make_client: MakeClient,
    upstream: Mock,
    logged: list[dict[str, Any]],
    status: int,
    format: str,
) -> None:
    says(upstream, "a", status=status)
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"))
    response = ask(client, model="m", gateway={"format": format})
    assert response.status_code == 200
    assert "Hi!" in response.text
    assert "error" not in response.text
    assert asked(upstream) == ["a", "b"]
    turn = logged[-1]
    assert (turn["end"], turn["upstream"], turn["attempts"]) == ("done", "b", 2)
    assert turn["given_up"] == {"a": "upstream_refused"}


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_errors_about_the_request_are_passed_on(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]], status: int
) -> None:
    error = {"message": "It is too long.", "param": "messages", "code": "too_long"}
    upstream.post("http://a.test/v1/chat/completions", status=status, json={"error": error})
    client = make_client(**in_order("a", "b"))
    for _ in range(7):  # more than would open a breaker
        response = ask(client, model="m", stream=False)
        assert response.status_code == status
        assert response.get_json()["error"] == {**error, "type": "invalid_request_error"}
    assert set(asked(upstream)) == {"a"}
    assert logged[0]["blame"] == "caller"
    assert logged[0]["attempts"] == 1


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (requests.ConnectionError("refused"), "upstream_unreachable"),
        (requests.ConnectTimeout("silence"), "upstream_connect_timeout"),
        (b"", "upstream_broke_off"),
        (sse(delta(role="assistant", content="")), "upstream_broke_off"),
        (sse({"error": {"message": "boom", "code": 503}}), "503"),
        (sse('{"choices": [{"del'), "upstream_bad_chunk"),
        (b"<html>Welcome</html>", "upstream_bad_chunk"),
        (b'{"error": {"message": "busy", "code": 429}}', "429"),
    ],
)
def test_failover_when_an_upstream_breaks_off_before_the_first_token(
    make_client: MakeClient,
    upstream: Mock,
    logged: list[dict[str, Any]],
    broken: Any,
    code: str,
) -> None:
    says(upstream, "a", broken)
    says(upstream, "b", GOOD)
    response = ask(make_client(**in_order("a", "b")), model="m", gateway={"format": "events"})
    named = events(response)
    assert [name for name, _ in named] == [
        "prompt_summary",
        "reasoning_summary",
        "final_output_delta",
        "done",
    ]
    assert named[-1][1]["timings"]["prompt_summary_ms"] is not None
    assert logged[0]["given_up"] == {"a": code}


@pytest.mark.parametrize(
    "said",
    [
        contents("H"),
        contents("<th"),
        [delta(reasoning="Hm")],
        [delta(tool_calls=[{"index": 0, "id": "1", "function": {"name": "f"}}])],
        [delta(refusal="No")],
    ],
    ids=["output", "half a marker", "reasoning", "a tool call", "a refusal"],
)
def test_no_failover_after_the_first_token(
    make_client: MakeClient, upstream: Mock, said: list[Any]
) -> None:
    says(upstream, "a", sse(*said))
    says(upstream, "b", GOOD)
    response = ask(make_client(**in_order("a", "b")), model="m", gateway={"format": "events"})
    assert last(response)[1]["error"]["code"] == "upstream_broke_off"
    assert asked(upstream) == ["a"]


def test_no_failover_after_an_empty_answer(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", sse(FINISH, DONE))
    response = ask(make_client(**in_order("a", "b")), model="m", gateway={"format": "events"})
    assert last(response)[0] == "done"
    assert asked(upstream) == ["a"]


def test_usage_of_a_failed_attempt_is_dropped(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", sse(USAGE))
    says(upstream, "b", GOOD)
    response = ask(make_client(**in_order("a", "b")), model="m", gateway={"format": "events"})
    assert last(response)[1]["usage"] is None


def test_the_number_of_attempts_is_limited(make_client: MakeClient, upstream: Mock) -> None:
    for name in "abcd":
        says(upstream, name, status=500)
    client = make_client(**in_order(*"abcd"), max_attempts=3)
    assert ask(client, model="m", stream=False).status_code == 502
    assert asked(upstream) == ["a", "b", "c"]


def test_the_last_refusal_is_returned(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", status=500)
    says(upstream, "b", status=429, headers={"Retry-After": "9"})
    client = make_client(**in_order("a", "b"))
    response = ask(client, model="m", gateway={"format": "openai"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "9")


def test_a_refused_gateway_key_is_a_424_that_names_the_setting(
    make_client: MakeClient, upstream: Mock
) -> None:
    says(upstream, "a", status=401)
    says(upstream, "b", status=403)
    response = ask(make_client(**in_order("a", "b", api_key_env="B_KEY")), model="m", stream=False)
    assert (response.status_code, response.headers["x-should-retry"]) == (424, "false")
    assert response.get_json()["error"]["message"] == (
        "The upstream refused the gateway's key (403); check B_KEY."
    )


def test_a_refused_key_is_logged_once_if_no_other_upstream_is_left(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    says(upstream, "a", status=401)
    client = make_client(**in_order("a", "b", api_key="the same"))
    assert ask(client, model="m", stream=False).status_code == 424
    loud = [line for line in logged if line["level"] == "error"]
    assert [(line["event"], line["upstream"]) for line in loud] == [
        ("upstream refused the gateway's key", "a")
    ]


USER = {"role": "user", "content": "Hi"}
FLAGGED = {"error": {"message": "Your input was flagged.", "metadata": {"reasons": ["x"]}}}


@pytest.mark.parametrize("in_stream", [False, True])
def test_a_flagged_prompt_goes_to_no_other_upstream(
    make_client: MakeClient, upstream: Mock, in_stream: bool
) -> None:
    if in_stream:
        error = {"error": {**FLAGGED["error"], "code": 403}}
        says(upstream, "a", sse(error, DONE))
    else:
        upstream.post("http://a.test/v1/chat/completions", status=403, json=FLAGGED)
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"), breaker_failures=1)
    for _ in range(2):
        response = ask(client, model="m", stream=False)
        assert response.status_code == 403
        assert response.get_json()["error"]["message"] == "Your input was flagged."
        assert "x-should-retry" not in response.headers
    assert asked(upstream) == ["a", "a"]


def test_a_refused_key_goes_to_no_upstream_with_the_same_key(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    says(upstream, "a", status=401)
    says(upstream, "c", GOOD)
    keys = {"a": "key-1", "b": "key-1", "c": "key-2"}
    servers = [server(n, priority=at, api_key=k) for at, (n, k) in enumerate(keys.items())]
    client = make_client(upstreams=tuple(servers), breaker_failures=1, max_attempts=3)
    for _ in range(2):
        assert ask(client, model="m", stream=False).status_code == 200
    assert asked(upstream) == ["a", "c", "a", "c"]
    loud = [line for line in logged if line["level"] == "error"]
    assert {(line["event"], line["upstream"]) for line in loud} == {
        ("upstream refused the gateway's key", "a")
    }
    health = client.get("/health").get_json()["upstreams"]
    assert {u["name"]: (u["key_refused"], u["breaker"]) for u in health} == {
        "a": (True, "closed"),
        "b": (False, "closed"),
        "c": (False, "closed"),
    }


@pytest.mark.parametrize("end", [{"finish_reason": "abort"}, {"finish_reason": "error"}])
def test_an_answer_that_breaks_off_before_its_first_word_fails_over(
    make_client: MakeClient, upstream: Mock, end: dict[str, Any]
) -> None:
    says(upstream, "a", sse({"choices": [{"index": 0, "delta": {}, **end}]}, DONE))
    says(upstream, "b", GOOD)
    assert "Hi!" in ask(make_client(**in_order("a", "b")), model="m", stream=False).text


@pytest.mark.parametrize("format", ["openai", "responses", "messages"])
def test_a_rate_limit_as_the_first_event_is_a_status(
    make_client: MakeClient, upstream: Mock, format: str
) -> None:
    error = {"message": "Slow down.", "code": "rate_limit_exceeded", "retry_after": 7.66}
    says(upstream, "a", sse({"error": error}, DONE))
    client = make_client(**in_order("a"))
    path, body = {
        "openai": ("/openai/v1/chat/completions", {"messages": [USER]}),
        "responses": ("/v1/responses", {"input": "Hi"}),
        "messages": ("/v1/messages", {"messages": [USER], "max_tokens": 9}),
    }[format]
    response = client.post(path, json={"model": "m", "stream": True, **body})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "8")
    assert "Slow down." in response.text


@pytest.mark.parametrize("empty", [b"", b'{"choices": []}', sse(DONE), sse({"choices": []}, DONE)])
def test_an_empty_answer_fails_over(make_client: MakeClient, upstream: Mock, empty: bytes) -> None:
    says(upstream, "a", empty)
    says(upstream, "b", GOOD)
    assert "Hi!" in ask(make_client(**in_order("a", "b")), model="m", stream=False).text


def test_several_choices_fail_over_together(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", sse({"error": "boom"}))
    chunks = [
        {"choices": [{"index": i, "delta": {"content": str(i)}, "finish_reason": "stop"}]}
        for i in range(2)
    ]
    says(upstream, "b", sse(*chunks, DONE))
    response = ask(make_client(**in_order("a", "b")), model="m", stream=False, n=2)
    choices = response.get_json()["choices"]
    assert [choice["message"]["content"] for choice in choices] == ["0", "1"]


def test_a_model_that_starts_inside_is_remembered_for_the_upstream_that_answered(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    says(upstream, "a", b"")
    says(upstream, "b", sse(*contents("Hm, two and two.\n</think>\n\n4"), FINISH, DONE))
    client = make_client(**in_order("a", "b"))
    for _ in range(TURNS_IN_A_ROW):
        ask(client, model="mine", gateway={"format": "events"})
    [warning] = [line for line in logged if "starts inside" in line["event"]]
    assert (warning["upstream"], warning["model"]) == ("b", "mine")


# --- Routing --------------------------------------------------------------------------------------


def test_retry_after_is_obeyed(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", status=429, headers={"Retry-After": "60"})
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"))
    for _ in range(3):
        assert ask(client, model="m", stream=False).status_code == 200
    assert asked(upstream) == ["a", "b", "b", "b"]


def test_retry_after_may_be_a_date(make_client: MakeClient, upstream: Mock) -> None:
    dates = {
        "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
        "Retry-After": "Fri, 20 Nov 2026 10:00:40 GMT",
    }
    says(upstream, "a", status=503, headers=dates)
    response = ask(make_client(**in_order("a")), model="m", stream=False)
    assert response.headers["Retry-After"] == "40"


def test_the_only_upstream_is_asked_although_it_told_another_caller_to_wait(
    make_client: MakeClient, upstream: Mock
) -> None:
    says(upstream, "a", status=429, headers={"Retry-After": "600"})
    says(upstream, "a", GOOD)
    client = make_client(**in_order("a"))
    response = ask(client, model="m", stream=False)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "600")
    assert ask(client, model="m", stream=False).status_code == 200
    assert asked(upstream) == ["a", "a"]


def test_the_failures_of_one_caller_do_not_shut_out_the_others(
    make_client: MakeClient, upstream: Mock
) -> None:
    for _ in range(5):
        says(upstream, "a", status=500)
    says(upstream, "a", GOOD)
    client = make_client(**in_order("a"), breaker_failures=3, breaker_open_s=40)
    for _ in range(5):
        assert ask(client, model="m", stream=False).status_code == 502
    health = client.get("/health").get_json()
    [shown] = health["upstreams"]
    del shown["server"]
    out = {"model": "m", "breaker": "open", "paused": False, "callers": 1}
    own = {"name": "a", "breaker": "open", "open_streams": 0, "healthy": False}
    own |= {"key_refused": False, "reachable": True, "models": [out]}
    own |= {"url": shown["url"], "cause": "The upstream answered with status 500."}
    assert shown == own
    counts = {"open_streams": 0, "kept_streams": 0, "kept_bytes": 0}
    assert health["workers"] == [{"worker": 0, "age_s": 0.0, **counts, "upstreams": [own]}]
    assert client.get("/ready").status_code == 200
    assert ask(client, model="m", stream=False).status_code == 200
    assert client.get("/health").get_json()["upstreams"][0]["breaker"] == "closed"


def test_the_failures_of_one_key_count_apart(make_client: MakeClient, upstream: Mock) -> None:
    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        return (500, {}, b"") if b"poison" in request.body else (200, {}, GOOD)

    for name in ("a", "b"):
        address = f"http://{name}.test/v1/chat/completions"
        upstream.add_callback("POST", address, callback=answer)
    keys = tuple(KeyConfig(name=name, key=f"key-of-{name}") for name in ("alice", "mallory"))
    client = make_client(**in_order("a", "b"), keys=keys, breaker_failures=3)

    def ask_as(name: str, **more: Any) -> int:
        key = {"Authorization": f"Bearer key-of-{name}"}
        body = {"messages": [USER], "model": "m", **more}
        return int(client.post("/openai/v1/chat/completions", json=body, headers=key).status_code)

    for _ in range(10):
        assert ask_as("mallory", metadata={"x": "poison"}) >= 502
    upstream.calls.reset()
    assert [ask_as("alice") for _ in range(3)] == [200] * 3
    assert asked(upstream) == ["a"] * 3


def test_the_failures_of_one_address_count_apart_where_there_are_no_keys(
    make_client: MakeClient, upstream: Mock
) -> None:
    says(upstream, "a", status=500)
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"), breaker_failures=1)
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        body = {"messages": [USER], "model": "m", "stream": False}
        answer = client.post(
            "/v1/chat/completions", json=body, environ_base={"REMOTE_ADDR": address}
        )
        assert answer.status_code == 200
    assert asked(upstream) == ["a", "b", "b", "a", "b"]


def test_the_gateway_is_ready_while_one_upstream_is_usable(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    says(upstream, "a", status=500)
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"), breaker_failures=1)
    ask(client, model="m")
    [changed] = [line for line in logged if line["event"] == "breaker"]
    assert (changed["upstream"], changed["state"], changed["level"]) == ("a", "open", "warning")
    states = {u["name"]: u["breaker"] for u in client.get("/health").get_json()["upstreams"]}
    assert states == {"a": "open", "b": "closed"}
    assert client.get("/ready").status_code == 200


def test_breaker_states_are_in_the_metrics(make_client: MakeClient, upstream: Mock) -> None:
    says(upstream, "a", status=500)
    says(upstream, "b", GOOD)
    client = make_client(**in_order("a", "b"), breaker_failures=1)
    ask(client, model="m")
    metrics = client.get("/metrics").text
    assert 'gateway_breaker_state{upstream="a",worker="0"} 2.0' in metrics
    assert 'gateway_breaker_state{upstream="b",worker="0"} 0.0' in metrics
    assert 'gateway_upstream_in_order{upstream="a",worker="0"} 1.0' in metrics
    assert 'gateway_upstream_attempts_total{result="5xx",upstream="a"} 1.0' in metrics
    assert 'gateway_upstream_attempts_total{result="accepted",upstream="b"} 1.0' in metrics


def test_the_error_for_an_unknown_model_lists_the_known_ones(
    make_client: MakeClient, upstream: Mock
) -> None:
    client = make_client(
        upstreams=(
            server("a", models=("qwen3-*", "r1")),
            server("b", models=("r1",), rename={"fast": "x"}),
        )
    )
    response = ask(client, model="gpt-5", gateway={"format": "events"})
    assert response.status_code == 404
    error = response.get_json()["error"]
    assert error["message"] == "No upstream serves the model 'gpt-5'; available: qwen3-*, r1, fast."
    assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_request_without_a_model_goes_to_the_first_upstream(
    make_client: MakeClient, upstream: Mock
) -> None:
    says(upstream, "a", GOOD)
    client = make_client(upstreams=(server("b", priority=2), server("a", models=("x",))))
    assert ask(client, stream=False).status_code == 200
    assert "model" not in json.loads(upstream.calls[0].request.body)


def test_each_upstream_gets_its_own_name_key_and_headers(
    make_client: MakeClient, upstream: Mock
) -> None:
    says(upstream, "a", status=500)
    says(upstream, "b", GOOD)
    first = server("a", api_key="key-of-a", headers={"X-Team": "red"})
    second = server("b", priority=2, rename={"fast": "org/Model"}, headers={"accept": "no"})
    client = make_client(upstreams=(first, second))
    answer = ask(client, model="fast", stream=False).get_json()
    assert answer["model"] == "fast"
    sent = [call.request for call in upstream.calls]
    assert [json.loads(request.body)["model"] for request in sent] == ["fast", "org/Model"]
    assert sent[0].headers["Authorization"] == "Bearer key-of-a"
    assert sent[0].headers["X-Team"] == "red"
    assert "Authorization" not in sent[1].headers
    assert "X-Team" not in sent[1].headers
    assert sent[1].headers["Accept"] == "text/event-stream"


def test_the_family_of_a_renamed_model_comes_from_its_own_name(
    make_client: MakeClient, upstream: Mock, logged: list[dict[str, Any]]
) -> None:
    says(upstream, "a", sse(*contents("Two and two.\n</think>\n\n4"), FINISH, DONE))
    client = make_client(upstreams=(server("a", rename={"fast": "deepseek-r1"}),))
    named = events(ask(client, model="fast", gateway={"format": "events"}))
    assert [data["text"] for name, data in named if name == "final_output_delta"] == ["4"]
    assert (logged[0]["model"], logged[0]["family"]) == ("fast", "think-opened")


# --- Keys -----------------------------------------------------------------------------------------

KEYS = ("sk-key-of-a", "sk-key-of-b", "secret-header")


@pytest.mark.parametrize("place", ["message", "code", "type", "param"])
@pytest.mark.parametrize("format", ["phased", "events", "openai", "plain", None])
@pytest.mark.parametrize("how", ["status", "frame", "after a word", "body"])
def test_no_key_is_shown_or_logged(
    make_client: MakeClient,
    upstream: Mock,
    logged: list[dict[str, Any]],
    place: str,
    format: str | None,
    how: str,
) -> None:
    """An upstream may repeat any of the gateway's keys, its own or another's."""
    error = {"error": {"message": "It said no.", place: f"No: {' '.join(KEYS)} {KEYS[0]}."}}
    body = {
        "status": json.dumps(error).encode(),
        "frame": sse(error),
        "after a word": sse(*contents("Hi"), error),
        "body": json.dumps(error).encode(),
    }[how]
    says(upstream, "a", body, status=400 if how == "status" else 200)
    client = make_client(
        upstreams=(
            server("a", api_key=KEYS[0], headers={"api-key": KEYS[2]}),
            server("b", priority=5, models=("x",), api_key=KEYS[1]),
        )
    )
    options: dict[str, Any] = {"gateway": {"format": format}} if format else {"stream": False}
    response = ask(client, model="m", **options)
    said = response.text + json.dumps(logged) + str(response.headers)
    assert not [key for key in KEYS if key in said]
    assert r"No: \u2026 \u2026" in response.text or place != "message"


# --- Models ---------------------------------------------------------------------------------------


def lists(upstream: Mock, name: str, *ids: str, **options: Any) -> None:
    data = [{"id": id, "owned_by": f"owner-{name}"} for id in ids]
    upstream.get(f"http://{name}.test/v1/models", json={"object": "list", "data": data}, **options)


def models(client: FlaskClient) -> list[tuple[str, str]]:
    data = client.get("/v1/models").get_json()["data"]
    return [(model["id"], model["upstream"]) for model in data]


def test_model_lists_of_all_upstreams_are_merged(make_client: MakeClient, upstream: Mock) -> None:
    lists(upstream, "a", "qwen3-8b", "hidden", "Org/Own")
    lists(upstream, "b", "qwen3-8b", "r1")
    names = {"fast": "Org/Own", "quick": "Org/Own"}
    client = make_client(
        upstreams=(
            server("a", models=("qwen3-*", "Never"), rename=names),
            server("b"),
        )
    )
    assert models(client) == [("qwen3-8b", "a"), ("fast", "a"), ("quick", "a"), ("r1", "b")]
    data = client.get("/v1/models").get_json()["data"]
    assert data[1] == {
        "id": "fast",
        "object": "model",
        "type": "model",
        "display_name": "fast",
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": "owner-a",
        "family": "tags",
        "unmarked_text": {"counts_as": "answer", "why": "family"},
        "upstream": "a",
        "server": UNKNOWN_SERVER,
    }


def test_the_model_list_is_cached(make_client: MakeClient, upstream: Mock) -> None:
    lists(upstream, "a", "x")
    client = make_client(upstreams=(server("a"),))
    assert [models(client) for _ in range(5)] == [[("x", "a")]] * 5
    assert len(upstream.calls) == 1


def test_models_of_an_upstream_that_never_answered_come_from_the_settings(
    make_client: MakeClient, upstream: Mock
) -> None:
    lists(upstream, "a", "x")
    upstream.get("http://b.test/v1/models", status=500)
    named = server("b", models=("r1", "qwen3-*"), rename={"fast": "y"})
    client = make_client(upstreams=(server("a"), named))
    assert models(client) == [("x", "a"), ("r1", "b"), ("fast", "b")]


def test_the_last_model_list_is_kept_while_an_upstream_is_down(
    make_client: MakeClient, upstream: Mock
) -> None:
    times = itertools.count(step=20)
    lists(upstream, "a", "x")
    upstream.get("http://a.test/v1/models", status=500)
    client = make_client(clock=lambda: float(next(times)), upstreams=(server("a"),))
    for _ in range(6):
        assert models(client) == [("x", "a")]
        gevent.sleep(0.01)  # in which the list is refreshed
    assert len(upstream.calls) > 1
