"""Events: what every output works with, whatever format was requested. No I/O.

They are named as in the gateway's `events` format.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.terminal.errors import ClientError
from gateway.terminal.sse import Decoder, Message
from gateway.terminal.text import strip_controls


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a turn."""

    name: str
    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of a delta or a summary, without control characters."""
        return strip_controls(str(self.data.get("text") or ""))


class LiveSummary:
    """Collects the live lines of a summary, for formats that have no event for the whole one."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, text: str) -> None:
        """Adds one line or more."""
        self._lines.append(text.strip("\n"))

    def take(self) -> list[Event]:
        """Returns the whole summary as an event, once; nothing if there are no lines."""
        text = "\n".join(self._lines).strip()
        self._lines.clear()
        return [Event("reasoning_summary", {"text": text})] if text else []


Adapter = Callable[[Message], list[Event]]
"""Turns a message of one format into events. Raises ClientError if it cannot be read."""


def decode_events(reads: Iterable[bytes], adapter: Adapter) -> Iterator[Event]:
    """The events of a stream, each as soon as its bytes are there. Raises ClientError."""
    decoder = Decoder()
    for data in reads:
        for message in decoder.feed(data):
            yield from adapter(message)
    for message in decoder.close():
        yield from adapter(message)


def parse_object(data: bytes) -> dict[str, Any]:
    """Parses a JSON object. Raises ClientError if it is anything else.

    Uses json because msgspec rejects lone surrogates, which some models send.
    """
    with suppress(ValueError, RecursionError):
        if isinstance(value := json.loads(data), dict):
            return value
    raise ClientError(f"expected a JSON object, got: {data[:80].decode('utf-8', 'replace')}")


def as_dict(value: Any) -> dict[str, Any]:
    """The value if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def failed_turn(event: Event) -> ClientError:
    """The error that a `failed` event reports."""
    message = as_dict(event.data.get("error")).get("message")
    return ClientError(f"the turn failed: {message or 'no reason given'}")
