"""/metrics is the sum of all workers, whichever answers, and keeps the counts of dead workers."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live.test_draining import gone
from tests.live.wire import FORMATS, ask, logged_turn, request_body, wait_until
from tests.machine import allowed
from tests.programs import DRIVERS, Program, start_gateway, workers_of

WORKERS = 2
EVENTS = {"format": "events"}


@pytest.fixture(scope="module")
def gateway(mock_url: str) -> Iterator[Program]:
    with start_gateway(mock_url, web_concurrency=WORKERS, heartbeat_s=0.5) as gateway:
        yield gateway


def value(gateway: Program, name: str, **labels: str) -> float:
    """The sum of the series that have these labels."""
    text = requests.get(f"{gateway.url}/metrics", timeout=60).text
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    return sum(
        float(number)
        for held, number in re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        if wanted <= set(held.split(","))
    )


def test_every_worker_reports_the_sum_of_all(gateway: Program) -> None:
    before = value(gateway, "gateway_turns_total")
    for _ in range(20):  # each on a new connection, so that both workers get some
        with ask(gateway.url, request_body("default@tps=0", gateway=EVENTS)) as stream:
            stream.read_all()
    for _ in range(5):
        assert value(gateway, "gateway_turns_total") == before + 20
    wait_until(lambda: value(gateway, "gateway_stream_limit") == WORKERS * 1000)


def test_open_streams_go_up_and_down(gateway: Program) -> None:
    body = request_body("slow-start@delay=20", gateway=EVENTS)
    with ask(gateway.url, body), ask(gateway.url, body), ask(gateway.url, body):
        wait_until(lambda: value(gateway, "gateway_open_streams") == 3)
    wait_until(lambda: value(gateway, "gateway_open_streams") == 0)


def test_gaps_and_heartbeats_are_counted_during_the_stream(gateway: Program) -> None:
    beats = value(gateway, "gateway_heartbeats_total")
    gaps = value(gateway, "gateway_write_gap_seconds_bucket", le="1.0")
    body = request_body("slow-start@delay=20", gateway=EVENTS)
    with ask(gateway.url, body, request_id="beats") as stream:
        for _ in range(3):
            stream.read_until(lambda frame: frame.event == "heartbeat")
        wait_until(lambda: value(gateway, "gateway_heartbeats_total") >= beats + 3)
        wait_until(lambda: value(gateway, "gateway_write_gap_seconds_bucket", le="1.0") >= gaps + 3)
    turn = logged_turn(gateway, "beats")
    assert turn["heartbeats"] >= 3
    assert turn["writes"] == turn["heartbeats"] + 1  # the prompt summary
    assert 250 < turn["longest_gap_ms"] < allowed(5000)


@pytest.mark.parametrize("driver", DRIVERS)
def test_sent_bytes_are_the_bytes_that_arrive(mock_url: str, driver: str) -> None:
    with start_gateway(mock_url, relay_driver=driver) as gateway:
        arrived = 0
        for format in FORMATS:
            for options in ({"stream": True}, {"stream": False}):
                body = request_body("unicode@tps=200", gateway={"format": format}) | options
                name = f"{format}-{options['stream']}"
                with ask(gateway.url, body, request_id=name) as stream:
                    size = len(stream.response.read())
                assert logged_turn(gateway, name)["sent_bytes"] == size
                arrived += size
        assert value(gateway, "gateway_sent_bytes_total") == arrived


def test_timeouts_are_counted_by_code(mock_url: str) -> None:
    with start_gateway(mock_url, first_byte_timeout_s=0.5) as gateway:
        with ask(gateway.url, request_body("slow-start@delay=20", gateway=EVENTS)) as stream:
            stream.read_all()
        assert value(gateway, "gateway_turn_errors_total", code="upstream_first_byte_timeout") == 1
        assert (
            value(gateway, "gateway_upstream_attempts_total", result="upstream_first_byte_timeout")
            == 1
        )


def test_a_killed_worker_leaves_its_counts_but_no_open_streams(
    mock_url: str, tmp_path: Path
) -> None:
    """Its replacement continues in the same files, so their number does not grow."""
    files: list[list[Path]] = []
    with start_gateway(mock_url, prometheus_multiproc_dir=tmp_path) as gateway:
        for times in range(1, 4):
            with ask(gateway.url, request_body("default@tps=0", gateway=EVENTS)) as stream:
                stream.read_all()
            [worker] = workers_of(gateway)
            with ask(gateway.url, request_body("slow-start@delay=20", gateway=EVENTS)):
                wait_until(lambda: value(gateway, "gateway_open_streams") == 1)
                os.kill(worker, signal.SIGKILL)
                wait_until(gone(worker))
                wait_until(lambda old=worker: [pid for pid in workers_of(gateway) if pid != old])
            assert value(gateway, "gateway_turns_total", end="done") == times
            wait_until(lambda: value(gateway, "gateway_open_streams") == 0)
            assert value(gateway, "gateway_stream_limit") == 1000
            files.append(sorted(tmp_path.iterdir()))
        assert files[0] == files[-1] != []


def test_a_named_directory_is_created_and_emptied(mock_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "one"
    for _ in range(2):
        with start_gateway(mock_url, prometheus_multiproc_dir=folder) as gateway:
            assert value(gateway, "gateway_error_responses_total") == 0
            requests.get(f"{gateway.url}/nowhere", timeout=60)
            assert value(gateway, "gateway_error_responses_total") == 1
    assert list(folder.glob("counter_0.db"))


def test_the_default_directory_is_removed_at_the_end(
    mock_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with start_gateway(mock_url, tmpdir=tmp_path):
        assert len(list(tmp_path.glob("gateway-metrics-*"))) == 1
    assert list(tmp_path.iterdir()) == []
