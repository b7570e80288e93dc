"""Two gateways that share a Redis server: what one of them keeps, the other one reads.

Each gateway is a host of its own: its workers know nothing of the other's sockets.
"""

import http.client
import json
import os
import random
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme

from gateway.mock.frames import split_tokens
from gateway.mock.replies import long_reply
from tests.live.proxies import free_port
from tests.live.test_resuming import PROMPT, kept, kept_streams, numbers, read
from tests.live.wire import FORMATS, ask, get_json, parse_frame, parse_stream, wait_until
from tests.machine import PATIENCE_S, allowed
from tests.programs import Program, start_gateway, workers_of
from tests.redis_server import RedisServer, needs_redis

pytestmark = needs_redis

LONG = "long-thinking@tps=150"
JUMP = 1_000_000
"""What the number of a lost stream's failure is higher by."""


class Hosts(NamedTuple):
    """Two hosts with a worker each, and their store."""

    one: Program
    other: Program
    redis: RedisServer


@pytest.fixture(scope="module")
def hosts(mock_url: str) -> Iterator[Hosts]:
    with (
        RedisServer() as redis,
        start_gateway(mock_url, stream_store=redis.url) as one,
        start_gateway(mock_url, stream_store=redis.url) as other,
    ):
        yield Hosts(one, other, redis)


