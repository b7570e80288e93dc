"""SIGTERM: no new connections, open streams may finish, and the exit is clean."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.live.test_leaving import request_bytes, send
from tests.live.wire import FORMATS, ask, get_json, parse_stream, request_body, wait_until
from tests.machine import allowed, within
from tests.programs import Program, boot_gateway, start_gateway


def refuses(url: str) -> Callable[[], bool]:
    """Returns a check that is true when the port refuses connections."""
    address = urlsplit(url)

    def check() -> bool:
        try:
            socket.create_connection((address.hostname, address.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    return check


def gone(pid: int) -> Callable[[], bool]:
    return lambda: not os.path.exists(f"/proc/{pid}")


def worker_of(gateway: Program) -> int:
    return int(gateway.wait_for(r"Booting worker with pid: (\d+)"))


def status_of(pid: int) -> dict[str, str]:
    """Returns the fields of /proc/PID/status."""
    return dict(re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M))


def has_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a stopped process has this signal pending."""
    return bool(int(status_of(pid)["ShdPnd"], 16) >> (number - 1) & 1)


def is_clean(gateway: Program) -> bool:
    output = gateway.output()
    levels = ('"level": "error"', '"level": "critical"')
    return not any(word in output for word in ("Traceback", "Exception", *levels))


def test_streams_may_finish_within_the_drain_timeout(mock_url: str) -> None:
    with start_gateway(mock_url, drain_timeout_s=15) as gateway:
        body = request_body("no-reasoning@tps=60", "Explain streaming APIs", max_tokens=120)
        with ask(gateway.url, {**body, "gateway": {"format": "events"}}) as stream:
            stream.read_until(lambda frame: frame.event == "final_output_delta")
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(refuses(gateway.url))
            assert not any(frame.event == "done" for frame in stream.frames)
            result = parse_stream("events", stream.read_all())
        assert (result.error, result.finish_reason) == (None, "length")
        assert gateway.process.wait(60) == 0
        assert is_clean(gateway), gateway.output()


def test_streams_that_outlast_the_drain_end_in_a_failure(mock_url: str) -> None:
    """Each format has its own failure, after all text so far."""
    with start_gateway(mock_url, drain_timeout_s=1) as gateway:
        body = request_body("default@tps=5", gateway={"reasoning": "raw"})
        streams = []
        contexts = []
        try:
            for format in FORMATS:
                options = {"gateway": {"format": format, "reasoning": "raw"}}
                context = ask(gateway.url, {**body, **options})
                contexts.append(context)
                streams.append(context.__enter__())
            for format, stream in zip(FORMATS, streams, strict=True):
                if format != "plain":
                    stream.read_until(lambda frame: "should" in frame.data)
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            for format, stream in zip(FORMATS, streams, strict=True):
                result = parse_stream(format, stream.read_all(), "raw")
                assert result.error is not None
                assert result.error["code"] == (503 if format == "plain" else "gateway_draining")
            assert 0.8 < time.monotonic() - began < allowed(4)
        finally:
            for context in contexts:
                context.__exit__(None, None, None)
        assert gateway.process.wait(60) == 0
        assert is_clean(gateway), gateway.output()


@pytest.mark.parametrize("stream", [True, False])
def test_responses_that_have_not_begun_become_503(mock_url: str, stream: bool) -> None:
    with start_gateway(mock_url, drain_timeout_s=0.5) as gateway:
        body = request_body("slow-start@delay=20", stream=stream, gateway={"format": "openai"})
        client = send(gateway.url, body, "waits")
        with client:
            wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 1)
            gateway.process.send_signal(signal.SIGTERM)
            received = b""
            while data := client.recv(65536):
                received += data
        assert received.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: " in received
        assert b"gateway_draining" in received
        assert gateway.process.wait(60) == 0


def test_a_gateway_without_connections_stops_at_once(mock_url: str) -> None:
    def seconds_to_end() -> float:
        with start_gateway(mock_url) as gateway:
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(60) == 0
            return time.monotonic() - began

    taken = [seconds_to_end() for _ in range(3)]
    assert max(taken) < allowed(3)
    assert min(taken) < allowed(1)


