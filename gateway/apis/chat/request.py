"""Reads chat completion requests, and the gateway's own `prompt` requests."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import msgspec

from gateway.apis.base import ChatRequest, Options
from gateway.apis.chat.sealed import open_sealed
from gateway.apis.content import text_part
from gateway.apis.history import (
    hand_back,
    newest_of_user,
    note_shown,
    reasoning_in,
    take_notes,
    with_one_system_message,
    with_results_of_calls,
    without_notes,
    without_reasoning,
)
from gateway.apis.json import convert
from gateway.apis.members import for_servers
from gateway.apis.seal import sealer
from gateway.config import Config, Format, ReasoningMode
from gateway.core.sse import dumps
from gateway.core.thoughts import Shown, ThoughtRecord
from gateway.errors import BadRequest

_OTHER_ROLES = frozenset({"assistant", "developer", "function", "system", "tool"})
"""Roles of messages that the user has not written."""
_SEALING = ("openai", "phased")
"""Formats whose chunks and messages have a field for the model's sealed thoughts."""
_FORMATS: tuple[Format, ...] = get_args(Format)
MAX_CHOICES = 8
"""The largest `n`. Each choice reads the stream of all choices, so the work grows with n²."""


class RequestMessage(msgspec.Struct, frozen=True):
    """The members of a message that the gateway reads."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatBody(msgspec.Struct, frozen=True):
    """The members of a body that the gateway reads."""

    model: str | None = None
    messages: list[RequestMessage] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None
    gateway: Options | None = None


def choose_format(body: dict[str, Any], path_format: str | None, config: Config) -> str:
    """Returns the format that a request asks for, even if the rest of its body is invalid."""
    options = body.get("gateway")
    named = options.get("format") if isinstance(options, dict) else None
    for format in _FORMATS:
        if named == format:
            return format
    return path_format or (
        "plain" if _is_prompt_request(body, path_format) else config.default_format
    )


def read_chat(body: dict[str, Any], path_format: str | None, config: Config) -> ChatRequest:
    """Returns the checked request. Raises BadRequest."""
    format = choose_format(body, path_format, config)
    if _is_prompt_request(body, path_format):
        body = body | {"messages": _prompt_messages(body, config.max_prompt_chars)}
    elif "prompt" in body:
        raise BadRequest("Send either messages or prompt, not both.", param="prompt")
    messages = body.get("messages")
    is_list = isinstance(messages, list)
    request = convert(body | {"messages": []} if is_list else body, ChatBody)
    if not messages:
        raise BadRequest("messages must hold at least one message.", param="messages")
    choices = 1 if request.n is None else request.n
    if not 1 <= choices <= MAX_CHOICES:
        raise BadRequest(f"n must be between 1 and {MAX_CHOICES}.", param="n")
    if choices > 1 and request.stream and format != "openai":
        raise BadRequest(
            "n must be 1: several answers can't share the phases of one stream. "
            "Use the format openai, or stream false.",
            param="n",
        )
    open_seal = partial(sealer(config.seal_keys).open, request.model or "")
    options = request.gateway or Options()
    conversation = _conversation(messages, open_seal, options.reasoning)
    notes = take_notes(with_results_of_calls(with_one_system_message(conversation)))
    members = for_servers(body)
    upstream_body = {name: members[name] for name in members if name not in ("gateway", "prompt")}
    return ChatRequest(
        dialect=format,
        model=request.model or "",
        stream=bool(request.stream),
        include_usage=bool((request.stream_options or {}).get("include_usage")),
        choices=choices,
        options=options,
        body=upstream_body | {"messages": notes.messages},
        conversation=conversation,
        thoughts=notes.thoughts,
        shown=notes.shown,
        seals_thoughts="wanted" if format in _SEALING else "never",
        echo={"functions": True} if body.get("functions") else {},
    )


def _conversation(
    messages: list[Any], open_seal: Callable[[str], ThoughtRecord | None], mode: ReasoningMode
) -> list[dict[str, Any]]:
    """Returns the messages without their reasoning, which is noted in them; see Notes."""
    found = []
    for message in _read_messages(messages):
        message = without_notes(message)
        if message.get("role") == "assistant":
            hand_back(message, open_sealed(message, open_seal))
            note_shown(message, Shown.of(reasoning_in(message), mode))
        found.append(message)
    return without_reasoning(found)


def _read_messages(messages: list[Any]) -> list[dict[str, Any]]:
    """Returns the messages in a form that servers accept. Raises BadRequest.

    Only the newest message of the user is refused for its form. The others are history, which the
    user can't change.
    """
    newest = newest_of_user(messages, _is_users)
    if newest >= 0:
        path = f"messages[{newest}]"
        if convert(messages[newest], RequestMessage, path).content is None:
            raise BadRequest(f"{path}.content: it is required.", param=f"{path}.content")
    kept = [
        message if at == newest else _readable(message)
        for at, message in enumerate(messages)
        if at == newest or _can_be_kept(message)
    ]
    if not kept:
        raise BadRequest("messages must hold at least one message.", param="messages")
    return kept


def _can_be_kept(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        return False
    return message["role"] != "user" or message.get("content") is not None


def _is_users(message: Any) -> bool:
    """Returns whether the user may have written the message: it has no other known role."""
    role = message.get("role") if isinstance(message, dict) else None
    return not (isinstance(role, str) and role in _OTHER_ROLES)


def _readable(message: dict[str, Any]) -> dict[str, Any]:
    """Returns the message with a content that is a text, a list of parts, or null."""
    content = message.get("content")
    if isinstance(content, list):
        if all(isinstance(part, dict) for part in content):
            return message
        parts = [text_part(part) if isinstance(part, str) else part for part in content]
        return {**message, "content": [part for part in parts if isinstance(part, dict)]}
    if content is None and message.get("role") == "tool":
        return {**message, "content": ""}
    if content is None or isinstance(content, str):
        return message
    return {**message, "content": dumps(content)}


def _is_prompt_request(body: dict[str, Any], path_format: str | None) -> bool:
    return "messages" not in body and ("prompt" in body or path_format == "plain")


def _prompt_messages(body: dict[str, Any], max_chars: int) -> list[dict[str, str]]:
    """Returns the messages of a prompt request. The public contract fixes the error messages."""
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
