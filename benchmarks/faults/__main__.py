"""A thousand turns at once against upstreams that misbehave; at the end the books must balance.

    python -m benchmarks.faults                                # a minute, 1,000 at once
    python -m benchmarks.faults --turns 200 --seconds 20 --seed 7

Upstreams refuse, stall, cut and lie, clients leave and dawdle, all at random by seed. Checked at
the end: every turn ended exactly once and truthfully, every byte that an upstream said before its
fault was delivered, the log, the metrics and the upstreams tell the same story, and nothing is left
over: no stream, no lease, no socket, no memory.
"""

if __name__ == "__main__":  # before the other imports: gevent replaces what blocks
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

from benchmarks.faults.books import Books
from benchmarks.faults.clients import take_part
from benchmarks.faults.process import Gateway
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
"""So long the gateway has to come to rest when the last client has gone."""
LET_GO_S = 2.0
"""So soon after its client an upstream has to be let go; under load it may be twice as long."""
WARM = 0.4
"""The share of the time after which a worker has all the memory that it needs …"""
GROWTH_MB = 25.0
"""… and how much more it may hold at the end."""
OWN_FILES = 16
"""A worker opens some for its metrics, and some connections are on their way."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--turns", type=int, default=1000, help="at once (1000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", default="1", help="of all that is random (1)")
    parser.add_argument("--upstreams", type=int, default=3, help="how many (3)")
    asked = parser.parse_args()
    books, lag = Books(), Lag()
    with ExitStack() as running:
        upstreams = [
            running.enter_context(
                Upstream(f"upstream-{n}", asked.seed, books.attempts, books.left_at)
            )
            for n in range(1, asked.upstreams + 1)
        ]
        addresses = [(upstream.name, upstream.url) for upstream in upstreams]
        gateway = running.enter_context(Gateway(addresses, SETTINGS))
        files = gateway.open_files()
        warm_mb = gevent.spawn_later(asked.seconds * WARM, gateway.memory_mb)
        take_parts(gateway.address, books, asked.turns, asked.seconds, asked.seed)
        faults = [
            *at_rest(gateway, upstreams),
            *books.faults(gateway.turns()),
            *agree(gateway, upstreams, books),
            *left_over(gateway, upstreams, files, warm_mb.get()),
            *gateway.complaints(),
        ]
    print(books.table())
    let_go_s = sorted(s for upstream in upstreams for s in upstream.let_go_s)
    if let_go_s:
        median, latest = let_go_s[len(let_go_s) // 2], let_go_s[-1]
        print(
            f"upstreams let go {median:.2f} s after their client (median), {latest:.2f} s at most"
        )
        if median > LET_GO_S or latest > 2 * LET_GO_S:
            faults.append("an upstream was let go too late")
    print(f"{len(books.views)} turns, {len(faults)} faults; the bench was {lag.worst_s:.1f} s late")
    for fault in faults[:50]:
        print("FAULT", fault)
    sys.exit(bool(faults))


def take_parts(address: str, books: Books, at_once: int, seconds: float, seed: str) -> None:
    """So many clients at once, each taking part again and again until the time is over."""
    numbers = itertools.count()
    deadline = time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < deadline:
            turn = f"{next(numbers):06}"
            rng = random.Random(f"{seed} client {turn}")
            books.views[turn] = take_part(address, turn, rng, books.left_at)
            if books.views[turn].status == 503:
                gevent.sleep(1)  # as it was asked to

    gevent.joinall([gevent.spawn_later(n * 2 / at_once, client) for n in range(at_once)])


class Lag:
    """How late this program itself was, which plays all parts but one."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._watching = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            gevent.sleep(0.05)
            self.worst_s = max(self.worst_s, time.monotonic() - began - 0.05)


def at_rest(gateway: Gateway, upstreams: Sequence[Upstream]) -> Iterator[str]:
    """Waits until nothing is under way any more."""
    deadline = time.monotonic() + REST_S
    while (streams := gateway.health()["open_streams"]) or any(u.playing for u in upstreams):
        if time.monotonic() > deadline:
            playing = sum(upstream.playing for upstream in upstreams)
            yield f"{streams} streams and {playing} calls are still open"
            return
        gevent.sleep(0.2)


def agree(gateway: Gateway, upstreams: Sequence[Upstream], books: Books) -> Iterator[str]:
    """Do metrics, log and upstreams tell the same story?"""
    told = sum(len(lines) for lines in gateway.turns().values())
    counted = sum(gateway.metric("gateway_turns_total").values())
    if counted != told:
        yield f"the metrics count {counted:.0f} turns, the log {told}"
    attempts = gateway.metric("gateway_upstream_attempts_total")
    states = gateway.metric("gateway_breaker_state")
    for upstream in upstreams:
        label = f'upstream="{upstream.name}"'
        counted = sum(value for labels, value in attempts.items() if label in labels)
        if counted > upstream.calls or counted < upstream.calls * 0.8:
            yield f"the metrics count {counted:.0f} calls of {upstream.name}, not {upstream.calls}"
    names = {0: "closed", 1: "half_open", 2: "open"}
    for standing in gateway.health()["upstreams"]:
        state = states.get(f'upstream="{standing["name"]}"')
        if state is not None and names[int(state)] != standing.get("breaker"):
            yield f"breaker of {standing['name']}: {state} in the metrics, {standing['breaker']}"
        if standing.get("open_streams"):
            yield f"{standing['open_streams']} leases of {standing['name']} were not given back"


def left_over(
    gateway: Gateway, upstreams: Sequence[Upstream], files: int, warm_mb: float
) -> Iterator[str]:
    """Sockets and memory that were not given back."""
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
