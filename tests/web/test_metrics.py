"""/metrics tells what was done: every turn once, by its end, and nothing that a caller wrote."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.families import FAMILIES
from gateway.observe.instruments import INSTRUMENTS
from tests.web.conftest import COMPLETIONS, answers

FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
Labels = dict[str, str]


def content(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def ask(client: FlaskClient, **more: Any) -> str:
    body = {"messages": [{"role": "user", "content": "What is 2+2?"}], "stream": True, **more}
    return client.post("/v1/chat/completions", json=body).get_data(as_text=True)


def samples(client: FlaskClient, name: str) -> list[tuple[Labels, float]]:
    """The series of this name: labels and value."""
    text = client.get("/metrics").get_data(as_text=True)
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def value(client: FlaskClient, name: str, **labels: str) -> float:
    """The sum of the series that have these labels."""
    return sum(number for held, number in samples(client, name) if labels.items() <= held.items())


def test_it_is_prometheus_text(client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", answer.get_data(as_text=True), re.MULTILINE))
    assert kinds == {made.name: made.kind for made in INSTRUMENTS}


def test_a_turn_is_counted_by_format_family_upstream_and_end(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, content("<think>Two and two.</think>"), content("4"), FINISH, "[DONE]")
    ask(client, model="qwen3-8b", gateway={"format": "events"})
    [(labels, count)] = samples(client, "gateway_turns_total")
    assert labels["format"] == "events"
    assert labels["family"] in {family.name for family in FAMILIES}
    assert (labels["upstream"], labels["end"], labels["blame"]) == ("default", "done", "none")
    assert count == 1
    for moment in ("prompt_summary", "first_reasoning", "first_summary", "first_output"):
        assert value(client, f"gateway_time_to_{moment}_seconds_count") == 1
    assert value(client, "gateway_turn_duration_seconds_count") == 1
    assert value(client, "gateway_upstream_attempts_total", result="accepted") == 1
    assert value(client, "gateway_open_streams") == 0


def test_a_name_that_a_client_made_up_is_never_a_label(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    for number in range(30):
        answers(upstream, content("4"), FINISH, "[DONE]")
        ask(client, model=f"invented-{number}")
        client.post(f"/invented-{number}")
    text = client.get("/metrics").get_data(as_text=True)
    assert "invented" not in text
    assert len(samples(client, "gateway_turns_total")) == 1


def test_a_code_that_an_upstream_made_up_is_never_a_label(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, {"error": {"message": "no", "code": "invented-in-stream"}})
    ask(client)
    upstream.replace(
        "POST", COMPLETIONS, status=400, json={"error": {"message": "no", "code": "invented"}}
    )
    ask(client)
    assert "invented" not in client.get("/metrics").get_data(as_text=True)
    assert value(client, "gateway_turn_errors_total", code="other") == 2


@pytest.mark.parametrize(
    ("fault", "end", "blame", "code", "result"),
    [
        ({"status": 500}, "failed", "upstream", "upstream_refused", "5xx"),
        ({"status": 401}, "failed", "upstream", "upstream_refused", "4xx"),
        ({"status": 429}, "failed", "upstream", "upstream_refused", "429"),
        ({"status": 400}, "failed", "caller", "upstream_refused", "4xx"),
        ({"status": 302}, "failed", "upstream", "upstream_refused", "3xx"),
        (
            {"body": requests.ConnectTimeout()},
            *("failed", "upstream", "upstream_connect_timeout", "upstream_connect_timeout"),
        ),
        (
            {"body": requests.ConnectionError()},
            *("failed", "upstream", "upstream_unreachable", "upstream_unreachable"),
        ),
        ({"body": b""}, "failed", "upstream", "upstream_broke_off", "accepted"),
    ],
)
def test_what_went_wrong_is_counted_by_blame_and_code(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    fault: dict[str, Any],
    end: str,
    blame: str,
    code: str,
    result: str,
) -> None:
    upstream.post(COMPLETIONS, **fault)
    ask(client)
    assert value(client, "gateway_turns_total", end=end, blame=blame) == 1
    assert value(client, "gateway_turn_errors_total", code=code) == 1
    assert value(client, "gateway_upstream_attempts_total", result=result) == 1
    assert value(client, "gateway_refusals_total") == 0


def test_a_refused_turn_is_a_turn_and_a_refusal(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    """In the formats that wait for the upstream's status."""
    upstream.post(COMPLETIONS, status=503)
    ask(client, gateway={"format": "openai"})
    assert value(client, "gateway_turns_total", end="refused", blame="upstream") == 1
    assert value(client, "gateway_refusals_total", code="upstream_refused") == 1


def test_requests_that_are_no_turn_are_refusals(client: FlaskClient) -> None:
    client.post("/v1/chat/completions", json={})
    client.get("/nowhere")
    client.get("/v1/chat/completions")
    for code in ("bad_request", "not_found", "method_not_allowed"):
        assert value(client, "gateway_refusals_total", code=code) == 1
    assert samples(client, "gateway_turns_total") == []


@pytest.mark.parametrize(
    ("usage", "reasoning", "answer"),
    [
        ({"completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 30}}, 30, 20),
        ({"completion_tokens": 50}, 10, 40),
        (None, 10, 5),
        ({"completion_tokens": "many"}, 10, 5),
        ({"completion_tokens": -3}, 10, 5),
        ({"completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 30}}, 7, 0),
        ({"completion_tokens": 50, "completion_tokens_details": [1]}, 10, 40),
    ],
)
def test_tokens_are_the_usage_s_or_else_estimates(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    usage: dict[str, Any] | None,
    reasoning: int,
    answer: int,
) -> None:
    said = [content(f"<think>{'r' * 40}</think>"), content("a" * 20), FINISH]
    answers(upstream, *said, {"choices": [], "usage": usage}, "[DONE]")
    ask(client)
    assert value(client, "gateway_tokens_total", kind="reasoning") == reasoning
    assert value(client, "gateway_tokens_total", kind="answer") == answer


def test_the_bytes_are_those_that_the_client_got(
    client: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, content("<think>Two.</think>Grüße"), FINISH, "[DONE]")
    got = 0
    for format in ("phased", "events", "openai", "plain"):
        said = ask(client, gateway={"format": format})
        assert logged[-1]["sent_bytes"] == len(said)
        got += len(said)
    whole = ask(client, stream=False)
    assert logged[-1]["sent_bytes"] == len(whole)
    assert value(client, "gateway_sent_bytes_total") == got + len(whole)


def test_a_first_lone_end_marker_is_counted_once(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    for _ in range(3):
        answers(upstream, content("Two and two.</think>4"), FINISH, "[DONE]")
        ask(client, model="my-model")
    assert value(client, "gateway_lone_ends_learned_total", upstream="default") == 1


def test_each_application_counts_for_itself(make_client: Callable[..., FlaskClient]) -> None:
    one, other = make_client(), make_client(max_streams=7)
    one.get("/nowhere")
    assert value(one, "gateway_refusals_total") == 1
    assert value(other, "gateway_refusals_total") == 0
    assert value(other, "gateway_stream_places") == 7


def test_a_breaker_is_shown_from_the_start_and_when_it_opens(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    client = make_client(breaker_failures=2)
    assert samples(client, "gateway_breaker_state") == [({"upstream": "default"}, 0)]
    upstream.post(COMPLETIONS, status=500)
    for _ in range(3):
        ask(client)
    assert samples(client, "gateway_breaker_state") == [({"upstream": "default"}, 2)]
    assert value(client, "gateway_upstream_attempts_total", result="5xx") == 2
    assert value(client, "gateway_refusals_total", code="no_upstream") == 1
