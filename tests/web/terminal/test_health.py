"""`--health`: what is printed, and the exit status."""

import responses

from tests.web.terminal.fake_gateway import URL, assert_fails, run_client


def test_health_is_printed_as_indented_lines(gateway: responses.RequestsMock) -> None:
    upstream = {"name": "local", "breaker": "closed", "tags": []}
    health = {"status": "ok", "version": "0.1.0", "uptime_s": 1.5, "upstreams": [upstream]}
    gateway.get(f"{URL}/health", json=health)
    result = run_client("--health")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "status: ok",
            "version: 0.1.0",
            "uptime_s: 1.5",
            "upstreams:",
            "  1:",
            "    name: local",
            "    breaker: closed",
            "    tags: []",
        ],
    )


def test_a_status_other_than_ok_exits_with_1(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/health", json={"status": "draining"})
    result = run_client("--health")
    assert_fails(result, f"{URL} reports status draining")
    assert result.stdout == "status: draining\n"


def test_a_rejected_health_request_exits_with_1(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/health", status=503, json={"error": {"message": "Draining."}})
    assert_fails(run_client("--health"), f"{URL} returned 503: Draining.")
