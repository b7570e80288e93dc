"""Heartbeats in silent streams, time limits, and clients that do not read."""

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.live.test_leaving import send
from tests.live.upstream import (
    CHUNKED,
    CLOSE_DELIMITED,
    DONE,
    FINISH,
    Upstream,
    as_json,
    chunked,
    say,
)
from tests.live.wire import (
    FORMATS,
    Frame,
    ask,
    get_json,
    in_parallel,
    logged_turn,
    parse_stream,
    request_body,
    wait_until,
)
from tests.machine import allowed
from tests.programs import DRIVERS, Program, resident_mb, start_gateway


@pytest.fixture(scope="module")
def quick_heartbeats(mock_url: str) -> Iterator[Program]:
    with start_gateway(mock_url, heartbeat_s=0.5) as gateway:
        yield gateway


def is_heartbeat(format: str, frame: Frame) -> bool:
    if format == "events":
        return frame.event == "heartbeat"
    return frame[:2] == (":", "ping")


def longest_gap_s(frames: list[Frame]) -> float:
    return max(b.at_s - a.at_s for a, b in itertools.pairwise(frames))


def test_silent_streams_get_heartbeats(quick_heartbeats: Program) -> None:
    """In the middle of the reasoning, in each format."""

    def check(format: str) -> None:
        body = request_body("silent@tps=0,silence=2", gateway={"format": format})
        with ask(quick_heartbeats.url, body) as stream:
            beats = [f for f in stream if is_heartbeat(format, f)]
            said = parse_stream(format, stream.frames)
        assert said.error is None
        assert 1 <= len(beats) <= 6
        assert longest_gap_s(stream.frames) < allowed(0.8)
        if format == "events":
            elapsed = [beat.json["elapsed_ms"] for beat in beats]
            assert elapsed == sorted(elapsed)
            assert elapsed[0] >= 100

    in_parallel(check)


def test_heartbeats_before_the_upstream_answers(quick_heartbeats: Program) -> None:
    def check(format: str) -> None:
        body = request_body("slow-start@delay=2,tps=0", gateway={"format": format})
        with ask(quick_heartbeats.url, body) as stream:
            beats = [f for f in stream if is_heartbeat(format, f)]
            assert parse_stream(format, stream.frames).error is None
        assert 1 <= len(beats) <= 6
        assert longest_gap_s(stream.frames) < allowed(0.8)

    in_parallel(check, ["phased", "events", "plain"])


def test_a_flowing_stream_gets_no_heartbeats(quick_heartbeats: Program) -> None:
    body = request_body("no-reasoning@tps=40", "Explain streaming APIs", max_tokens=30)
    with ask(quick_heartbeats.url, {**body, "gateway": {"format": "events"}}) as stream:
        stream.read_all()
    assert not [f for f in stream.frames if f.event == "heartbeat"]


def test_hidden_reasoning_gets_heartbeats(quick_heartbeats: Program) -> None:
    """To a proxy, a model whose reasoning is not shown looks silent."""
    body = request_body("long-thinking@tps=300", gateway={"format": "plain"})
    with ask(quick_heartbeats.url, body) as stream:
        frames = stream.read_all()
    first_word = next(f.at_s for f in frames if f.event != ":")
    assert first_word > 1
    assert longest_gap_s([f for f in frames if f.at_s <= first_word]) < allowed(0.8)


# --- Limits ---------------------------------------------------------------------------------------

LIMITS = {
    "first_byte_timeout_s": ("slow-start@delay=20", "upstream_first_byte_timeout"),
    "idle_timeout_s": ("silent@tps=0", "upstream_idle_timeout"),
    "total_timeout_s": ("no-reasoning@tps=5", "upstream_total_timeout"),
}


def test_each_time_limit_has_its_own_error(mock_url: str) -> None:
    """In the stream if it has begun, else as a 504."""
    in_parallel(lambda limit: check_limit(mock_url, limit), LIMITS)


def check_limit(mock_url: str, limit: str) -> None:
    model, code = LIMITS[limit]

    def check(format: str) -> None:
        streamed = format != "non-streamed"
        options = {"gateway": {"format": format}} if streamed else {}
        body = request_body(model, "Explain streaming APIs", stream=streamed, **options)
        with ask(gateway.url, body, request_id=f"limit-{format}") as stream:
            waits = format == "openai" and limit == "first_byte_timeout_s"
            if waits or not streamed:
                assert stream.status == 504
                error = json.loads(stream.response.read())["error"]
            else:
                assert stream.status == 200
                error = parse_stream(format, stream.read_all()).error
            took_s = time.monotonic() - stream.began
        assert error["code"] == (504 if format == "plain" else code)
        assert error["message"].endswith(".")
        assert 0.5 < took_s < allowed(2)

    with start_gateway(mock_url, **{limit: 0.6}) as gateway:
        in_parallel(check, [*FORMATS, "non-streamed"])
        for format in (*FORMATS, "non-streamed"):
            assert logged_turn(gateway, f"limit-{format}")["blame"] == "upstream"
        assert get_json(f"{gateway.url}/health")["open_streams"] == 0
        assert "Traceback" not in gateway.output()


