"""Several real upstreams: dead, silent, full, broken, unhealthy, recovered."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.routing.pool import LAST_RESORT_CALLS
from tests.live.test_leaving import send
from tests.live.upstream import (
    CHUNKED,
    CLOSE_DELIMITED,
    DONE,
    FINISH,
    RESET,
    Upstream,
    chunked,
    frame,
    say,
)
from tests.live.wire import (
    FORMATS,
    ask,
    get_json,
    in_parallel,
    logged_turn,
    parse_stream,
    request_body,
    wait_until,
)
from tests.machine import within
from tests.programs import Program, start_gateway

GOOD = (CHUNKED, *chunked([*say("<think>\nA greeting.\n</think>\n\n", "Hi!"), FINISH, DONE]))
EVENTS = {"gateway": {"format": "events"}}


def table(name: str, url: str, **settings: object) -> str:
    """An [[upstreams]] table."""
    lines = [f"{key} = {value!r}" for key, value in {"name": name, "url": url, **settings}.items()]
    return "\n".join(["[[upstreams]]", *lines, ""])


@contextmanager
def gateway_with(tmp_path: Path, *tables: str, **settings: object) -> Iterator[Program]:
    """A gateway in front of these upstreams."""
    file = tmp_path / "gateway.toml"
    file.write_text("\n".join(tables))
    with start_gateway("http://127.0.0.1:9", gateway_config=file, **settings) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


@pytest.fixture
def first() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def second() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


def dead_url() -> str:
    """An address at which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def status_of(gateway: Program, name: str) -> dict[str, Any]:
    upstreams = get_json(f"{gateway.url}/health")["upstreams"]
    return next(upstream for upstream in upstreams if upstream["name"] == name)


def error_of(gateway: Program, model: str = "m") -> tuple[int, str, str | None]:
    """Status, code and Retry-After of an answer that is an error."""
    body = request_body(model, stream=False)
    with ask(gateway.url, body) as stream:
        error = json.loads(stream.response.read())["error"]
        return stream.status, error["code"], stream.headers["Retry-After"]


# --- Failover -------------------------------------------------------------------------------------


def test_clients_do_not_notice_a_dead_upstream(tmp_path: Path, second: Upstream) -> None:
    second.set_script("m", *GOOD)
    tables = table("dead", dead_url()), table("good", second.url, priority=2)
    with gateway_with(tmp_path, *tables, breaker_failures=1000) as gateway:

        def check(format: str) -> None:
            body = request_body("m", gateway={"format": format})
            with ask(gateway.url, body, request_id=format) as stream:
                said = parse_stream(format, stream.read_all())
            assert (said.answer, said.error) == ("Hi!", None)
            turn = logged_turn(gateway, format)
            assert (turn["upstream"], turn["attempts"]) == ("good", 2)
            assert turn["given_up"] == {"dead": "upstream_unreachable"}

        in_parallel(check)


ROLE = chunked([frame({"role": "assistant"})], end=False)
SILENCES = {
    "nothing": [threading.Event()],
    "a status line and no more": [b"HTTP/1.1 200 OK\r\n", threading.Event()],
    "a head and nothing of the answer": [CHUNKED, threading.Event()],
    "a role and no word": [CHUNKED, *ROLE, threading.Event()],
}


BROKEN = {
    "reset at once": [RESET],
    "reset after the head": [CHUNKED, RESET],
    "reset in a chunk": [CHUNKED, b"5\r\nda", RESET],
}


def test_failover_from_silent_and_broken_upstreams(
    tmp_path: Path, first: Upstream, second: Upstream
) -> None:
    limits = {"first_byte_timeout_s": 1.5, "idle_timeout_s": 1.5}
    tables = table("bad", first.url, **limits), table("good", second.url, priority=2)
    with gateway_with(tmp_path, *tables, breaker_failures=100) as gateway:

        def check(model: str) -> None:
            first.set_script(model, *(SILENCES | BROKEN)[model])
            second.set_script(model, *GOOD)
            request_id = model.replace(" ", "-")
            with ask(gateway.url, request_body(model, **EVENTS), request_id=request_id) as stream:
                assert parse_stream("events", stream.read_all()).answer == "Hi!"
            code = logged_turn(gateway, request_id)["given_up"]["bad"]
            assert code.endswith("timeout") is (model in SILENCES)

        in_parallel(check, SILENCES | BROKEN)


