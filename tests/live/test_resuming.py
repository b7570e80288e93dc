"""Kept streams at real workers: any of them reads any, and the death of one is told."""

import http.client
import json
import os
import random
import signal
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.programs import start_gateway, workers_of

MODEL = "default@tps=150"
PROMPT = [{"role": "user", "content": "Explain streaming APIs"}]


def kept(format: str, model: str = MODEL) -> dict[str, Any]:
    return request_body(model, messages=PROMPT, gateway={"format": format, "keep": True})


def read(url: str, id: str, after: int = 0, limit: int | None = None) -> tuple[int, bytes]:
    """Reads a kept stream on a new connection; with a limit, only its first bytes."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", f"/v1/streams/{id}?after={after}")
        response = connection.getresponse()
        return response.status, response.read(limit)
    finally:
        connection.close()


def numbers(data: bytes) -> list[int]:
    """The numbers of the events that arrived whole."""
    blocks = data.decode("utf-8", "ignore").split("\n\n")[:-1]
    return [int(block.split("\n")[0][4:]) for block in blocks if block.startswith("id: ")]


def test_readers_that_come_and_go_get_every_event_once(mock_url: str) -> None:
    with start_gateway(mock_url, web_concurrency=2) as gateway:
        chance = random.Random(1)
        problems: list[str] = []

        def one(seed: int) -> None:
            try:
                follow(seed)
            except Exception as error:
                problems.append(f"{seed}: {error!r}")

        def follow(seed: int) -> None:
            chance = random.Random(seed)
            with ask(gateway.url, kept("events")) as stream:
                id = stream.headers["X-Stream-Id"]
                if chance.random() < 0.5:
                    stream.response.read(chance.randrange(1, 2000))
            found: list[int] = []
            for _ in range(chance.randrange(4)):
                at = found[-1] if found else 0
                found += numbers(read(gateway.url, id, at, chance.randrange(300, 3000))[1])
            status, rest = read(gateway.url, id, found[-1] if found else 0)
            whole = numbers(read(gateway.url, id)[1])
            assert status == 200
            assert b"event: done" in rest or not numbers(rest)
            assert found + numbers(rest) == whole, (found, numbers(rest)[:3])

        threads = [threading.Thread(target=one, args=(chance.random(),)) for _ in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)


def test_the_death_of_a_worker_is_told_to_the_readers_and_later_ones(mock_url: str) -> None:
    with start_gateway(mock_url, web_concurrency=2) as gateway:
        with ask(gateway.url, kept("events", "long-thinking@tps=20")) as stream:
            id = stream.headers["X-Stream-Id"]
        results: list[tuple[int, bytes]] = []

        def watch() -> None:
            try:
                results.append(read(gateway.url, id))
            except (OSError, http.client.HTTPException):
                results.append((0, b""))  # the worker that it spoke to is dead

        threads = [threading.Thread(target=watch) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: kept_streams(gateway) > 0)
        for worker in workers_of(gateway):  # one of them has the stream
            os.kill(worker, signal.SIGKILL)
            until = time.monotonic() + 2
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
        for thread in threads:
            thread.join()
        for status, data in results:
            told = status == 200 and data.count(b"event: failed") == 1 and b'"stream_lost"' in data
            assert told or status in (0, 410), (status, data[-200:])
        assert len(results) == 8
        assert wait_until(lambda: status_of(gateway.url, id) == 410)


def status_of(url: str, id: str) -> int:
    """The status of a reading; 0 while no worker answers."""
    try:
        return read(url, id)[0]
    except (OSError, http.client.HTTPException):
        return 0


def kept_streams(gateway: Any) -> int:
    return sum(view["kept_streams"] for view in get_json(f"{gateway.url}/health")["workers"])


def test_a_turn_that_nobody_reads_is_given_up(mock_url: str) -> None:
    with start_gateway(mock_url, detached_timeout_s=0.5, heartbeat_s=1) as gateway:
        with ask(gateway.url, kept("events", "long-thinking@tps=20")) as stream:
            id = stream.headers["X-Stream-Id"]
        wait_until(lambda: get_json(f"{gateway.url}/health")["open_streams"] == 0)
        assert b'"code":"abandoned"' in read(gateway.url, id)[1]


def test_any_worker_stops_a_stream_and_answers_for_a_response(mock_url: str) -> None:
    with start_gateway(mock_url, web_concurrency=3) as gateway:
        address = urlsplit(gateway.url).netloc

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            connection = http.client.HTTPConnection(address, timeout=60)
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, body and json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            connection.close()
            return response.status, answer

        for _ in range(6):
            asked = {"model": "long-thinking", "input": "hi", "background": True}
            status, queued = call("POST", "/v1/responses", asked)
            assert (status, queued["status"]) == (200, "queued")
            path = f"/v1/responses/{queued['id']}"
            assert call("GET", path)[1]["status"] == "in_progress"
            assert call("POST", f"{path}/cancel")[1]["status"] == "cancelled"
            assert call("DELETE", path)[0] == 200
            assert call("GET", path)[0] == 404


def test_a_kept_stream_joins_to_the_whole_in_every_format(mock_url: str) -> None:
    with start_gateway(mock_url, web_concurrency=2) as gateway:
        with ask(gateway.url, kept("events")) as stream:
            whole = parse_stream("events", stream.read_all())
            id = stream.headers["X-Stream-Id"]
        assert whole.error is None
        first = read(gateway.url, id)[1]
        for after in range(0, max(numbers(first)), 7):
            assert first.endswith(read(gateway.url, id, after)[1])
