"""Measures what a token costs in a worker: not kept, kept in memory, kept in Redis.

    python benchmarks/kept_streams.py

One process publishes 500 streams of 20 tokens a second, in each of these ways by turns. It has no
sockets to clients and model servers, which cost the same in each way. The result is its CPU time
for a token. Another process follows all streams in Redis and measures its delay: from the
publication of a token to the moment in which a delivery could encode it. It needs redis-server.
Everything is on 127.0.0.1 and ends by itself.
"""

import argparse
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import gevent
import gevent.event
import gevent.monkey

gevent.monkey.patch_all()
sys.path.insert(0, str(Path(__file__).parent.parent))

import structlog  # noqa: E402

from gateway.apis.kept import StreamInfo  # noqa: E402
from gateway.apis.seal import Sealer  # noqa: E402
from gateway.core.events import Done, Event, OutputDelta, Timings  # noqa: E402
from gateway.relay.event_queue import EventQueue  # noqa: E402
from gateway.relay.ids import Place, new_id, new_life  # noqa: E402
from gateway.relay.kept import KeptStreams  # noqa: E402
from gateway.store.connection import Connections  # noqa: E402
from gateway.store.layout import Codec  # noqa: E402
from gateway.store.redis_store import RedisStore  # noqa: E402

STREAMS, TOKENS_A_SECOND = 500, 20
WAYS = ("not kept", "in memory", "in Redis")
_TICKS_A_SECOND = 200
_KEEP_S = 60
_END = Done("stop", None, Timings())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def redis_server() -> Iterator[str]:
    """Runs a server without persistence; yields its address."""
    port = free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
    )
    try:
        time.sleep(1)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def make_store(url: str, place: Place) -> RedisStore:
    sealer = Sealer([b"k" * 32])
    codec = Codec(sealer.seal, sealer.open)
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    return RedisStore(
        *(Connections(url), codec, str(place), _KEEP_S, time.monotonic, log),
        on_lost=lambda id: print("lost", id),
        on_read=lambda ids: None,
    )


class DirectWriter:
    """Takes the place of the direct writes to a client that keeps up."""

    def write_now(self, number: int, events: Any, now: float) -> bool:
        return True


class Worker:
    """The streams of one worker, kept in one of the WAYS."""

    def __init__(self, way: str, store: RedisStore, place: Place) -> None:
        self.ids = [new_id(place) for _ in range(STREAMS)]
        self.queues: list[EventQueue] = []
        self.kept = KeptStreams(
            1 << 30, _KEEP_S, 60, time.monotonic, store if way == "in Redis" else None
        )
        for id in self.ids:
            info = StreamInfo(
                id=id, principal="p", dialect="events", keep="detached", model="m", created=1
            )
            kept = self.kept.add(info) if way != "not kept" else None
            queue = EventQueue(gevent.event.Event, kept and kept.log)
            queue.is_drained, queue.direct = True, DirectWriter()
            self.queues.append(queue)

    def run(self, seconds: float) -> float:
        """Publishes tokens for this long; returns microseconds of CPU time for a token."""
        part = STREAMS * TOKENS_A_SECOND // _TICKS_A_SECOND
        before, began = time.process_time(), time.monotonic()
        ticks = round(seconds * _TICKS_A_SECOND)
        for tick in range(ticks):
            first = tick * part % STREAMS
            for queue in self.queues[first : first + part]:
                event: Event = OutputDelta(f" token {time.monotonic_ns()}")
                queue.publish([event], 0.0)
            gevent.sleep(max(0.0, began + (tick + 1) / _TICKS_A_SECOND - time.monotonic()))
        return (time.process_time() - before) * 1e6 / (ticks * part)

    def end(self) -> None:
        for queue in self.queues:
            queue.publish([_END], 0.0)


def follow(url: str, asked: Any, answers: Any) -> None:
    """Another host: follows the streams that it is told, and answers with its delays in ms."""
    store = make_store(url, Place(1, new_life()))
    store.start()
    answers.put("ready")
    while (ids := gevent.get_hub().threadpool.apply(asked.get)) is not None:
        late_ms: list[float] = []
        before = time.process_time()

        def read(id: str, late_ms: list[float] = late_ms) -> None:
            source = store.open(id, id[:12])
            while True:
                _, events = source.read()
                now = time.monotonic_ns()
                for event in events:
                    if not isinstance(event, OutputDelta):
                        source.close()
                        return
                    late_ms.append((now - int(event.text.rpartition(" ")[2])) / 1e6)

        gevent.joinall([gevent.spawn(read, id) for id in ids])
        answers.put((late_ms, (time.process_time() - before) * 1e6 / len(late_ms)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    questions, answers = context.Queue(), context.Queue()
    with redis_server() as url:
        place = Place(0, new_life())
        store = make_store(url, place)
        store.start()
        reader = context.Process(target=follow, args=(url, questions, answers), daemon=True)
        reader.start()
        from_reader = gevent.get_hub().threadpool.apply
        from_reader(answers.get)
        found: dict[str, list[float]] = {way: [] for way in (*WAYS, "in Redis, read elsewhere")}
        late_ms: list[float] = []
        reader_us: list[float] = []
        for _ in range(asked.rounds):
            for way in found:
                worker = Worker(way.partition(",")[0], store, place)
                is_read = "read" in way
                if is_read:
                    gevent.sleep(0.2)
                    questions.put(worker.ids)
                    gevent.sleep(1)
                found[way].append(worker.run(asked.seconds))
                worker.end()
                if is_read:
                    late, cost = from_reader(answers.get)
                    late_ms += late
                    reader_us.append(cost)
                gevent.sleep(0.5)
                for id in worker.ids:
                    worker.kept.forget(id)
        questions.put(None)
    base = median(found["not kept"])
    for way, costs in found.items():
        more = median(costs) - base
        rounds = ", ".join(f"{cost:.2f}" for cost in sorted(costs))
        print(f"{way:26} {median(costs):6.2f} µs a token, {more:+5.2f}  [{rounds}]")
    ordered = sorted(late_ms)
    shown = ", ".join(f"p{q} {ordered[len(ordered) * q // 100]:.0f} ms" for q in (50, 90, 99))
    print(f"delay of a reader elsewhere: {shown}; it takes {median(reader_us):.1f} µs a token")


if __name__ == "__main__":
    main()