def test_no_failover_after_a_complete_answer(
    tmp_path: Path, first: Upstream, second: Upstream
) -> None:
    """Even if it was empty and the connection broke off after its end."""
    first.set_script("empty", CHUNKED + b"".join(chunked([FINISH, DONE], end=False)) + b"zz\r\n")
    first.set_script("next", RESET)
    for model in ("empty", "next"):
        second.set_script(model, *GOOD)
    with gateway_with(
        tmp_path, table("a", first.url), table("b", second.url, priority=2)
    ) as gateway:
        with ask(gateway.url, request_body("empty", **EVENTS), request_id="empty") as stream:
            assert parse_stream("events", stream.read_all()).answer == ""
        with ask(gateway.url, request_body("next", **EVENTS)) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi!"
    assert [seen.body["model"] for seen in second.requests] == ["next"]


def test_full_upstreams_are_skipped(tmp_path: Path, first: Upstream, second: Upstream) -> None:
    hold = threading.Event()
    held = (CHUNKED, *chunked(say("Hi!"), end=False), hold, *chunked([FINISH, DONE]))
    first.set_script("m", *held)
    second.set_script("m", *held)
    tables = (
        table("small", first.url, max_streams=2),
        table("large", second.url, max_streams=3, priority=2),
    )
    body = request_body("m", **EVENTS)
    with gateway_with(tmp_path, *tables) as gateway:
        clients = [send(gateway.url, body, f"r{n}") for n in range(5)]
        try:
            wait_until(lambda: (len(first.requests), len(second.requests)) == (2, 3))
            assert error_of(gateway) == (503, "upstreams_full", "1")
            assert status_of(gateway, "small")["open_streams"] == 2
        finally:
            for client in clients:
                client.close()
        wait_until(lambda: status_of(gateway, "large")["open_streams"] == 0)
        hold.set()
        with ask(gateway.url, body) as stream:
            assert parse_stream("events", stream.read_all()).error is None


# --- The breaker ----------------------------------------------------------------------------------


