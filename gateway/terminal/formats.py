"""The formats: how to request each, and how to read the response. One table: FORMATS."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gateway.terminal.chat import ChunkAdapter, read_named_event
from gateway.terminal.events import Adapter
from gateway.terminal.messages import MessagesAdapter
from gateway.terminal.responses import ResponsesAdapter

CHAT_PATH = "/v1/chat/completions"
MESSAGES_MAX_TOKENS = 16_384
"""The Messages API requires a limit: room for long reasoning, within what most servers allow."""

ChatMessages = list[dict[str, str]]
Body = dict[str, Any]


def messages_body(messages: ChatMessages, options: Body) -> Body:
    """A request body of the Messages API."""
    return {"messages": messages, "max_tokens": MESSAGES_MAX_TOKENS, "gateway": options}


def responses_body(messages: ChatMessages, options: Body) -> Body:
    """A request body of the Responses API."""
    return {"input": messages, "reasoning": {"summary": "auto"}, "gateway": options}


class Format(NamedTuple):
    """How to request a format and read the response."""

    make_adapter: Callable[[str], Adapter]
    """Makes the adapter for one turn from the value of `--reasoning`."""
    path: str = CHAT_PATH
    make_body: Callable[[ChatMessages, Body], Body] | None = None
    """None for a chat completion request, which names its format."""
    live_with_trace: bool = True
    """With `--reasoning both`, the stream has both the live summary lines and the trace."""


FORMATS: dict[str, Format] = {
    "events": Format(lambda _: read_named_event),
    "phased": Format(lambda _: ChunkAdapter()),
    "openai": Format(lambda _: ChunkAdapter()),
    "plain": Format(lambda _: ChunkAdapter()),
    "responses": Format(lambda _: ResponsesAdapter(), "/v1/responses", responses_body),
    "messages": Format(MessagesAdapter, "/v1/messages", messages_body, live_with_trace=False),
}


def request_body(format: str, messages: ChatMessages, options: Body) -> Body:
    """The request body for these messages in this format; `options` is its `gateway` object."""
    if make_body := FORMATS[format].make_body:
        return make_body(messages, options)
    return {"messages": messages, "gateway": {"format": format, **options}}
