"""Runs a thousand concurrent turns against faulty upstreams and checks every result.

    python -m benchmarks.faults                                # a minute, 1,000 turns at once
    python -m benchmarks.faults --turns 200 --seconds 20 --seed 7

Upstreams refuse, stall, break off and send invalid data; clients leave and read slowly. All this is
random from a seed. In the end, every turn must have ended exactly once and correctly, all text from
before a fault must have been delivered, log, metrics and upstreams must agree, and no stream,
lease, socket or memory may be left.
"""

if __name__ == "__main__":  # before the other imports: gevent patches the standard library
    from gevent import monkey

    monkey.patch_all()

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import gevent

from benchmarks.faults.clients import run_turn
from benchmarks.faults.process import Gateway
from benchmarks.faults.records import Records
from benchmarks.faults.upstream import Upstream

SETTINGS = {
    "connect_timeout_s": 5,
    "first_byte_timeout_s": 8,
    "idle_timeout_s": 8,
    "total_timeout_s": 30,
    "heartbeat_s": 1,
    "stall_timeout_s": 4,
    "breaker_failures": 30,
    "breaker_open_s": 2,
    "max_streams": 4000,
}
REST_S = 45.0
"""Limit for the gateway to finish after the last client is gone."""
CANCEL_S = 2.0
"""Limit for the median time from a client's leaving to the end of its upstream request. The longest
time may be twice that."""
WARM = 0.4
"""The share of the run after which a worker's memory should no longer grow."""
GROWTH_MB = 25.0
"""Limit for its growth from then to the end."""
OWN_FILES = 16
"""Open files that are not leaks: metrics files, and connections that are being closed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--turns", type=int, default=1000, help="at once (1000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", default="1", help="of all that is random (1)")
    parser.add_argument("--upstreams", type=int, default=3, help="how many (3)")
    asked = parser.parse_args()
    records, lag = Records(), Lag()
    with ExitStack() as running:
        upstreams = [
            running.enter_context(
                Upstream(f"upstream-{n}", asked.seed, records.attempts, records.left_at)
            )
            for n in range(1, asked.upstreams + 1)
        ]
        addresses = [(upstream.name, upstream.url) for upstream in upstreams]
        gateway = running.enter_context(Gateway(addresses, SETTINGS))
        files = gateway.open_files()
        warm_mb = gevent.spawn_later(asked.seconds * WARM, gateway.memory_mb)
        run_clients(gateway.address, records, asked.turns, asked.seconds, asked.seed)
        faults = [
            *wait_for_rest(gateway, upstreams),
            *records.faults(gateway.turns()),
            *check_counts(gateway, upstreams),
            *check_leaks(gateway, upstreams, files, warm_mb.get()),
            *gateway.complaints(),
        ]
    print(records.table())
    cancelled_after_s = sorted(s for upstream in upstreams for s in upstream.cancelled_after_s)
    if cancelled_after_s:
        median, latest = cancelled_after_s[len(cancelled_after_s) // 2], cancelled_after_s[-1]
        print(
            f"upstream requests ended {median:.2f} s after their client (median), "
            f"{latest:.2f} s at most"
        )
        if median > CANCEL_S or latest > 2 * CANCEL_S:
            faults.append("an upstream request ended too late after its client left")
    print(
        f"{len(records.views)} turns, {len(faults)} faults; the bench was {lag.worst_s:.1f} s late"
    )
    for fault in faults[:50]:
        print("FAULT", fault)
    sys.exit(bool(faults))


def run_clients(address: str, records: Records, at_once: int, seconds: float, seed: str) -> None:
    """Runs `at_once` clients, each with one turn after another, until the time is over."""
    numbers = itertools.count()
    deadline = time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < deadline:
            turn = f"{next(numbers):06}"
            rng = random.Random(f"{seed} client {turn}")
            records.views[turn] = run_turn(address, turn, rng, records.left_at)
            if records.views[turn].status == 503:
                gevent.sleep(1)  # Retry-After

    gevent.joinall([gevent.spawn_later(n * 2 / at_once, client) for n in range(at_once)])


class Lag:
    """Measures how late this program itself was, which plays the clients and the upstreams."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._watching = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            gevent.sleep(0.05)
            self.worst_s = max(self.worst_s, time.monotonic() - began - 0.05)


def wait_for_rest(gateway: Gateway, upstreams: Sequence[Upstream]) -> Iterator[str]:
    """Waits until nothing is in progress. Yields a fault after REST_S."""
    deadline = time.monotonic() + REST_S
    while (streams := gateway.health()["open_streams"]) or any(u.playing for u in upstreams):
        if time.monotonic() > deadline:
            playing = sum(upstream.playing for upstream in upstreams)
            yield f"{streams} streams and {playing} calls are still open"
            return
        gevent.sleep(0.2)


def check_counts(gateway: Gateway, upstreams: Sequence[Upstream]) -> Iterator[str]:
    """Checks that metrics, log and upstreams agree."""
    logged = sum(len(lines) for lines in gateway.turns().values())
    counted = sum(gateway.metric("gateway_turns_total").values())
    if counted != logged:
        yield f"the metrics count {counted:.0f} turns, the log {logged}"
    attempts = gateway.metric("gateway_upstream_attempts_total")
    states = gateway.metric("gateway_breaker_state")
    for upstream in upstreams:
        label = f'upstream="{upstream.name}"'
        counted = sum(value for labels, value in attempts.items() if label in labels)
        if counted > upstream.calls or counted < upstream.calls * 0.8:
            yield f"the metrics count {counted:.0f} calls of {upstream.name}, not {upstream.calls}"
    names = {0: "closed", 1: "half_open", 2: "open"}
    for status in gateway.health()["upstreams"]:
        state = states.get(f'upstream="{status["name"]}",worker="0"')
        if state is not None and names[int(state)] != status.get("breaker"):
            yield f"breaker of {status['name']}: {state} in the metrics, {status['breaker']}"
        if status.get("open_streams"):
            yield f"{status['open_streams']} leases of {status['name']} were not given back"


def check_leaks(
    gateway: Gateway, upstreams: Sequence[Upstream], files: int, warm_mb: float
) -> Iterator[str]:
    """Checks for leaked sockets and memory."""
    kept = sum(upstream.connections for upstream in upstreams)
    if (now := gateway.open_files()) > files + kept + OWN_FILES:
        yield f"{now} open files, {files} at the start, and {kept} kept connections"
    end_mb = gateway.memory_mb()
    print(
        f"memory {warm_mb:.0f} MB warm, {end_mb:.0f} MB at the end; {now} open files, {kept} kept"
    )
    if end_mb - warm_mb > GROWTH_MB:
        yield f"memory has grown from {warm_mb:.0f} to {end_mb:.0f} MB"


if __name__ == "__main__":
    main()
