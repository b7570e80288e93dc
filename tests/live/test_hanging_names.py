"""A name server that hangs for one upstream delays neither the others nor the metrics."""

import time
from pathlib import Path

import requests

from tests.live.test_upstreams import EVENTS, GOOD, gateway_with, table
from tests.live.upstream import Upstream
from tests.live.wire import ask, get_json, in_parallel, logged_turn, parse_stream, request_body
from tests.machine import allowed, within
from tests.programs import boot_gateway

HANGS = """
import socket, time
look_up, sleep = socket.getaddrinfo, time.sleep

def getaddrinfo(host, *more, **options):
    flags = options.get("flags", more[4] if len(more) > 4 else 0)
    if host == "hangs.test" and not flags & socket.AI_NUMERICHOST:
        sleep(3600)
    return look_up(host, *more, **options)

socket.getaddrinfo = getaddrinfo
"""
"""Python runs it before the gateway, and so before gevent patches the module."""


def test_a_name_that_hangs_delays_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HANGS)
    with Upstream() as good:
        good.set_script("m", *GOOD)
        tables = (
            table("hangs", "http://hangs.test:1", connect_timeout_s=2),
            table("good", good.url.replace("127.0.0.1", "localhost"), priority=2),
        )
        settings = {"pythonpath": folder, "breaker_failures": 10_000, "max_attempts": 2}
        turns: list[float] = []
        looks: list[float] = []
        with gateway_with(tmp_path, *tables, **settings) as gateway:

            def fail_over(number: str) -> None:
                body = request_body("m", **EVENTS)
                began = time.monotonic()
                with ask(gateway.url, body, request_id=f"r{number}") as stream:
                    assert parse_stream("events", stream.read_all()).answer == "Hi!"
                turns.append(time.monotonic() - began)
                given_up = logged_turn(gateway, f"r{number}")["given_up"]
                assert given_up == {"hangs": "upstream_connect_timeout"}

            def monitor(number: str) -> None:
                began = time.monotonic()
                for path in ("/metrics", "/health"):
                    requests.get(f"{gateway.url}{path}", timeout=60).raise_for_status()
                looks.append(time.monotonic() - began)

            def either(number: str) -> None:
                (monitor if int(number) % 2 else fail_over)(number)

            in_parallel(either, map(str, range(40)))
            # The machine's speed is measured once: 40 measurements would be most of the load.
            assert max(turns) < allowed(5)
            assert max(looks) < allowed(1.5)
            assert not get_json(f"{gateway.url}/health")["upstreams"][0]["models"]


def test_a_gateway_with_a_name_that_hangs_can_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGS)
    settings = {"pythonpath": tmp_path, "connect_timeout_s": 1, "drain_timeout_s": 5}
    with boot_gateway("http://hangs.test:1", **settings) as gateway:
        with ask(gateway.url, request_body("m", **EVENTS)) as stream:
            error = parse_stream("events", stream.read_all()).error
        assert error is not None
        assert error["code"] == "upstream_connect_timeout"
        with within(5):
            assert gateway.stop() == 0