def test_the_only_upstream_is_tried_while_its_breaker_is_open(
    tmp_path: Path, first: Upstream
) -> None:
    """By a few calls at once: the others are told at once that there is no upstream."""
    hold = threading.Event()
    bad = (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",)
    first.set_scripts("m", bad, bad, bad, *[(hold, *GOOD)] * LAST_RESORT_CALLS, GOOD)
    settings = {"breaker_failures": 3, "breaker_open_s": 60}
    with gateway_with(tmp_path, table("a", first.url), **settings) as gateway, ExitStack() as stack:
        for _ in range(3):
            assert error_of(gateway)[:2] == (502, "upstream_refused")
        assert status_of(gateway, "a")["breaker"] == "open"
        body = request_body("m", stream=False)
        tries = [
            stack.enter_context(send(gateway.url, body, f"try {number}"))
            for number in range(LAST_RESORT_CALLS)
        ]
        wait_until(lambda: len(first.requests) == 3 + LAST_RESORT_CALLS)
        with within(0.5):
            status, code, retry_after = error_of(gateway)
        assert (status, code) == (503, "no_upstream")
        assert int(retry_after or 0) > 0
        assert len(first.requests) == 3 + LAST_RESORT_CALLS
        hold.set()
        for tried in tries:
            assert tried.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert status_of(gateway, "a")["breaker"] == "closed"
        with ask(gateway.url, request_body("m", **EVENTS)) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi!"


def test_streams_that_break_off_count_as_failures(tmp_path: Path, first: Upstream) -> None:
    first.set_script("m", CLOSE_DELIMITED, *say("Hi", " th"))
    with gateway_with(tmp_path, table("a", first.url), breaker_failures=4) as gateway:
        for format in FORMATS:
            with ask(gateway.url, request_body("m", gateway={"format": format})) as stream:
                assert parse_stream(format, stream.read_all()).error is not None
        assert status_of(gateway, "a")["breaker"] == "open"


def test_clients_that_leave_do_not_count_as_failures(tmp_path: Path, first: Upstream) -> None:
    """Before the answer, within it, and while their request is the trial."""
    bad = (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",)
    first.set_script("before", threading.Event())
    first.set_script("within", CHUNKED, *chunked(say("Hi"), end=False), threading.Event())
    first.set_scripts("m", bad, (threading.Event(),), GOOD)
    settings = {"breaker_failures": 1, "breaker_open_s": 2}
    with gateway_with(tmp_path, table("a", first.url), **settings) as gateway:

        def leave(model: str, seen: int) -> None:
            with send(gateway.url, request_body(model, **EVENTS), model):
                wait_until(lambda: len(first.requests) == seen)
            wait_until(lambda: status_of(gateway, "a")["open_streams"] == 0)

        for seen, model in enumerate(["before", "within"] * 3, 1):
            leave(model, seen)
            assert status_of(gateway, "a")["breaker"] == "closed"
        assert error_of(gateway)[0] == 502
        wait_until(lambda: status_of(gateway, "a")["breaker"] == "half_open")
        leave("m", 8)
        assert status_of(gateway, "a")["breaker"] == "half_open"
        with ask(gateway.url, request_body("m", **EVENTS)) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi!"
        assert status_of(gateway, "a")["breaker"] == "closed"


# --- Health checks --------------------------------------------------------------------------------


class HealthServer(ThreadingHTTPServer):
    """A server with a health path; `status` None: it does not answer in time."""

    status: int | None = 200
    asked = 0


class Answer(BaseHTTPRequestHandler):
    server: HealthServer

    def do_GET(self) -> None:
        assert self.path == "/healthy?yes"
        self.server.asked += 1
        if self.server.status is None:
            time.sleep(1.5)
        self.send_response(self.server.status or 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        with suppress(OSError):  # the gateway has not waited
            self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def health() -> Iterator[HealthServer]:
    with HealthServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def test_a_health_check_finds_an_unhealthy_upstream_before_a_request_does(
    tmp_path: Path, health: HealthServer, second: Upstream
) -> None:
    second.set_script("m", *GOOD)
    url = f"http://127.0.0.1:{health.server_address[1]}/v1"
    tables = (
        table("unhealthy", url, health_path="/healthy?yes"),
        table("good", second.url, priority=2, models=["m"]),
    )
    with gateway_with(tmp_path, *tables, health_interval_s=0.3) as gateway:
        wait_until(lambda: health.asked > 1)
        assert status_of(gateway, "unhealthy")["healthy"]
        for status in (503, None):
            health.status = status
            wait_until(lambda: not status_of(gateway, "unhealthy")["healthy"])
            with ask(gateway.url, request_body("m", **EVENTS), request_id=f"{status}") as stream:
                assert parse_stream("events", stream.read_all()).answer == "Hi!"
            assert logged_turn(gateway, f"{status}")["attempts"] == 1
            assert error_of(gateway, "other")[:2] == (503, "no_upstream")
            health.status = 200
            wait_until(lambda: status_of(gateway, "unhealthy")["healthy"])
        assert '"event": "upstream is unhealthy"' in gateway.output()
        assert '"event": "upstream is healthy again"' in gateway.output()


# --- Keys -----------------------------------------------------------------------------------------


def test_keys_are_never_shown(tmp_path: Path, first: Upstream, second: Upstream) -> None:
    """Upstreams repeat the keys that they were sent, in every place where an error can be."""
    echo = b'{"error":{"message":"You sent Bearer sk-first-0 and sk-other-1","code":"sk-first-0"}}'
    head = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(echo)
    places = {
        "400": (b"HTTP/1.1 400 No\r\n" + head + echo,),
        "500": (b"HTTP/1.1 500 No\r\n" + head + echo,),
        "body": (b"HTTP/1.1 200 OK\r\n" + head + echo,),
        "frame": (CHUNKED, *chunked([b"data: " + echo + b"\n\n"])),
        "later": (CHUNKED, *chunked([*say("Hi"), b"data: " + echo + b"\n\n"])),
    }
    tables = (
        table("a", first.url, api_key_env="FIRST_KEY"),
        table("b", second.url, api_key_env="OTHER_KEY", models=["x"]),
    )
    keys = {"first_key": "sk-first-0", "other_key": "sk-other-1"}
    with gateway_with(
        tmp_path, *tables, breaker_failures=100, log_level="debug", **keys
    ) as gateway:
        for place, script in places.items():
            first.set_script(place, *script)
            for format in FORMATS:
                body = request_body(place, gateway={"format": format})
                with ask(gateway.url, body) as stream:
                    said = stream.response.read()
                assert b"You sent Bearer" in said
                assert b"sk-" not in said
        for path in ("health", "metrics", "v1/models"):
            with ask(gateway.url, {}, path=f"/{path}") as stream:
                assert b"sk-" not in stream.response.read()
        assert "authorization: bearer sk-first-0" in first.requests[0].head.lower()
        assert "sk-" not in gateway.output()
