"""The worst clients: each makes requests that are expensive for the gateway, near its limits.

An attack runs in a process of its own:

    python -m benchmarks.worst.attacks NAME ADDRESS SECONDS
"""

import gzip
import json
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from threading import Thread

BODY_BYTES = 19_900_000
"""Just below MAX_BODY_BYTES."""
MAX_VALUES = 100_000
"""JSON values that the gateway takes in one body."""
CHAT = "/v1/chat/completions"
ANSWER_S = 30.0
Attack = Callable[[str, float], None]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    """Adds an attack, named like its function."""
    ATTACKS[function.__name__.replace("_", " ")] = function
    return function


def post(address: str, body: bytes, path: str = CHAT, **headers: str) -> None:
    """Sends a request and reads its answer to the end."""
    connection = HTTPConnection(address, timeout=ANSWER_S)
    with suppress(OSError, HTTPException):
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        while response.read(65536):
            pass
    connection.close()


def repeat(address: str, seconds: float, *bodies: bytes, path: str = CHAT, **headers: str) -> None:
    """Sends these bodies in turn until the time is over."""
    deadline = time.monotonic() + seconds
    for body in cycle(bodies):
        if time.monotonic() > deadline:
            break
        post(address, body, path, **headers)


def chat(content: object, **members: object) -> bytes:
    """A body in one piece."""
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": "short", "messages": messages, **members}).encode()


def asks_for(model: str) -> bytes:
    """A body that asks for an answer of this model of benchmarks.worst.upstream."""
    messages = [{"role": "user", "content": "Go on."}]
    options = {"format": "events", "reasoning": "both"}
    body = {"model": model, "messages": messages, "stream": True, "gateway": options}
    return json.dumps(body).encode()


def open_stream(address: str, model: str) -> socket.socket:
    """Asks for an answer of this model, and reads nothing of it."""
    host, port = address.split(":")
    body = asks_for(model)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection((host, int(port)), 5)
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@attack
def a_long_prompt(address: str, seconds: float) -> None:
    repeat(address, seconds, chat("word " * (BODY_BYTES // 5)))


@attack
def a_log_in_a_prompt(address: str, seconds: float) -> None:
    line = 'C:\\x, "y", {"a": [1, 2]}\n'
    repeat(address, seconds, chat(line * (BODY_BYTES // len(json.dumps(line)))))


@attack
def a_prompt_of_markup(address: str, seconds: float) -> None:
    repeat(address, seconds, chat("</" * (BODY_BYTES // 2)), chat("<a>" * (BODY_BYTES // 3)))


@attack
def many_small_parts(address: str, seconds: float) -> None:
    parts = [{"type": "text", "text": "a"}] * (MAX_VALUES // 4)
    filled = [{"type": "text", "text": "b" * (BODY_BYTES // 25_000 - 100)}] * 24_000
    repeat(address, seconds, chat(parts), chat(filled))


@attack
def more_values_than_allowed(address: str, seconds: float) -> None:
    repeat(address, seconds, chat([{}] * (BODY_BYTES // 5)))


@attack
def tokens_to_count(address: str, seconds: float) -> None:
    body = chat("word " * (BODY_BYTES // 5))
    repeat(address, seconds, body, path="/v1/messages/count_tokens")


@attack
def a_bomb_in_gzip(address: str, seconds: float) -> None:
    bomb = gzip.compress(b'{"messages":"' + b" " * 500_000_000, 1)
    repeat(address, seconds, bomb, **{"Content-Encoding": "gzip"})


@attack
def many_bodies_at_once(address: str, seconds: float) -> None:
    body = chat("word " * (BODY_BYTES // 5))
    threads = [Thread(target=repeat, args=(address, seconds, body)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@attack
def malformed_heads(address: str, seconds: float) -> None:
    heads = [b"GET /?q=\xc3\xa9 HTTP/1.1\r\n\r\n", b"AA\r\n\r\n", b"\x16\x03\x01" * 100]
    heads += [b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n"]
    host, port = address.split(":")
    deadline = time.monotonic() + seconds
    for head in cycle(heads):
        if time.monotonic() > deadline:
            break
        with suppress(OSError), socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(head)
            connection.recv(65536)


@attack
def a_huge_event(address: str, seconds: float) -> None:
    repeat(address, seconds, asks_for("huge-event"))


@attack
def many_calls_in_an_event(address: str, seconds: float) -> None:
    repeat(address, seconds, asks_for("many-calls"))


@attack
def reasoning_without_sentences(address: str, seconds: float) -> None:
    repeat(address, seconds, asks_for("no-sentences"))


@attack
def tokens_at_full_speed(address: str, seconds: float) -> None:
    repeat(address, seconds, asks_for("fast"))


@attack
def an_answer_that_nobody_reads(address: str, seconds: float) -> None:
    with suppress(OSError):
        connections = [open_stream(address, "fast") for _ in range(50)]
        time.sleep(seconds)
        for connection in connections:
            connection.close()


if __name__ == "__main__":
    ATTACKS[sys.argv[1]](sys.argv[2], float(sys.argv[3]))
