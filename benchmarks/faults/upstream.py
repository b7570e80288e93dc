"""A server that plays plans and records them."""

import re
import socket
import struct
import time
from contextlib import suppress

import gevent
from gevent.server import StreamServer

from benchmarks.faults.plans import Plan, make_plan

HANG_S = 30.0
"""How long a plan that hangs waits for the gateway to give up."""
_RESET = struct.pack("ii", 1, 0)


class Upstream:
    """Listens on a free port of 127.0.0.1; a context manager."""

    def __init__(
        self, name: str, seed: str, attempts: dict[str, list[Plan]], left_at: dict[str, float]
    ) -> None:
        """attempts: turn → plans, extended here. left_at: turn → when its client left."""
        self.name = name
        self.calls = 0
        self.playing = 0
        """Plans in progress."""
        self.connections = 0
        self.cancelled_after_s: list[float] = []
        """Seconds from a client's leaving to the end of its upstream request, where noticed."""
        self._seed = seed
        self._attempts = attempts
        self._left_at = left_at
        self._server = StreamServer(("127.0.0.1", 0), self._serve)

    def __enter__(self) -> "Upstream":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(timeout=1)

    @property
    def url(self) -> str:
        """Its address, once it is started."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def _serve(self, connection: socket.socket, _: object) -> None:
        self.connections += 1
        try:
            with suppress(OSError), connection:
                while turn := _turn_asked(connection):
                    if not self._answer(connection, turn):
                        break
        finally:
            self.connections -= 1

    def _answer(self, connection: socket.socket, turn: str) -> bool:
        """Plays the plan of this attempt. Returns True if the connection can be used again."""
        attempts = self._attempts[turn]
        plan = make_plan(f"{self._seed} {turn} {len(attempts)}")
        attempts.append(plan)
        self.calls += 1
        self.playing += 1
        try:
            for step in plan.steps:
                if isinstance(step, bytes):
                    connection.sendall(step)
                elif _is_gone(connection, step):
                    self._noticed(turn)
                    return False

            if plan.hangs and _is_gone(connection, HANG_S):
                self._noticed(turn)
            if plan.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return plan.keeps
        except OSError:
            self._noticed(turn)
            raise
        finally:
            self.playing -= 1

    def _noticed(self, turn: str) -> None:
        if (left_at := self._left_at.get(turn)) is not None:
            self.cancelled_after_s.append(time.monotonic() - left_at)


def _turn_asked(connection: socket.socket) -> str | None:
    """Returns the turn in the next request's prompt; None if there is none, or no request."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65536)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = (
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    length = next(lengths, 0)  # a request for the list of models has none
    while len(body) < length:
        body += connection.recv(65536)
    turns = re.findall(rb"Turn (\d+)", body)
    return turns[-1].decode() if turns else None


def _is_gone(connection: socket.socket, within_s: float) -> bool:
    """Waits. Returns True as soon as the gateway has closed the connection."""
    if within_s <= 0:
        return False
    with gevent.Timeout(within_s, False):
        return not connection.recv(1)
    return False