def call(url: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Sends a request; returns the status, and the JSON of the answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def begin(url: str, model: str = LONG, gateway: dict[str, Any] | None = None) -> str:
    """Begins a kept turn and leaves it after its first bytes; returns the stream's id."""
    body = kept("events", model)
    body["gateway"] |= gateway or {}
    with ask(url, body) as stream:
        stream.response.read(20)
        return str(stream.headers["X-Stream-Id"])


def store_of(gateway: Program) -> str:
    """What a gateway says of its store."""
    view = get_json(f"{gateway.url}/health")["workers"][0]
    return str(view.get("stream_store"))


class Readers:
    """Reads streams in threads, each to its end."""

    def __init__(self) -> None:
        self._results: list[bytes] = []
        self._threads: list[threading.Thread] = []

    def add(self, url: str, id: str) -> None:
        """Returns when the reading has begun."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        connection.request("GET", f"/v1/streams/{id}", headers={"Connection": "close"})
        response = connection.getresponse()
        assert response.status == 200
        thread = threading.Thread(target=lambda: self._results.append(response.read()))
        thread.start()
        self._threads.append(thread)

    def join(self) -> list[bytes]:
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a reader was never told the end"
        assert len(self._results) == len(self._threads)
        return self._results


def check_whole(data: bytes) -> None:
    """The reader has every event once, in order, to a good end."""
    assert numbers(data) == [*range(1, numbers(data)[-1] + 1)]
    assert data.count(b"event: done") == 1
    assert b"event: failed" not in data


def check_lost(data: bytes) -> None:
    """The reader has the first events, each once and in order, and one failure."""
    *had, last = numbers(data)
    assert had == [*range(1, len(had) + 1)]
    assert last == len(had) + 1 + JUMP
    assert data.count(b"event: failed") == 1
    assert b'"stream_lost"' in data


# --- While all is well ----------------------------------------------------------------------------


def test_another_host_reads_what_follows_any_event_in_any_format(hosts: Hosts) -> None:
    body = kept("events", "default@tps=300")
    body["gateway"]["reasoning"] = "both"
    with ask(hosts.one.url, body) as stream:
        own = stream.read_all()
        id = stream.headers["X-Stream-Id"]
    whole = {
        format: get(hosts.other.url, f"/v1/streams/{id}?format={format}") for format in FORMATS
    }
    assert whole["events"] == read(hosts.one.url, id)[1]
    text = parse_stream("events", own, "both").answer
    chance = random.Random(7)
    last = numbers(whole["events"])[-1]
    for format in FORMATS:
        frames = [parse_frame(block, 0) for block in whole[format].split(b"\n\n")[:-1]]
        assert parse_stream(format, frames, "both").answer == text
        for after in [0, 1, last - 1, last, *chance.sample(range(2, last), 12)]:
            rest = get(hosts.other.url, f"/v1/streams/{id}?format={format}&after={after}")
            assert whole[format].endswith(rest)
            if format == "events":
                assert numbers(rest) == [*range(after + 1, last + 1)]


def get(url: str, path: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        data = response.read()
        assert response.status == 200, data
        return data
    finally:
        connection.close()


def test_readers_at_both_hosts_come_and_go_and_get_every_event_once(hosts: Hosts) -> None:
    urls = (hosts.one.url, hosts.other.url)
    problems: list[str] = []

    def follow(seed: int) -> None:
        chance = random.Random(seed)
        id = begin(chance.choice(urls), "default@tps=300")
        found: list[int] = []
        for _ in range(chance.randrange(4)):
            status, part = read(
                chance.choice(urls), id, last_of(found), chance.randrange(300, 3000)
            )
            assert status == 200
            found += numbers(part)
        _, rest = read(chance.choice(urls), id, last_of(found))
        found += numbers(rest)
        check_whole(read(chance.choice(urls), id)[1])
        assert found == [*range(1, last_of(found) + 1)]

    def one(seed: int) -> None:
        try:
            follow(seed)
        except Exception as error:
            problems.append(f"{seed}: {error!r}")

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def last_of(found: list[int]) -> int:
    return found[-1] if found else 0


def test_another_host_stops_a_turn_and_ends_its_thinking(hosts: Hosts) -> None:
    id = begin(hosts.one.url)
    readers = Readers()
    for host in hosts[:2]:
        readers.add(host.url, id)
    assert call(hosts.other.url, "POST", f"/v1/streams/{id}/answer")[0] == 202
    assert call(hosts.other.url, "DELETE", f"/v1/streams/{id}") == (
        200,
        {"id": id, "object": "stream", "status": "stopped"},
    )
    for data in readers.join():
        assert data.count(b'"code":"cancelled"') == 1
    assert call(hosts.other.url, "DELETE", f"/v1/streams/{id}")[1]["status"] == "forgotten"
    for host in hosts[:2]:
        assert call(host.url, "GET", f"/v1/streams/{id}")[0] == 404


def test_responses_at_another_host(hosts: Hosts) -> None:
    one, other = hosts.one.url, hosts.other.url
    asked = {"model": "default@tps=2000", "input": "What is streaming?"}
    answer = call(one, "POST", "/v1/responses", asked)[1]
    path = f"/v1/responses/{answer['id']}"
    again = call(other, "GET", path)[1]
    assert (again["status"], again["output"]) == ("completed", answer["output"])
    items = call(other, "GET", f"{path}/input_items")[1]["data"]
    assert items[0]["content"][0]["text"] == "What is streaming?"
    more = {"model": "default@tps=2000", "input": "And?", "previous_response_id": answer["id"]}
    assert call(other, "POST", "/v1/responses", more)[1]["status"] == "completed"

    queued = call(one, "POST", "/v1/responses", asked | {"model": LONG, "background": True})[1]
    path = f"/v1/responses/{queued['id']}"
    assert call(other, "GET", path)[1]["status"] == "in_progress"
    assert call(other, "DELETE", path)[0] == 400
    assert call(other, "POST", f"{path}/cancel")[1]["status"] == "cancelled"
    assert call(one, "GET", path)[1]["status"] == "cancelled"
    assert call(other, "DELETE", path)[1]["deleted"]
    assert call(one, "GET", path)[0] == 404
    unknown = call(other, "GET", path.replace("resp_", "resp_0000"))
    assert unknown[0] == 404


def test_a_turn_is_not_given_up_while_another_host_reads_it(hosts: Hosts, mock_url: str) -> None:
    timeout_s = min(allowed(1.5), 8)
    # The turn takes half as long again.
    tokens = sum(len(split_tokens(text)) for text in long_reply(PROMPT[0]["content"]))
    model = f"long-thinking@tps={tokens / timeout_s / 1.5:.2f}"
    settings = {"stream_store": hosts.redis.url, "detached_timeout_s": timeout_s}
    with start_gateway(mock_url, **settings) as host:
        readers = Readers()
        read_id = begin(host.url, model)
        readers.add(hosts.other.url, read_id)
        unread_id = begin(host.url, model)
        (data,) = readers.join()
        check_whole(data)
        assert b'"code":"abandoned"' in read(hosts.other.url, unread_id)[1]


# --- When Redis is away ---------------------------------------------------------------------------


def test_redis_is_killed_and_comes_back_empty(hosts: Hosts) -> None:
    one, other, redis = hosts
    ended = begin(one.url, "default@tps=2000")
    wait_until(lambda: b"event: done" in read(other.url, ended)[1])
    ids = [begin(one.url) for _ in range(4)]
    readers = Readers()
    for id in ids:
        for host in (one, other):
            readers.add(host.url, id)
    redis.kill()
    try:
        assert wait_until(lambda: store_of(one).startswith("away"), PATIENCE_S)
        status, refused = call(one.url, "POST", "/v1/chat/completions", kept("events"))
        assert (status, refused["error"]["code"]) == (503, "stream_store_away")
        metrics = get(one.url, "/metrics").decode()
        assert re.search(r"^gateway_stream_store_up 0", metrics, re.MULTILINE)
        assert call(other.url, "GET", f"/v1/streams/{ended}")[0] == 503
        check_whole(read(one.url, ended)[1])  # of its own
        with ask(one.url, kept("events") | {"gateway": {"format": "events"}}) as stream:
            assert parse_stream("events", stream.read_all()).error is None
    finally:
        redis.start()
    for data in readers.join():
        check_whole(data)
    assert wait_until(lambda: store_of(one) == "reached", PATIENCE_S)
    check_whole(read(other.url, ended)[1])
    assert wait_until(lambda: "gateway_stream_store_up 1" in get(one.url, "/metrics").decode())


# --- When a host is away --------------------------------------------------------------------------


def test_the_death_of_a_worker_is_told_once_and_what_it_said_stays(
    hosts: Hosts, mock_url: str
) -> None:
    """One worker is killed. Another one stands still, counts as dead, and goes on."""
    _, other, redis = hosts
    settings = {"stream_store": redis.url, "drain_timeout_s": 1}
    model = "long-thinking@tps=20"
    with (
        start_gateway(mock_url, **settings) as killed,
        start_gateway(mock_url, **settings) as still,
    ):
        # The trace has an event for each token, so that some are stored after a second.
        raw = {"reasoning": "raw"}
        ids = [begin(host.url, model, raw) for host in (killed, still) for _ in range(5)]
        body = kept("events", model)
        body["gateway"] |= raw
        with ask(still.url, body, timeout_s=PATIENCE_S) as own:
            own.response.read(20)
            ids.append(own.headers["X-Stream-Id"])
            readers = Readers()
            for id in ids:
                readers.add(other.url, id)
            for id in ids:
                read(other.url, id, limit=800)
            (worker,) = workers_of(still)
            try:
                os.kill(worker, signal.SIGSTOP)
                os.kill(workers_of(killed)[0], signal.SIGKILL)
                results = readers.join()
            finally:
                os.kill(worker, signal.SIGCONT)
            for data in results:
                check_lost(data)
            rest = own.response.read()
            assert rest.count(b'"stream_lost"') == 1
        for id in ids:
            data = read(other.url, id)[1]
            assert data in results
            last = numbers(data)[-1]
            # A client may have had events that were never stored. It is told the end, too.
            assert numbers(read(other.url, id, last - JUMP + 50)[1]) == [last]
            assert call(other.url, "DELETE", f"/v1/streams/{id}")[1]["status"] == "forgotten"
        assert wait_until(lambda: kept_streams(still) == 0, PATIENCE_S)


def test_a_stopped_host_lets_kept_turns_end_and_tells_the_others(
    hosts: Hosts, mock_url: str
) -> None:
    with start_gateway(mock_url, stream_store=hosts.redis.url, drain_timeout_s=6) as host:
        ends, is_cut = begin(host.url, "default@tps=400"), begin(host.url, "long-thinking@tps=20")
        reader = Readers()
        reader.add(hosts.other.url, is_cut)
        host.stop()
    check_whole(read(hosts.other.url, ends)[1])
    (data,) = reader.join()
    assert data.count(b'"code":"gateway_draining"') == 1
    assert read(hosts.other.url, is_cut)[1] == data


def test_a_gateway_starts_without_redis_and_never_shows_the_password(mock_url: str) -> None:
    with RedisServer("--requirepass", "right") as redis:
        wrong = redis.url.replace("//", "//:wrong-secret@")
        with start_gateway(mock_url, stream_store=wrong, log_level="debug") as gateway:
            assert store_of(gateway).startswith("away: ")
            status, _ = call(gateway.url, "POST", "/v1/chat/completions", kept("events"))
            assert status == 503
            assert "stream store away" in gateway.output()
            assert "wrong-secret" not in gateway.output() + store_of(gateway)
        right = redis.url.replace("//", "//:right@")
        with start_gateway(mock_url, stream_store=right) as gateway:
            assert store_of(gateway) == "reached"


def test_tls_needs_a_certificate_that_is_trusted(mock_url: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    files = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")}
    made = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(files["ca"])
    made.cert_chain_pems[0].write_to_path(files["cert"])
    made.private_key_pem.write_to_path(files["key"])
    port = str(free_port())
    options = ["--tls-port", port, "--tls-cert-file", files["cert"]]
    options += ["--tls-key-file", files["key"], "--tls-auth-clients", "no"]
    url = f"rediss://127.0.0.1:{port}"
    with (
        RedisServer(*options),
        start_gateway(mock_url, stream_store=url, upstream_ca_file=files["ca"]) as trusting,
        start_gateway(mock_url, stream_store=url) as careful,
    ):
        assert store_of(trusting) == "reached"
        assert "CERTIFICATE_VERIFY_FAILED" in store_of(careful)


def test_what_a_client_may_not_see_is_not_in_redis(hosts: Hosts) -> None:
    id = begin(hosts.one.url, "default@tps=2000", {"reasoning": "summary"})
    wait_until(lambda: b"event: done" in read(hosts.other.url, id)[1])
    stored = hosts.redis.run("XRANGE", f"rg:s:{id}", "-", "+")
    assert b"OutputDelta" in stored
    assert b"ReasoningDelta" not in stored
