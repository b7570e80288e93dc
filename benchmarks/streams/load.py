"""Reads many concurrent streams to their ends. For 127.0.0.1 only.

    python benchmarks/streams/load.py '{"port": 8080, "model": "r20-a20", "streams": 64, …}'

Prints one JSON object: requests, complete ones (every token and the right end), tokens,
milliseconds to the first byte, and the latency of paced tokens from the upstream to here.
"""

import json
import re
import selectors
import socket
import sys
import time
from typing import Any

_STAMP = re.compile(rb"~T(\d{19})")
_END = b"data: [DONE]\n\n\r\n0\r\n\r\n"
_TAIL_BYTES = 64


class Client:
    """A connection that sends one request after another."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.socket = socket.create_connection(("127.0.0.1", load.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        self.began = time.monotonic_ns()
        self.first = False
        self.tail = b""
        self.tokens = 0
        self.socket.sendall(self.load.request)

    def read(self) -> bool:
        """Reads once. Returns True at the end of the answer."""
        data = self.socket.recv(262144)
        now = time.monotonic_ns()
        if not self.first and data:
            self.first = True
            self.load.first_ms.append((now - self.began) / 1e6)
        fresh = self.tail + data
        self.tokens += data.count(b"~")
        if self.load.paced:
            # A stamp that is cut by a read is found with the next one.
            self.load.late_ms += [
                (now - int(found[1])) / 1e6
                for found in _STAMP.finditer(fresh)
                if found.end() > len(self.tail)
            ]
        self.tail = fresh[-_TAIL_BYTES:]
        return not data or self.tail.endswith(_END)


class Load:
    """A number of clients that ask for some seconds."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.port = asked["port"]
        self.paced = "p" in asked["model"]
        body = json.dumps(
            {
                "model": asked["model"],
                "stream": True,
                "messages": [{"role": "user", "content": "How many primes lie below 200?"}],
                **asked.get("body", {}),
            }
        )
        self.request = (
            f"POST {asked.get('path', '/v1/chat/completions')} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        self.streams: int = asked["streams"]
        self.seconds: float = asked["seconds"]
        self.answer_tokens = int((re.search(r"a(\d+)", asked["model"]) or ["", "0"])[1])
        self.first_ms: list[float] = []
        self.late_ms: list[float] = []
        self.requests = self.whole = self.tokens = 0

    def run(self) -> dict[str, Any]:
        began = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for _ in range(self.streams):
                client = Client(self)
                client.ask()
                selector.register(client.socket, selectors.EVENT_READ, client)
                self._serve(selector, began, 0)
            while selector.get_map() and time.monotonic() - began < self.seconds + 60:
                self._serve(selector, began, 1)
        return {
            "requests": self.requests,
            "whole": self.whole,
            "tokens": self.tokens,
            "seconds": time.monotonic() - began,
            "first_ms": quantiles(self.first_ms),
            "late_ms": quantiles(self.late_ms),
        }

    def _serve(self, selector: selectors.BaseSelector, began: float, wait_s: float) -> None:
        for key, _ in selector.select(wait_s):
            client: Client = key.data
            if not client.read():
                continue
            self.requests += 1
            self.tokens += client.tokens
            complete = client.tail.endswith(_END) and client.tokens == self.answer_tokens
            self.whole += complete
            if complete and not self.paced and time.monotonic() - began < self.seconds:
                client.ask()
            else:
                selector.unregister(client.socket)
                client.socket.close()


def quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    return {name: ordered[int(q * (len(ordered) - 1))] for name, q in (("p50", 0.5), ("p99", 0.99))}


if __name__ == "__main__":
    print(json.dumps(Load(json.loads(sys.argv[1])).run()))
