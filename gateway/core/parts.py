"""What an upstream's stream is made of: values between a reader and the turn.

A reader joins neighbouring pieces of the same kind that came in one read, so that the work behind
it is done once a read and not once a token.
"""

from typing import Any

import msgspec


class Content(msgspec.Struct, frozen=True):
    """Text in which reasoning and answer are still mixed."""

    text: str


class Reasoning(msgspec.Struct, frozen=True):
    """Text that the upstream itself labelled as reasoning."""

    text: str


class Label(msgspec.Struct, frozen=True):
    """The upstream sends a field for reasoning, though it is empty; said once."""


class ToolCalls(msgspec.Struct, frozen=True):
    """Items of `tool_calls` lists; their `index` counts the answer's calls from 0."""

    calls: list[dict[str, Any]]


class Other(msgspec.Struct, frozen=True):
    """What is handed on as it came; see gateway.core.events.Extra."""

    delta: dict[str, Any] = {}
    """Fields of a delta that the gateway does not know."""
    choice: dict[str, Any] = {}
    """`logprobs`."""
    chunk: dict[str, Any] = {}
    """`system_fingerprint` and `service_tier`, when they are new."""


class Usage(msgspec.Struct, frozen=True):
    """Token counts as the upstream gave them."""

    usage: dict[str, Any]


class Finish(msgspec.Struct, frozen=True):
    """The model has stopped; only usage and the end may follow."""

    reason: str
    stop_sequence: str | None = None
    """Which of the request's stop sequences it was, where the server says it."""


class End(msgspec.Struct, frozen=True):
    """The upstream said that its stream is whole."""


class Fault(msgspec.Struct, frozen=True):
    """The stream says, or shows, that something broke."""

    message: str
    code: str | None = None
    status: int = 0
    """The HTTP status that the upstream names, as if it had answered with it; 0: none."""


Part = Content | Reasoning | Label | ToolCalls | Other | Usage | Finish | End | Fault
