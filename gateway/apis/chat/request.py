"""Chat completion requests, and the gateway's own `prompt` requests."""

from typing import Any, get_args

import msgspec

from gateway.apis.base import ChatRequest, Options
from gateway.apis.history import without_reasoning
from gateway.apis.json import convert
from gateway.config import Config, Format
from gateway.errors import BadRequest

_FORMATS: tuple[Format, ...] = get_args(Format)
MAX_CHOICES = 128
"""As many as OpenAI takes."""


class Message(msgspec.Struct, frozen=True):
    """As much of a message as the gateway looks at."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatBody(msgspec.Struct, frozen=True):
    """As much of a body as the gateway looks at."""

    model: str | None = None
    messages: list[Message] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None
    gateway: Options | None = None


def choose_format(body: dict[str, Any], of_path: str | None, config: Config) -> str:
    """The format that a request asks for, even when something else in it is wrong."""
    options = body.get("gateway")
    named = options.get("format") if isinstance(options, dict) else None
    for format in _FORMATS:
        if named == format:
            return format
    return of_path or ("plain" if _is_prompt_request(body, of_path) else config.default_format)


def read_chat(body: dict[str, Any], of_path: str | None, config: Config) -> ChatRequest:
    """A body as a request. Raises BadRequest."""
    format = choose_format(body, of_path, config)
    if _is_prompt_request(body, of_path):
        body = body | {"messages": _messages_of_prompt(body, config.max_prompt_chars)}
    elif "prompt" in body:
        raise BadRequest("Send either messages or prompt, not both.", param="prompt")
    asked = convert(body, ChatBody)
    if not asked.messages:
        raise BadRequest("messages must hold at least one message.", param="messages")
    choices = 1 if asked.n is None else asked.n
    if not 1 <= choices <= MAX_CHOICES:
        raise BadRequest(f"n must be between 1 and {MAX_CHOICES}.", param="n")
    if choices > 1 and asked.stream and format != "openai":
        raise BadRequest(
            "n must be 1: several answers can't share the phases of one stream. "
            "Use the format openai, or stream false.",
            param="n",
        )
    sent = {name: value for name, value in body.items() if name not in ("gateway", "prompt")}
    return ChatRequest(
        dialect=format,
        model=asked.model or "",
        stream=bool(asked.stream),
        include_usage=bool((asked.stream_options or {}).get("include_usage")),
        choices=choices,
        options=asked.gateway or Options(),
        body=sent | {"messages": without_reasoning(body["messages"])},
    )


def _is_prompt_request(body: dict[str, Any], of_path: str | None) -> bool:
    return "messages" not in body and ("prompt" in body or of_path == "plain")


def _messages_of_prompt(body: dict[str, Any], max_chars: int) -> list[dict[str, str]]:
    """The one message of a prompt request. The sentences are part of the public contract."""
    prompt = body.get("prompt") or ""
    if not isinstance(prompt, str):
        raise BadRequest("Prompt must be a string", param="prompt")
    if not prompt.strip():
        raise BadRequest("Prompt cannot be empty", param="prompt")
    if len(prompt) > max_chars:
        raise BadRequest("Prompt exceeds maximum length", param="prompt")
    if body.get("stream") is not True:
        raise BadRequest("stream parameter must be true", param="stream")
    return [{"role": "user", "content": prompt}]
