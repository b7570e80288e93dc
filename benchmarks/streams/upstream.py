"""A model server for benchmarks, as cheap as possible because it shares the machine.

    python benchmarks/streams/upstream.py PORT

The model's name says what to send: `r500-a500` is 500 tokens of reasoning and 500 of the answer, at
once; `-p20` sends 20 tokens a second, each in its own write; `-d60` waits 60 seconds first. Each
reasoning token contains one "^" and each token of the answer one "~". Paced tokens also contain
their send time in nanoseconds of the monotonic clock. Listens on 127.0.0.1 only.
"""

import heapq
import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
WORDS = (" the", " of", "ing", ".", " value", " x", ",", " we", " need", "\n\n", " =", " 42")
Item = tuple[float, int, "Answer"]


def frame(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """A chunk of an answer as vLLM sends it, in an HTTP chunk."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    data = {
        "id": "chatcmpl-3f2a9c0d7b6e4158a1d2c3b4e5f60718",
        "object": "chat.completion.chunk",
        "created": 1763688400,
        "model": "bench",
        "choices": [{**choice, "token_ids": None}],
    }
    return http_chunk(b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n")


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


END = frame({}, "stop") + http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@lru_cache
def script(model: str) -> tuple[list[bytes], float, float]:
    """A model's frames, the seconds between them, and the seconds before the first."""
    asked = {name: int(number) for name, number in re.findall(r"([rapd])(\d+)", model)}
    paced = asked.get("p", 0)
    stamp = f"T{0:019}" if paced else ""
    words = [WORDS[i % len(WORDS)] for i in range(asked.get("r", 0) + asked.get("a", 0))]
    reasoning, answer = words[: asked.get("r", 0)], words[asked.get("r", 0) :]
    frames = [frame({"role": "assistant", "content": ""})]
    if reasoning:
        frames += [frame({"content": text}) for text in ("<think>", *(f"{w}^" for w in reasoning))]
        frames.append(frame({"content": "</think>"}))
    frames += [frame({"content": f"{word}~{stamp}"}) for word in answer]
    return frames, 1 / paced if paced else 0.0, float(asked.get("d", 0))


class Answer:
    """A connection and the answer that is sent on it."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.asked = b""
        self.unsent = b""
        self.frames: list[bytes] = []
        self.next = 0
        self.pause_s = 0.0

    def write(self, data: bytes) -> bool:
        """Sends as much as possible. Returns False if some is left."""
        self.unsent += data
        with suppress(BlockingIOError):
            self.unsent = self.unsent[self.client.send(self.unsent) :]
        return not self.unsent


class Server:
    """One thread, one selector, and a heap of scheduled frames."""

    def __init__(self, port: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._due: list[Item] = []
        self._count = 0

    def serve(self) -> None:
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, events in self._selector.select(wait_s):
                if key.data is None:
                    self._accept()
                else:
                    self._serve(key.data, events)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                due, _, answer = heapq.heappop(self._due)
                self._guarded(self._step, answer, due)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(client, selectors.EVENT_READ, Answer(client))

    def _serve(self, answer: Answer, events: int) -> None:
        if events & selectors.EVENT_READ:
            self._guarded(self._read, answer, 0.0)
        elif answer.write(b""):
            self._selector.modify(answer.client, selectors.EVENT_READ, answer)

    def _guarded(self, action: Callable[[Answer, float], None], answer: Answer, due: float) -> None:
        try:
            action(answer, due)
        except (OSError, ValueError):
            if answer.client.fileno() >= 0:
                self._selector.unregister(answer.client)
            answer.client.close()

    def _read(self, answer: Answer, due: float) -> None:
        if not (data := answer.client.recv(65536)):
            raise OSError("closed")
        answer.asked += data
        head, end, body = answer.asked.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if not end or (length and len(body) < int(length[1])):
            return
        answer.asked = b""
        model = json.loads(body)["model"] if body else "r0-a1"
        answer.frames, answer.pause_s, delay_s = script(model)
        answer.next = 0
        if answer.pause_s or delay_s:
            self._send(answer, HEAD + answer.frames[0])
            answer.next = 1
            self._later(time.monotonic() + (delay_s or answer.pause_s), answer)
        else:
            self._send(answer, HEAD + b"".join(answer.frames) + END)

    def _later(self, due: float, answer: Answer) -> None:
        self._count += 1
        heapq.heappush(self._due, (due, self._count, answer))

    def _step(self, answer: Answer, due: float) -> None:
        if answer.next == len(answer.frames):
            self._send(answer, END)
            return
        data = answer.frames[answer.next].replace(b"T" + b"0" * 19, b"T%019d" % time.monotonic_ns())
        answer.next += 1
        self._send(answer, data)
        self._later(due + answer.pause_s, answer)

    def _send(self, answer: Answer, data: bytes) -> None:
        if not answer.write(data):
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.modify(answer.client, both, answer)


if __name__ == "__main__":
    Server(int(sys.argv[1])).serve()
