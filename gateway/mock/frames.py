"""The pieces of a body, and their form as server-sent events. No I/O."""

import json
import re
import time
import uuid
from typing import Any, NamedTuple

TOKEN = re.compile(r"</?think>|\[/?THINK\]| ?[A-Za-z]+|'[a-z]+| ?[0-9]{1,3}|\n+| ?\S|\s")


class Delta(NamedTuple):
    """One token of the answer, or several that are sent together."""

    key: str
    value: Any
    tokens: int = 1
    reasoning: bool = False


class Frame(NamedTuple):
    """A pause, then these bytes of the body, or the end of the connection."""

    data: bytes = b""
    tokens: int = 0
    pause_s: float = 0
    cut: bool = False


Plan = list[Delta | Frame]
"""A streamed body before its deltas are encoded."""

DONE = Frame(b"data: [DONE]\n\n")


def split_tokens(text: str) -> list[str]:
    """The text's tokens; joined, they are the text."""
    return TOKEN.findall(text)


def encode(value: Any) -> bytes:
    r"""JSON in UTF-8; a lone surrogate becomes its \u escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def event(value: Any) -> bytes:
    """A server-sent event with the value as JSON."""
    return b"data: " + encode(value) + b"\n\n"


def chunk(head: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    """The event of one `chat.completion.chunk` with one choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event({**head, "choices": [choice]})


def make_head(model: str, stream: bool | None) -> dict[str, Any]:
    """The members that every chunk of an answer repeats, or that begin a whole answer."""
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk" if stream else "chat.completion",
        "created": int(time.time()),
        "model": model,
    }
