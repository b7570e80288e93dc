"""/metrics counts every turn once, by its end, and shows nothing that a client wrote."""

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
from gateway.observe.metrics import Metrics
from tests.web.conftest import COMPLETIONS, answers

FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
Labels = dict[str, str]


def content(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def ask(client: FlaskClient, **more: Any) -> str:
    body = {"messages": [{"role": "user", "content": "What is 2+2?"}], "stream": True, **more}
    return client.post("/v1/chat/completions", json=body).get_data(as_text=True)


def samples(client: FlaskClient, name: str) -> list[tuple[Labels, float]]:
    """Labels and value of each series with this name."""
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


def test_the_page_is_prometheus_text(client: FlaskClient) -> None:
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


def test_model_names_of_clients_are_never_labels(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    for number in range(30):
        answers(upstream, content("4"), FINISH, "[DONE]")
        ask(client, model=f"invented-{number}")
        client.post(f"/invented-{number}")
    text = client.get("/metrics").get_data(as_text=True)
    assert "invented" not in text
    assert len(samples(client, "gateway_turns_total")) == 1


def test_unknown_error_codes_of_upstreams_are_never_labels(
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
def test_failed_turns_are_counted_by_blame_and_code(
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
    assert value(client, "gateway_error_responses_total") == 0


def test_a_refused_turn_counts_as_turn_and_as_error_response(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    """In the formats that wait for the upstream's status before they answer."""
    upstream.post(COMPLETIONS, status=503)
    ask(client, gateway={"format": "openai"})
    assert value(client, "gateway_turns_total", end="refused", blame="upstream") == 1
    assert value(client, "gateway_error_responses_total", code="upstream_refused") == 1


def test_requests_that_start_no_turn_count_as_error_responses(client: FlaskClient) -> None:
    client.post("/v1/chat/completions", json={})
    client.get("/nowhere")
    client.get("/v1/chat/completions")
    for code in ("bad_request", "not_found", "method_not_allowed"):
        assert value(client, "gateway_error_responses_total", code=code) == 1
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
def test_tokens_come_from_usage_or_are_estimated(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    usage: dict[str, Any] | None,
    reasoning: int,
    answer: int,
) -> None:
    chunks = [content(f"<think>{'r' * 40}</think>"), content("a" * 20), FINISH]
    answers(upstream, *chunks, {"choices": [], "usage": usage}, "[DONE]")
    ask(client)
    assert value(client, "gateway_tokens_total", kind="reasoning") == reasoning
    assert value(client, "gateway_tokens_total", kind="answer") == answer


def test_sent_bytes_are_the_bytes_that_the_client_received(
    client: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, content("<think>Two.</think>Grüße"), FINISH, "[DONE]")
    received = 0
    for format in ("phased", "events", "openai", "plain"):
        response = ask(client, gateway={"format": format})
        assert logged[-1]["sent_bytes"] == len(response)
        received += len(response)
    response = ask(client, stream=False)
    assert logged[-1]["sent_bytes"] == len(response)
    assert value(client, "gateway_sent_bytes_total") == received + len(response)


def test_a_model_that_starts_inside_its_reasoning_is_counted_once(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    for _ in range(3):
        answers(upstream, content("Two and two.</think>4"), FINISH, "[DONE]")
        ask(client, model="my-model")
    assert value(client, "gateway_starts_inside_detected_total", upstream="default") == 1


def test_each_application_has_its_own_counts(make_client: Callable[..., FlaskClient]) -> None:
    one, other = make_client(), make_client(max_streams=7)
    one.get("/nowhere")
    assert value(one, "gateway_error_responses_total") == 1
    assert value(other, "gateway_error_responses_total") == 0
    assert value(other, "gateway_stream_limit") == 7


def test_a_breaker_is_exported_from_the_start_and_when_it_opens(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    client = make_client(breaker_failures=2)
    assert samples(client, "gateway_breaker_state") == [({"upstream": "default", "worker": "0"}, 0)]
    upstream.post(COMPLETIONS, status=500)
    for _ in range(3):
        ask(client)
    assert samples(client, "gateway_breaker_state") == [({"upstream": "default", "worker": "0"}, 2)]
    assert samples(client, "gateway_upstream_models_out") == [
        ({"upstream": "default", "worker": "0"}, 1)
    ]
    assert value(client, "gateway_upstream_attempts_total", result="5xx") == 3


def test_a_half_open_breaker_is_between_closed_and_open() -> None:
    metrics = Metrics()
    for state, number in (("closed", 0), ("half_open", 1), ("open", 2)):
        metrics.set_upstream("a", breaker=state, in_order=True, open_streams=7, models_out=0)
        text = metrics.text().decode()
        assert f'gateway_breaker_state{{upstream="a",worker="0"}} {number}.0\n' in text
        assert 'gateway_upstream_open_streams{upstream="a",worker="0"} 7.0\n' in text


def test_calls_of_the_summary_model_are_counted_by_result() -> None:
    metrics = Metrics()
    turn: dict[str, Any] = {"format": "events", "family": "tags", "upstream": "a", "end": "done"}
    turn |= {"key": "anonymous", "usage": None}
    turn |= {"estimated_reasoning_tokens": 1, "estimated_output_tokens": 1}
    metrics.count_turn(turn | {"summarizer": {"calls": 3, "failed": 1, "total_tokens": 50}})
    metrics.flush(open_streams=0, kept_streams=0, kept_bytes=0)
    text = metrics.text().decode()
    assert 'gateway_summarizer_calls_total{result="succeeded"} 2.0\n' in text
    assert 'gateway_summarizer_calls_total{result="failed"} 1.0\n' in text
    assert "gateway_summarizer_tokens_total 50.0\n" in text
