"""Random plans from a seed: the bytes and pauses of an upstream's answer, and how it ends.

A plan records the text that it sends before its fault, so that the client's view can be checked.
"""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SENTENCE = "the tank holds forty litres so pump four needs ten minutes for half of it"
WORDS = (
    *SENTENCE.split(),
    "\u6c34",
    "caf\u00e9",
    "\U0001f914",
    '"quoted"',
    "back\\slash",
    "tab\there",
)
STATUSES = (400, 401, 403, 404, 408, 413, 422, 429, 429, 500, 500, 502, 503)
CALLERS_FAULT = frozenset({400, 404, 413, 422})
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@dataclass
class Plan:
    """The steps of one answer."""

    kind: str
    steps: list[bytes | float] = field(default_factory=list)
    """What to write, and seconds to wait."""
    reasoning: str = ""
    answer: str = ""
    whole: bool = False
    """The answer is complete, so the client must see `done`; otherwise it must see a failure."""
    resets: bool = False
    """The connection ends with a reset, which may discard what was written."""
    keeps: bool = False
    """The connection can be used again."""
    hangs: bool = False
    """The connection stays open, but nothing more is sent."""
    blames_caller: bool = False
    speaks: bool = True
    """The model has sent text, so there must be no failover."""


def make_plan(seed: str) -> Plan:
    """Returns the plan of one attempt; the same seed gives the same plan."""
    rng = random.Random(seed)
    make = rng.choices((_well, _refusal, _silence, _fault), weights=(50, 12, 8, 30))[0]
    return make(rng)


def _refusal(rng: random.Random) -> Plan:
    status = rng.choice(STATUSES)
    body = json.dumps({"error": {"message": f"It is refused with {status}.", "type": "x"}}).encode()
    # Rare, because the gateway then sends the upstream nothing for a second.
    extra = "Retry-After: 1\r\n" if status == 429 and rng.random() < 0.1 else ""
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\n{extra}"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    plan = Plan(f"status {status}", [rng.random() / 4, head.encode() + body])
    plan.keeps, plan.speaks = True, False
    plan.blames_caller = status in CALLERS_FAULT
    return plan


def _silence(rng: random.Random) -> Plan:
    kind = rng.choice(["hangs", "closes", "resets", "redirects", "a web page"])
    plan = Plan(f"{kind} before the answer", [rng.random() / 4], speaks=False)
    plan.hangs, plan.resets = kind == "hangs", kind == "resets"
    if kind == "redirects":
        plan.steps.append(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
    elif kind == "a web page":
        page = b"<!doctype html><h1>Sign in</h1>"
        plan.steps.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
    return plan


def _well(rng: random.Random) -> Plan:
    plan, frames = _speech(rng, "well")
    plan.whole = True
    end = [_finish()]
    if rng.random() < 0.7:
        end.append({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    ending = _data(end) + rng.choice([b"data: [DONE]\n\n", b"", b"data: [DONE]\n\nafter\n\n"])
    _write(rng, plan, [*frames, ending], ends=True)
    return plan


def _fault(rng: random.Random) -> Plan:
    kind = rng.choice(
        ["cut", "cut in a frame", "reset", "stalls", "error frame", "bad JSON", "bad chunk"]
    )
    plan, frames = _speech(rng, kind)
    last = {
        "cut in a frame": b'data: {"choices":[{"delta":{"cont',
        "error frame": _data([{"error": {"message": "It broke.", "code": 500}}])
        + b"data: [DONE]\n\n",
        "bad JSON": b'data: {"choices":[{\n\n',
    }
    if kind in last:
        frames.append(last[kind])
    plan.resets, plan.hangs = kind == "reset", kind == "stalls"
    _write(rng, plan, frames, ends=False, chunk_lies=kind == "bad chunk")
    return plan


def _speech(rng: random.Random, kind: str) -> tuple[Plan, list[bytes]]:
    """Reasoning and answer in frames, complete or cut."""
    plan = Plan(kind)
    labelled = rng.random() < 0.5
    thoughts = _words(rng, rng.randint(1, 40))
    answers = _words(rng, rng.randint(1, 40))
    said = [(True, word) for word in thoughts] + [(False, word) for word in answers]
    if kind != "well":
        said = said[: rng.randint(1, len(said))]
    plan.reasoning = "".join(word for thinks, word in said if thinks)
    plan.answer = "".join(word for thinks, word in said if not thinks)
    frames = [_delta({"role": "assistant", "content": ""})]
    if not labelled:
        frames.append(_delta({"content": "<think>\n"}))
    thinking = True
    for thinks, word in said:
        if thinking and not thinks and not labelled:
            frames.append(_delta({"content": "\n</think>\n\n"}))
        thinking = thinks
        frames.append(_delta({"reasoning_content" if thinks and labelled else "content": word}))
    return plan, frames


def _write(
    rng: random.Random, plan: Plan, frames: list[bytes], *, ends: bool, chunk_lies: bool = False
) -> None:
    """Adds the frames as HTTP, in pieces that do not end where frames end."""
    if rng.random() < 0.2:
        frames = [frame.replace(b"\n", b"\r\n") for frame in frames]
    if rng.random() < 0.2:
        frames = [b": a comment\n\n", *frames]
    body = b"".join(frames)
    framing = "chunked" if chunk_lies else rng.choice(["chunked", "length", "close"])
    head = HEAD
    if framing == "chunked":
        head += "Transfer-Encoding: chunked\r\n"
    elif framing == "length":
        head += f"Content-Length: {len(body) + (0 if ends else 10)}\r\n"
    else:
        head += "Connection: close\r\n"
    plan.keeps = ends and framing != "close"
    steps: list[bytes | float] = [rng.random() / 4, head.encode() + b"\r\n"]
    count = rng.randint(1, max(1, min(24, len(body) // 40)))
    cuts = sorted(rng.randrange(len(body)) for _ in range(count - 1))
    pause_s = rng.choice([0.0, 0.05, 0.15, 0.3])
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        piece = body[start:end]
        if piece:
            steps.append(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            steps.append(pause_s)
    if chunk_lies:
        steps.append(b"zz\r\nnot a chunk\r\n")
    elif ends and framing == "chunked":
        steps.append(b"0\r\n\r\n")
    plan.steps = steps


def _words(rng: random.Random, count: int) -> list[str]:
    words = [f"{word} " for word in rng.choices(WORDS, k=count - 1)] + ["end."]
    if rng.random() < 0.01:
        words[0] = "x" * 200_000
    return words


def _delta(delta: dict[str, Any]) -> bytes:
    return _data([{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}])


def _finish() -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def _data(values: Iterable[object]) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values)
