"""Runs each of the worst clients beside 100 paced streams, and measures the effect on these.

    python -m benchmarks.worst                         # each kind for 5 s
    python -m benchmarks.worst --seconds 1 --only "a huge event" --only "malformed heads"

Prints for each kind the longest time that a word of a paced stream took from the model server to
its client, and the worker's peak memory. The exit status is 1 if a word took longer than 250 ms, if
the worker took more than 400 MB, or if a paced stream broke off.
"""

import argparse
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.process import ROOT, Gateway
from benchmarks.worst.attacks import ATTACKS, open_stream

STREAMS = 100
LONGEST_MS = 250
MOST_MB = 400
WARM_UP_S = 1.0
SETTINGS = {
    "connect_timeout_s": 5,
    "first_byte_timeout_s": 60,
    "idle_timeout_s": 60,
    "total_timeout_s": 3600,
    "drain_timeout_s": 1,
}
_WORD = re.compile(rb"(\d+\.\d{4}) ")


class PacedStreams:
    """The good clients: each reads a stream and measures how late its words are."""

    def __init__(self, address: str) -> None:
        self.longest_ms = 0.0
        self.words = 0
        self.broken = 0
        self._selector = selectors.DefaultSelector()
        for _ in range(STREAMS):
            connection = open_stream(address, "paced")
            self._selector.register(connection, selectors.EVENT_READ)

    def read_for(self, seconds: float) -> None:
        """Reads until the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                self._read(key.fileobj)

    def _read(self, connection: "socket.socket | object") -> None:
        assert isinstance(connection, socket.socket)
        data = connection.recv(65536)
        now = time.monotonic()
        for word in _WORD.findall(data):
            self.words += 1
            self.longest_ms = max(self.longest_ms, (now - float(word)) * 1000)
        if not data or b"event: failed" in data:
            self.broken += 1
            self._selector.unregister(connection)


@contextmanager
def model_server() -> Iterator[str]:
    """The address of benchmarks.worst.upstream."""
    command = [sys.executable, "-m", "benchmarks.worst.upstream"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def peak_mb(worker: int) -> float:
    """The worker's peak memory since the last call."""
    status = Path(f"/proc/{worker}/status").read_text()
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each kind (5)")
    parser.add_argument("--only", action="append", choices=list(ATTACKS), help="a kind; repeatable")
    parser.add_argument(
        "--longest-ms", type=float, default=LONGEST_MS, help=f"limit for a wait ({LONGEST_MS})"
    )
    asked = parser.parse_args()
    is_good = True
    with model_server() as url, Gateway([("default", url)], SETTINGS) as gateway:
        streams = PacedStreams(gateway.address)
        streams.read_for(WARM_UP_S)
        print(f"{'worst client':32}{'longest wait':>14}{'peak memory':>14}")
        for name in [None, *(asked.only or ATTACKS)]:
            streams.longest_ms, streams.words = 0, 0
            peak_mb(gateway.worker)
            attacker = None
            if name is not None:
                command = [sys.executable, "-m", "benchmarks.worst.attacks", name]
                command += [gateway.address, str(asked.seconds)]
                # `nice`, because a real client has a machine of its own.
                attacker = subprocess.Popen(["nice", *command], cwd=ROOT)
            streams.read_for(asked.seconds)
            while attacker is not None and attacker.poll() is None:
                streams.read_for(0.2)
            longest, peak = streams.longest_ms, peak_mb(gateway.worker)
            is_within = longest <= asked.longest_ms and peak <= MOST_MB and streams.words > 0
            is_good = is_good and is_within
            mark = "" if is_within else "  too much"
            print(f"{name or '(none)':32}{longest:11.0f} ms{peak:11.0f} MB{mark}", flush=True)
        if streams.broken:
            print(f"{streams.broken} paced streams broke off")
        complaints = gateway.complaints()
        print(*complaints, sep="\n")
    sys.exit(not is_good or bool(streams.broken or complaints))


if __name__ == "__main__":
    main()