def test_text_before_a_time_limit_is_delivered(mock_url: str) -> None:
    with start_gateway(mock_url, total_timeout_s=0.7) as gateway:
        body = request_body("no-reasoning@tps=20", gateway={"format": "events"}, mock={"repeat": 9})
        with ask(gateway.url, body) as stream:
            said = parse_stream("events", stream.read_all())
    assert said.answer.startswith("Hi! Nice to meet you.")
    assert said.error is not None


def test_an_upstream_that_accepts_no_connection_is_a_connect_timeout() -> None:
    """A listener whose backlog is full drops new connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            url = f"http://127.0.0.1:{address[1]}"
            with (
                start_gateway(url, connect_timeout_s=0.5) as gateway,
                ask(gateway.url, request_body(gateway={"format": "events"})) as stream,
            ):
                said = parse_stream("events", stream.read_all())
        finally:
            for one in waiting:
                one.close()
    assert said.error is not None
    assert said.error["code"] == "upstream_connect_timeout"
    assert stream.frames[-1].at_s < allowed(3)


def test_a_slow_reader_does_not_use_up_the_idle_timeout() -> None:
    """The upstream is idle when it sends nothing, not when the client is slow."""
    text = "0123456789" * 10_000
    with Upstream() as upstream, start_gateway(upstream.url, idle_timeout_s=1) as gateway:
        script = [CHUNKED, *chunked([*say(*[text] * 100), FINISH, DONE])]
        body = request_body(upstream.set_script("large", *script), gateway={"format": "events"})
        with ask(gateway.url, body) as stream:
            stream.read_until(lambda frame: frame.event == "final_output_delta")
            time.sleep(2)  # the reader's pause is what is tested
            said = parse_stream("events", stream.read_all())
    assert said.error is None
    assert said.answer == text * 100


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("limit", ["first_byte_timeout_s", "idle_timeout_s"])
def test_an_upstream_is_not_blamed_while_the_worker_is_stopped(limit: str, driver: str) -> None:
    """Data that arrived in the meantime counts, although the worker reads it too late."""
    gate = threading.Event()
    first, rest = chunked(say("one "), end=False), chunked([*say("two"), FINISH, DONE])
    script = (gate, CHUNKED, *first, *rest) if "first" in limit else (CHUNKED, *first, gate, *rest)
    settings = {limit: 1.5, "relay_driver": driver}
    with Upstream() as upstream, start_gateway(upstream.url, **settings) as gateway:
        worker = int(gateway.wait_for(r"Booting worker with pid: (\d+)"))
        body = request_body(upstream.set_script("late", *script), gateway={"format": "events"})
        with ask(gateway.url, body) as stream:
            said_first = "prompt_summary" if "first" in limit else "final_output_delta"
            stream.read_until(lambda frame: frame.event == said_first)
            wait_until(lambda: upstream.requests_for("late"))
            os.kill(worker, signal.SIGSTOP)
            gate.set()
            time.sleep(2.5)  # longer than the limit, while the worker stands still
            os.kill(worker, signal.SIGCONT)
            said = parse_stream("events", stream.read_all())
    assert (said.answer, said.error) == ("one two", None)


# --- Clients that do not read ---------------------------------------------------------------------


def lazy(url: str, model: str, request_id: str) -> socket.socket:
    """A client that sends a request and never reads."""
    return send(url, request_body(model, gateway={"format": "events"}), request_id)


@pytest.mark.parametrize("head", [CHUNKED, CLOSE_DELIMITED], ids=["chunked", "close"])
def test_a_slow_long_frame_is_not_idle(head: bytes) -> None:
    """Each piece resets the idle timeout, although none completes a line."""
    body = b"".join([*say("x" * 3000), FINISH, DONE])
    pieces = say("It is: ") + [body[at : at + 400] for at in range(0, len(body), 400)]
    gates = [threading.Event() for _ in pieces]
    sent = chunked(pieces, end=False) if head is CHUNKED else pieces
    script = itertools.chain.from_iterable(zip(gates, sent, strict=True))
    with Upstream() as upstream, start_gateway(upstream.url, idle_timeout_s=2) as gateway:
        upstream.set_script("slow", head, *script)
        threading.Thread(target=open_slowly, args=(gates, 0.3), daemon=True).start()
        with ask(gateway.url, request_body("slow", gateway={"format": "events"})) as stream:
            said = parse_stream("events", stream.read_all())
    assert said.error is None
    assert said.answer == "It is: " + "x" * 3000


def open_slowly(gates: list[threading.Event], pause_s: float) -> None:
    for gate in gates:
        time.sleep(pause_s)
        gate.set()


def test_a_client_that_does_not_read_is_disconnected_while_others_are_served() -> None:
    large = [CHUNKED, *chunked([*say(*["0123456789" * 5_000] * 400), FINISH, DONE])]
    small = [CHUNKED, *chunked([*say("hello"), FINISH, DONE])]
    with Upstream() as upstream, start_gateway(upstream.url, stall_timeout_s=1) as gateway:
        upstream.set_script("large", *large)
        upstream.set_script("small", *small)
        clients = [lazy(gateway.url, "large", f"lazy-{n}") for n in range(4)]
        try:
            wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 4)
            began = time.monotonic()
            served = 0
            while get_json(f"{gateway.url}/health")["open_streams"] > 0:
                with ask(gateway.url, request_body("small", gateway={"format": "events"})) as s:
                    assert parse_stream("events", s.read_all()).answer == "hello"
                    assert s.frames[-1].at_s < allowed(0.3)
                served += 1
                assert time.monotonic() - began < allowed(4)
            assert time.monotonic() - began > 0.5
            assert served
            for number in range(4):
                turn = logged_turn(gateway, f"lazy-{number}")
                ending = (turn["end"], turn["code"], turn["blame"])
                assert ending == ("left", "client_stalled", "client")
            text = requests.get(f"{gateway.url}/metrics", timeout=60).text
            assert 'gateway_turn_errors_total{code="client_stalled"} 4.0' in text
        finally:
            for client in clients:
                client.close()
        assert "Traceback" not in gateway.output()
        assert '"level": "error"' not in gateway.output()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_client_that_does_not_read_the_last_write_is_disconnected(driver: str) -> None:
    """The whole answer is one write."""
    message = {"role": "assistant", "content": "0123456789" * 1_200_000}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    settings = {"stall_timeout_s": 1, "relay_driver": driver}
    with Upstream() as upstream, start_gateway(upstream.url, **settings) as gateway:
        upstream.set_script("whole", as_json("200 OK", whole))
        with lazy(gateway.url, "whole", "lazy"):
            turn = logged_turn(gateway, "lazy")
        assert (turn["end"], turn["code"], turn["blame"]) == ("left", "client_stalled", "client")


@pytest.mark.parametrize("driver", DRIVERS)
def test_clients_that_do_not_read_cause_back_pressure(driver: str) -> None:
    """Memory does not grow by what clients leave unread: eight times 30 MB here."""
    piece = chunked(say("0123456789" * 10_000), end=False)[0]
    settings = {"stall_timeout_s": 30, "relay_driver": driver}
    with Upstream() as upstream, start_gateway(upstream.url, **settings) as gateway:
        upstream.set_script("endless", CHUNKED, *[piece] * 300)
        worker = int(gateway.wait_for(r"Booting worker with pid: (\d+)"))
        with ask(gateway.url, request_body("endless", gateway={"format": "plain"})) as warm_up:
            warm_up.read_until(lambda frame: frame.event != ":")
        wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)
        before = resident_mb(worker)
        clients = [lazy(gateway.url, "endless", f"held-{n}") for n in range(8)]
        try:
            wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 8)
            time.sleep(1)  # in which memory could grow
            assert get_json(f"{gateway.url}/health")["open_streams"] == 8
            assert resident_mb(worker) - before < 40
            assert resident_mb(worker) < 160
        finally:
            for client in clients:
                client.close()


def test_a_client_that_reads_slowly_is_not_disconnected() -> None:
    """One large frame takes longer than the stall timeout, but the client reads all the time."""
    text = "0123456789" * 400_000
    with Upstream() as upstream, start_gateway(upstream.url, stall_timeout_s=1.5) as gateway:
        upstream.set_script("one frame", CHUNKED, *chunked([*say(text), FINISH, DONE]))
        body = request_body("one frame", gateway={"format": "events"})
        client = send(gateway.url, body, "slow")
        with client:
            received = 0
            end = b""
            while not end.endswith(b"0\r\n\r\n"):
                data = client.recv(40_000)
                assert data, "the gateway has disconnected a client that reads"
                received += len(data)
                end = (end + data)[-100:]
                time.sleep(0.02)  # 2 MB a second
        assert received > len(text)
        assert logged_turn(gateway, "slow")["end"] == "done"
