"""Every worker can show what each worker of the host knows about the upstreams."""

import os
import signal
from pathlib import Path
from typing import Any

import requests

from tests.live.upstream import RESET, Upstream
from tests.live.wire import ask, get_json, request_body, wait_until
from tests.programs import Program, start_gateway, workers_of


def views(gateway: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get_json(f"{gateway.url}/health")["workers"]
    return found


def breakers(gateway: Program) -> list[str]:
    return [view["upstreams"][0]["breaker"] for view in views(gateway)]


def fail_once(gateway: Program) -> None:
    with ask(gateway.url, request_body("bad", stream=False)) as stream:
        stream.response.read()


def test_health_and_metrics_show_the_view_of_each_worker(tmp_path: Path) -> None:
    with (
        Upstream() as upstream,
        start_gateway(
            upstream.url,
            web_concurrency=2,
            breaker_failures=1,
            prometheus_multiproc_dir=tmp_path,
        ) as gateway,
    ):
        upstream.set_script("bad", RESET)
        wait_until(lambda: breakers(gateway) == ["closed", "closed"])
        fail_once(gateway)
        wait_until(lambda: sorted(breakers(gateway)) == ["closed", "open"])
        [out] = [view for view in views(gateway) if view["upstreams"][0]["models"]]
        assert out["upstreams"][0]["reachable"]  # it accepted the connection
        assert out["upstreams"][0]["models"] == [
            {"model": "bad", "breaker": "open", "paused": False, "callers": 1}
        ]
        metrics = requests.get(f"{gateway.url}/metrics", timeout=60).text
        states = {out["worker"]: 2, 1 - out["worker"]: 0}
        for worker, state in states.items():
            line = f'gateway_breaker_state{{upstream="default",worker="{worker}"}} {state}.0'
            assert line in metrics
        # A worker that has ended has no view; the one in its place begins with its own.
        before = workers_of(gateway)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(workers_of(gateway)) & set(before))
        wait_until(lambda: breakers(gateway) == ["closed", "closed"])
    assert not list(tmp_path.glob("worker_*"))


def test_a_full_disk_hides_the_view_of_other_workers_and_no_answer(tmp_path: Path) -> None:
    with (
        Upstream() as upstream,
        start_gateway(
            upstream.url, web_concurrency=2, prometheus_multiproc_dir=tmp_path
        ) as gateway,
    ):
        wait_until(lambda: len(views(gateway)) == 2)
        for number in range(2):  # root may write everywhere, but not over a directory
            (tmp_path / f"worker_{number}.new").mkdir()
        wait_until(lambda: len(views(gateway)) == 1)
        assert "Traceback" not in gateway.output()
