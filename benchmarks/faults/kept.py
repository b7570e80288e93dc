"""Keeps turns in Redis at two hosts, kills workers, hosts and Redis, and checks every reader.

    python -m benchmarks.faults.kept                 # half a minute, 200 turns
    python -m benchmarks.faults.kept --turns 50 --seed 7

Each turn begins at one of the hosts, and its client leaves. Its readers connect again and again, to
random hosts. In the end, every reader must have had every event once and in order, up to one end:
`done` with the whole answer, or `stream_lost`, or 410 if nothing had been stored. It needs
redis-server.
"""

if __name__ == "__main__":  # before the other imports: gevent patches the standard library
    from gevent import monkey

    monkey.patch_all()

import argparse
import http.client
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import gevent

from tests.programs import Program, start_gateway, start_mock, workers_of
from tests.redis_server import RedisServer

MODELS = ("default@tps=100", "default@tps=60", "long-thinking@tps=150", "no-reasoning@tps=80")
KILL_EVERY_S = 3.0
PATIENCE_S = 120.0
READERS = 2


class Turn:
    """One kept turn, and what its readers have found."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.id: str | None = None
        self.readers: list[Reader] = []


class Reader:
    """Reads a stream at random hosts, over many connections."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.numbers: list[int] = []
        self.text = ""
        self.end = ""
        """`done`, the code of a failure, or the error status of the last request."""
        self.faults: list[str] = []

    def read(self, hosts: list[Program], chance: random.Random) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.end:
            if time.monotonic() > deadline:
                self.end = "never"
                return
            try:
                self._read_once(chance.choice(hosts).url, chance)
            except (OSError, http.client.HTTPException):
                gevent.sleep(0.3)  # a host is down

    def _read_once(self, url: str, chance: random.Random) -> None:
        after = self.numbers[-1] if self.numbers else 0
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        try:
            connection.request("GET", f"/v1/streams/{self.turn.id}?after={after}")
            response = connection.getresponse()
            if response.status == 503:
                gevent.sleep(0.5)
                return
            if response.status != 200:
                self.end = str(response.status)
                return
            stays = chance.random() < 0.5
            left = chance.randrange(200, 20_000)
            rest = b""
            while (data := response.read1(4096)) and not self.end:
                *blocks, rest = (rest + data).split(b"\n\n")
                for block in blocks:
                    self._take(block.decode())
                left -= len(data)
                if left < 0 and not stays:
                    return
        finally:
            connection.close()

    def _take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "id" not in fields:
            return
        number, data = int(fields["id"]), json.loads(fields["data"])
        last = self.numbers[-1] if self.numbers else 0
        is_lost = fields["event"] == "failed" and data["error"]["code"] == "stream_lost"
        if number != last + 1 and not (is_lost and number > last):
            self.faults.append(f"event {number} after {last}")
        self.numbers.append(number)
        if fields["event"] == "final_output_delta":
            self.text += data["text"]
        elif fields["event"] == "done":
            self.end = "done"
        elif fields["event"] == "failed":
            self.end = data["error"]["code"]


def begin(turn: Turn, hosts: list[Program], chance: random.Random) -> None:
    """Begins a turn and leaves it."""
    body = {
        "model": turn.model,
        "messages": [{"role": "user", "content": "Explain streaming APIs"}],
        "stream": True,
        "gateway": {"format": "events", "keep": True},
    }
    while turn.id is None:
        connection = http.client.HTTPConnection(urlsplit(chance.choice(hosts).url).netloc)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            if response.status == 200:
                turn.id = response.headers["X-Stream-Id"]
                response.read(chance.randrange(1, 500))
            else:
                gevent.sleep(0.5)  # Redis is away
        except (OSError, http.client.HTTPException):
            gevent.sleep(0.3)
        finally:
            connection.close()


def kill_something(hosts: list[Program], redis: RedisServer, chance: random.Random) -> str:
    """Kills a worker or Redis; both start again."""
    if chance.random() < 0.4:
        redis.kill()
        gevent.sleep(chance.random() * 4)
        redis.start()
        return "redis"
    host = chance.choice(hosts)
    if pids := workers_of(host):
        os.kill(chance.choice(pids), signal.SIGKILL)
    return "worker"


def check(turns: list[Turn], redis_died: bool) -> list[str]:
    """Returns the faults.

    redis_died: readers of a turn may have different ends: those at the worker that ran it may have
    read events that were never stored.
    """
    faults = []
    whole: dict[str, str] = {}
    for turn in turns:
        for reader in turn.readers:
            about = f"{turn.model}, {str(turn.id)[:12]}, {reader.end}"
            faults += [f"{about}: {fault}" for fault in reader.faults]
            if reader.end == "done":
                first = whole.setdefault(turn.model, reader.text)
                if reader.text != first:
                    faults.append(f"{about}: the answer is another one")
            elif reader.end not in ("stream_lost", "410"):
                faults.append(f"{about}: an unexpected end")
    for turn in turns:
        if not redis_died and len(ends := {reader.end for reader in turn.readers}) > 1:
            faults.append(f"{turn.model}, {str(turn.id)[:12]}: readers differ: {ends}")
        for reader in turn.readers:
            if turn.model in whole and not whole[turn.model].startswith(reader.text):
                faults.append(f"{turn.model}, {reader.end}: the text is not the answer's beginning")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--turns", type=int, default=200, help="in all (200)")
    parser.add_argument("--seed", default="1", help="of all that is random (1)")
    parser.add_argument("--seconds", type=float, default=15, help="in which they begin (15)")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    turns = [Turn(chance.choice(MODELS)) for _ in range(asked.turns)]
    killed: Counter[str] = Counter()
    settings: dict[str, Any] = {"web_concurrency": 2, "detached_timeout_s": 60}
    with RedisServer() as redis, start_mock() as mock:
        settings |= {"stream_store": redis.url, "drain_timeout_s": 1}
        with start_gateway(mock.url, **settings) as one, start_gateway(mock.url, **settings) as two:
            hosts = [one, two]

            def run(turn: Turn, number: int) -> None:
                own = random.Random(f"{asked.seed} {number}")
                gevent.sleep(own.random() * asked.seconds)
                begin(turn, hosts, own)
                turn.readers = [Reader(turn) for _ in range(READERS)]
                gevent.joinall([gevent.spawn(reader.read, hosts, own) for reader in turn.readers])

            running = [gevent.spawn(run, turn, number) for number, turn in enumerate(turns)]
            until = time.monotonic() + asked.seconds
            while time.monotonic() < until:
                gevent.sleep(KILL_EVERY_S)
                killed[kill_something(hosts, redis, chance)] += 1
            gevent.joinall(running)
            output = one.output() + two.output()
    faults = check(turns, bool(killed["redis"]))
    if "Traceback" in output:
        faults.append("a gateway has logged a traceback")
    ends = Counter(reader.end for turn in turns for reader in turn.readers)
    print(f"{len(turns)} turns, killed {dict(killed)}, ends {dict(ends)}, {len(faults)} faults")
    for fault in faults[:30]:
        print("FAULT", fault)
    if "Traceback" in output:
        print(output[output.index("Traceback") - 500 :][:3000])
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
