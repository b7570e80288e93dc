"""Converts requests of Ollama's API to chat completion requests.

Members and options that only have a meaning for Ollama's own server (`keep_alive`, `num_ctx` …) are
accepted and dropped.
"""

from typing import Any

import msgspec

from gateway.apis.base import Answer, ChatRequest, Options, ReadyAnswer
from gateway.apis.history import (
    take_notes,
    with_one_system_message,
    with_results_of_calls,
    without_reasoning,
)
from gateway.apis.json import convert
from gateway.apis.ollama.messages import chat_messages, user_message
from gateway.apis.ollama.stream import GENERATE, head, message
from gateway.config import Config, ReasoningMode
from gateway.core.budgets import THINKING_OFF
from gateway.core.tokens import estimate_prompt
from gateway.errors import BadRequest

_LEVELS = {"low": "low", "medium": "medium", "high": "high", "max": "high"}
"""Levels of `think` → efforts; some model servers refuse `max`."""
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repetition_penalty",
    "num_predict": "max_tokens",
}
"""Options → members of a chat completion request."""
_ONLY_OLLAMA = ("suffix", "raw", "template", "context")
"""Members of `/api/generate` that control how the prompt is built; here, the model server builds
it."""


class ModelOptions(msgspec.Struct, frozen=True):
    """The options that reach the model server; others are dropped."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    num_predict: int | None = None
    stop: str | list[str] | None = None


class OllamaBody(msgspec.Struct, frozen=True, kw_only=True):
    """The members that requests for a chat and for a text have in common."""

    model: str = ""
    stream: bool | None = None
    think: bool | str | None = None
    format: str | dict[str, Any] | None = None
    options: ModelOptions | None = None
    keep_alive: str | float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    gateway: Options | None = None


class ChatBody(OllamaBody, frozen=True, kw_only=True):
    """The members of a body that the gateway reads. Messages are read one by one."""

    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None


class GenerateBody(OllamaBody, frozen=True, kw_only=True):
    """The members of a body of `/api/generate` that the gateway reads."""

    prompt: str | None = None
    system: str | None = None
    images: list[str] | None = None
    suffix: str | None = None
    raw: bool | None = None
    template: str | None = None
    context: list[int] | None = None


def read_chat(
    body: dict[str, Any], _path_format: str | None, _config: Config
) -> ChatRequest | ReadyAnswer:
    """Returns the checked request of `/api/chat`. Raises BadRequest."""
    messages = body.get("messages")
    is_list = isinstance(messages, list)
    request = convert(body | {"messages": []} if is_list else body, ChatBody)
    _check(request)
    if not messages:
        return _load(request, {})
    conversation = without_reasoning(chat_messages(messages, _mode(request, body)))
    if not conversation:
        raise BadRequest("messages must hold a message with a content.", param="messages")
    chat = _chat_request(request, body, conversation)
    if request.tools:
        chat["tools"] = request.tools
    return _request(request, body, chat, conversation, {"tools": True} if request.tools else {})


def read_generate(
    body: dict[str, Any], _path_format: str | None, _config: Config
) -> ChatRequest | ReadyAnswer:
    """Returns the checked request of `/api/generate`. Raises BadRequest."""
    request = convert(body, GenerateBody)
    _check(request)
    for name in _ONLY_OLLAMA:
        if getattr(request, name):
            raise BadRequest(
                f"{name}: the model server builds the prompt; use /api/chat, or leave it out.",
                param=name,
            )
    if not request.prompt and not request.images:
        return _load(request, {GENERATE: True})
    conversation = [user_message(request.prompt or "", request.images or (), "")]
    if request.system:
        conversation.insert(0, {"role": "system", "content": request.system})
    chat = _chat_request(request, body, conversation)
    return _request(request, body, chat, conversation, {GENERATE: True})


def _check(request: OllamaBody) -> None:
    if not request.model:
        raise BadRequest("model is required", param="model")
    if isinstance(request.think, str) and request.think not in _LEVELS:
        raise BadRequest(
            f'invalid think value: "{request.think}" '
            '(must be "high", "medium", "low", "max", true, or false)',
            param="think",
        )
    if request.gateway is not None and request.gateway.format is not None:
        raise BadRequest(
            "gateway.format: this path has only one format; leave it out.", param="gateway.format"
        )


def _load(request: OllamaBody, echo: dict[str, Any]) -> ReadyAnswer:
    """Returns the answer to a request without a prompt, which loads or unloads a model."""
    reason = "unload" if request.keep_alive in (0, "0", "0s", "0m", "0h") else "load"
    end = {"done": True, "done_reason": reason}

    def body(now: int) -> dict[str, Any]:
        answer = Answer(id="", model=request.model, created=now, echo=echo)
        return head(answer) | message(answer, {"content": ""}) | end

    return ReadyAnswer(request.model, body)


def _request(
    request: OllamaBody,
    body: dict[str, Any],
    chat: dict[str, Any],
    conversation: list[dict[str, Any]],
    echo: dict[str, Any],
) -> ChatRequest:
    notes = take_notes(chat["messages"])
    chat["messages"] = notes.messages
    options = msgspec.structs.replace(request.gateway or Options(), reasoning=_mode(request, body))
    return ChatRequest(
        dialect="ollama",
        model=request.model,
        stream=request.stream is not False,
        options=options,
        body=chat,
        conversation=conversation,
        shown=notes.shown,
        echo=echo,
        prompt_tokens=estimate_prompt(chat),
    )


def _mode(request: OllamaBody, body: dict[str, Any]) -> ReasoningMode:
    if request.think is False and "reasoning" not in (body.get("gateway") or ()):
        return "none"
    return (request.gateway or Options()).reasoning


def _chat_request(
    request: OllamaBody, body: dict[str, Any], conversation: list[dict[str, Any]]
) -> dict[str, Any]:
    chat: dict[str, Any] = {
        "model": request.model,
        "messages": with_results_of_calls(with_one_system_message(conversation)),
    }
    given = body.get("options") or {}
    for name, member in _OPTIONS.items():
        if (value := given.get(name)) is not None:
            chat[member] = value
    if chat.get("max_tokens", 1) < 1:
        del chat["max_tokens"]  # Ollama's -1 and -2: no limit
    if stop := given.get("stop"):
        chat["stop"] = stop
    if request.format == "json":
        chat["response_format"] = {"type": "json_object"}
    elif request.format and isinstance(request.format, dict):
        schema = {"name": "output", "schema": request.format}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.format:
        raise BadRequest('format: it must be "json" or a JSON schema.', param="format")
    if request.logprobs:
        chat["logprobs"] = True
        if request.top_logprobs is not None:
            chat["top_logprobs"] = request.top_logprobs
    if request.think is False:
        chat |= THINKING_OFF
    elif isinstance(request.think, str):
        chat["reasoning_effort"] = _LEVELS[request.think]
    return chat