def test_sigterm_during_the_start_is_not_lost(mock_url: str) -> None:
    """The worker was forked, but has not installed its signal handlers."""
    for _ in range(3):
        with boot_gateway(mock_url) as gateway:
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(60) == 0


def test_idle_connections_do_not_delay_the_stop(mock_url: str) -> None:
    """Browsers and SDKs keep connections open between requests."""
    with start_gateway(mock_url) as gateway, requests.Session() as session:
        assert session.get(f"{gateway.url}/health", timeout=60).status_code == 200
        with within(4):
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(60) == 0


def test_ready_says_draining_on_a_keep_alive_connection(mock_url: str) -> None:
    with start_gateway(mock_url, drain_timeout_s=60) as gateway, requests.Session() as session:
        session.get(f"{gateway.url}/health", timeout=60)
        body = request_body("silent@tps=0", gateway={"format": "events"})
        with ask(gateway.url, body) as stream:
            next(iter(stream))
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(refuses(gateway.url))
            answer = session.get(f"{gateway.url}/ready", timeout=60)
            assert (answer.status_code, answer.json()["status"]) == (503, "draining")


@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGINT],
        [signal.SIGQUIT],
        [signal.SIGTERM, signal.SIGTERM],
        [signal.SIGTERM, signal.SIGINT],
        [signal.SIGTERM, signal.SIGQUIT],
    ],
    ids=lambda signals: " ".join(number.name for number in signals),
)
def test_a_second_signal_stops_the_drain(mock_url: str, signals: list[signal.Signals]) -> None:
    """Open streams still get a failure. SIGINT and SIGQUIT do the same at once."""
    with start_gateway(mock_url, drain_timeout_s=60) as gateway:
        body = request_body("silent@tps=0", gateway={"format": "events"})
        with ask(gateway.url, body) as stream:
            next(iter(stream))
            worker = worker_of(gateway)
            first, *second = signals
            gateway.process.send_signal(first)
            wait_until(refuses(gateway.url))
            for number in second:
                assert gateway.process.poll() is None
                gateway.process.send_signal(number)
            assert gateway.process.wait(60) is not None
            wait_until(gone(worker))
            error = parse_stream("events", stream.read_all()).error
        assert error is not None
        assert error["code"] == "gateway_draining"
        assert is_clean(gateway), gateway.output()


def test_workers_exit_when_the_master_is_killed(mock_url: str) -> None:
    with start_gateway(mock_url, drain_timeout_s=60) as gateway:
        worker = worker_of(gateway)
        body = request_body("silent@tps=0", gateway={"format": "events"})
        with ask(gateway.url, body) as stream:
            next(iter(stream))
            gateway.process.kill()
            gateway.process.wait()
            wait_until(gone(worker))
    assert refuses(gateway.url)()


def test_requests_sent_before_the_stop_are_served(mock_url: str) -> None:
    """On a keep-alive connection, and on a connection in the accept queue."""
    body = request_body("default@tps=0", gateway={"format": "events"})
    with start_gateway(mock_url) as gateway:
        kept = send(gateway.url, body, "first")
        with kept:
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += kept.recv(65536)
            worker = worker_of(gateway)
            os.kill(worker, signal.SIGSTOP)
            wait_until(lambda: status_of(worker)["State"].startswith("T"))
            queued = send(gateway.url, body, "queued")
            with queued:
                gateway.process.send_signal(signal.SIGTERM)
                wait_until(lambda: has_pending(worker, signal.SIGTERM))
                kept.sendall(request_bytes(gateway.url, body, "kept"))
                os.kill(worker, signal.SIGCONT)
                for client in (kept, queued):
                    received = b"".join(iter(lambda client=client: client.recv(65536), b""))
                    assert received.startswith(b"HTTP/1.1 200 ")
                    assert b"event: done" in received
        assert gateway.process.wait(60) == 0
        assert is_clean(gateway), gateway.output()
