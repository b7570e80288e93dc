"""Random heads, bodies and upstream bytes on real sockets: an answer comes, and nothing breaks.

The seeds are fixed. FUZZ_SEEDS=200 tries that many others, and names those that fail.
"""

import json
import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.live.test_malformed_requests import exchange
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, frame
from tests.live.wire import ask, get_json, parse_stream, request_body
from tests.programs import DRIVERS, Program, start_gateway

SEEDS = [*range(8), *range(1000, 1000 + int(os.environ.get("FUZZ_SEEDS", "0")))]
TRIES = 12
"""What is tried with each seed."""
BREAKERS_NEVER = {"breaker_failures": 1_000_000}
ODD = [
    b"\r\n",
    b"\n",
    b"\x00",
    b"\xff\xfe",
    b": ",
    b"data: ",
    b"{",
    b'"',
    b"[DONE]",
    b"\\u",
    b"0" * 40,
]
ODD += [
    b"0" * 40,
    b"<think>",
    b"</think>",
    b"event: error\n",
    b"\xe2\x80\xa8",
    b"99999999999999999999",
]
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"X-Request-Id: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
)
BODY = {
    "model": "whole",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi!"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": "Again."},
    ],
    "stream": False,
    "max_tokens": 5,
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "gateway": {"format": "events", "reasoning": "both"},
}
ANSWER = [frame({"reasoning_content": "I greet."}), frame({"content": "Hi!"}), FINISH, DONE]
VALUES = [
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "x" * 300,
    [],
    {},
    [[]],
    {"type": "text"},
    "é\u2028\ud800",
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        for model in [
            "whole",
            *(value for value in VALUES if value is None or isinstance(value, str)),
        ]:
            upstream.set_script(model, CHUNKED, *chunked(ANSWER))
        yield upstream


@pytest.fixture(scope="module", params=DRIVERS)
def gateway(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Program]:
    limits = {"idle_timeout_s": 2, "first_byte_timeout_s": 2, "request_timeout_s": 1}
    with start_gateway(
        upstream.url, relay_driver=request.param, **limits, **BREAKERS_NEVER
    ) as gateway:
        yield gateway
        assert get_json(f"{gateway.url}/health")["status"] == "ok"
        assert "Traceback" not in gateway.output()
        assert "internal_error" not in gateway.output()


def mutated(data: bytes, random: Random) -> bytes:
    """The bytes with some of them replaced, removed, repeated or joined by odd ones."""
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice([0, 1, 1, 2, 8, 60]))
        put = random.choice([b"", random.choice(ODD), random.randbytes(3), data[at:end] * 3])
        data = data[:at] + put + data[end:]
    return data


@pytest.mark.parametrize("seed", SEEDS)
def test_random_heads_get_a_status_or_nothing(gateway: Program, seed: int) -> None:
    random = Random(f"head {seed}")
    body = json.dumps(BODY).encode()
    for _ in range(TRIES):
        received = exchange(gateway, mutated(HEAD % (len(body), body), random))
        assert not received or received.startswith(b"HTTP/1.1 "), received[:200]
        assert not received.startswith(b"HTTP/1.1 500"), received


def with_odd_value(value: Any, random: Random) -> Any:
    """The JSON value with one value within it replaced."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice([*value])
        return {**value, name: with_odd_value(value[name], random)}
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [*value[:at], with_odd_value(value[at], random), *value[at + 1 :]]
    return random.choice(VALUES)


PATHS = ("chat/completions", "responses", "messages", "messages/count_tokens")


@pytest.mark.parametrize("seed", SEEDS)
def test_random_bodies_get_an_answer_or_a_refusal(gateway: Program, seed: int) -> None:
    random = Random(f"body {seed}")
    for _ in range(TRIES):
        path = random.choice(PATHS)
        given = {**BODY, "input": BODY["messages"], "max_output_tokens": 5}
        for _ in range(random.randint(1, 3)):
            given = with_odd_value(given, random)
        with ask(gateway.url, given, path=f"/v1/{path}") as stream:
            stream.response.read()
        assert stream.status in (200, 400, 404, 502), (stream.status, given)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_bytes_of_an_upstream_end_in_one_end(
    gateway: Program, upstream: Upstream, seed: int
) -> None:
    random = Random(f"upstream {seed}")
    pieces = [
        *[frame({"content": text}) for text in ("<think>I gre", "et.</thi", "nk>", "Hi", "!")],
        frame({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}),
        FINISH,
        DONE,
    ]
    for number in range(TRIES):
        format = random.choice(["events", "phased", "openai", "plain"])
        body = mutated(b"".join(pieces), random)
        cuts = sorted(random.sample(range(len(body)), 5))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        sent = chunked(filter(None, parts), end=random.random() < 0.8)
        if random.random() < 0.3:
            sent = [mutated(b"".join(sent), random)]
        model = upstream.set_script(f"{gateway.url} {seed} {number}", CHUNKED, *sent)
        with ask(gateway.url, request_body(model, gateway={"format": format})) as stream:
            if stream.status == 200:
                parse_stream(format, stream.read_all())  # checks the order, and the one end
            else:
                assert stream.status in (400, 429, 502, 503, 504)
