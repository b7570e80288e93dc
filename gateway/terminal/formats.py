"""The formats: how each is asked for, and how what comes is read. One table: FORMATS."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.terminal.anthropic import Messages
from gateway.terminal.responses import Responses
from gateway.terminal.stream import Adapter, Chunks, named_events

CHAT_PATH = "/v1/chat/completions"
MESSAGES_MAX_TOKENS = 16_384
"""The Messages API wants a limit; room for long reasoning, within what most servers grant."""

Turns = list[dict[str, str]]
Body = dict[str, Any]


def messages_body(turns: Turns, options: Body) -> Body:
    """A body of the Messages API."""
    return {"messages": turns, "max_tokens": MESSAGES_MAX_TOKENS, "gateway": options}


def responses_body(turns: Turns, options: Body) -> Body:
    """A body of the Responses API."""
    return {"input": turns, "reasoning": {"summary": "auto"}, "gateway": options}


class Format(NamedTuple):
    """How a format is asked for and read."""

    adapter: Callable[[str], Adapter]
    """Makes the adapter of one turn, by the reasoning that was asked for."""
    path: str = CHAT_PATH
    body: Callable[[Turns, Body], Body] | None = None
    """None: a chat completion request that names the format."""
    live_with_trace: bool = True
    """Does `both` carry the live lines as well as the trace?"""


FORMATS: dict[str, Format] = {
    "events": Format(lambda _: named_events),
    "phased": Format(lambda _: Chunks()),
    "openai": Format(lambda _: Chunks()),
    "plain": Format(lambda _: Chunks()),
    "responses": Format(lambda _: Responses(), "/v1/responses", responses_body),
    "messages": Format(Messages, "/v1/messages", messages_body, live_with_trace=False),
}


def body_of(format: str, turns: Turns, options: Body) -> Body:
    """The body that asks for these turns in this format."""
    if make := FORMATS[format].body:
        return make(turns, options)
    return {"messages": turns, "gateway": {"format": format, **options}}
