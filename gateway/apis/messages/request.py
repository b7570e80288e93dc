"""Converts Anthropic's Messages requests to chat completion requests.

Members that only have a meaning for Anthropic's servers (`cache_control`, `service_tier` …) are
accepted and dropped.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import msgspec

from gateway.apis.base import ChatRequest, Options
from gateway.apis.content import PARAGRAPH_BREAK
from gateway.apis.history import (
    take_notes,
    with_one_system_message,
    with_results_of_calls,
    without_notes,
    without_reasoning,
)
from gateway.apis.members import for_servers
from gateway.apis.messages.history import readable_messages, readable_system
from gateway.apis.messages.input_blocks import InputMessage, TextBlock, chat_messages, invalid
from gateway.apis.seal import sealer
from gateway.config import Config, ReasoningMode, SummaryRule
from gateway.config.validation import explain
from gateway.core.budgets import THINKING_OFF
from gateway.core.thoughts import ThoughtRecord
from gateway.core.tokens import estimate_prompt
from gateway.errors import BadRequest

_EFFORTS = {"xhigh": "high", "max": "high"}
"""Replacements for efforts that some model servers refuse."""
_SAME_MEMBERS = ("model", "max_tokens", "temperature", "top_p", "top_k")
"""Members with the same name and meaning in a chat completion request."""


class _Tool(msgspec.Struct, frozen=True):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    eager_input_streaming: bool | None = None


class _ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    display: Literal["summarized", "omitted", "updates"] | None = None


class _OutputFormat(msgspec.Struct, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class _OutputConfig(msgspec.Struct, frozen=True):
    effort: str | None = None
    format: _OutputFormat | None = None


class _Metadata(msgspec.Struct, frozen=True):
    user_id: str | None = None


class MessagesBody(msgspec.Struct, frozen=True):
    """The members of a body that the gateway reads."""

    messages: list[InputMessage]
    model: str | None = None
    system: str | list[TextBlock] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    metadata: _Metadata | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _OutputFormat | None = None
    gateway: Options | None = None


def read_messages(body: dict[str, Any], _path_format: str | None, config: Config) -> ChatRequest:
    """Returns the checked request. Raises BadRequest."""
    request = _read(body)
    if request.max_tokens is None:
        raise invalid("max_tokens", "it is required")
    if request.max_tokens < 1:
        raise invalid("max_tokens", "it must be at least 1")
    options = request.gateway or Options()
    if options.format is not None:
        raise invalid("gateway.format", "this path has only one format; leave it out")
    is_set = "reasoning" in (body.get("gateway") or ())
    mode = options.reasoning
    if not is_set:
        mode = _reasoning_mode(request.thinking, config.messages_summary)
    display = request.thinking.display if request.thinking else None
    is_omitted = mode != "none" and display == "omitted"
    open_seal = partial(sealer(config.seal_keys).open, request.model or "")
    conversation = _conversation(request, body["messages"], open_seal, mode)
    chat = _chat_request(request, body, conversation)
    notes = take_notes(chat["messages"])
    chat["messages"] = notes.messages
    return ChatRequest(
        dialect="messages",
        model=request.model or "",
        stream=bool(request.stream),
        options=msgspec.structs.replace(options, reasoning="none" if is_omitted else mode),
        body=chat,
        conversation=conversation,
        thoughts=notes.thoughts,
        shown=notes.shown,
        seals_thoughts="always",
        echo={
            **({"display": "omitted"} if is_omitted else {}),
            **({"tools": True} if chat.get("tools") else {}),
            "eager_tools": [
                tool.name for tool in request.tools or () if tool.eager_input_streaming
            ],
        },
        prompt_tokens=estimate_prompt(chat),
    )


def count_tokens(body: dict[str, Any]) -> int:
    """Returns an estimate of the tokens in the prompt of a request. Raises BadRequest."""
    request = _read(body)
    conversation = _conversation(request, body["messages"], lambda _: None, "none")
    chat = _chat_request(request, body, list(map(without_notes, conversation)))
    return estimate_prompt(chat)


def _read(body: dict[str, Any]) -> MessagesBody:
    """Returns the request without its messages, which :func:`_conversation` reads."""
    messages = body.get("messages")
    for name, readable in (("tools", _known_tools), ("system", readable_system)):
        if isinstance(given := body.get(name), list):
            body = body | {name: readable(given)}
    request = _convert(body | {"messages": []} if isinstance(messages, list) else body)
    if not messages:
        raise invalid("messages", "at least one message is required")
    return request


def _known_tools(tools: list[Any]) -> list[Any]:
    """Leaves out tools that only Anthropic's servers or models know."""
    return [
        tool
        for tool in tools
        if not isinstance(tool, dict)
        or tool.get("type") in (None, "custom")
        or tool.get("input_schema") is not None
    ]


def _convert(body: dict[str, Any]) -> MessagesBody:
    try:
        return msgspec.convert(body, MessagesBody)
    except msgspec.ValidationError as error:
        raise _invalid(error, MessagesBody) from None


def _read_message(message: Any, at: int) -> InputMessage:
    try:
        return msgspec.convert(message, InputMessage)
    except msgspec.ValidationError as error:
        raise _invalid(error, InputMessage, f"messages.{at}") from None


def _invalid(error: msgspec.ValidationError, expected: Any, where: str = "") -> BadRequest:
    path, problem = explain(error, expected)
    # Anthropic writes `messages.0.role`, msgspec `messages[0].role`.
    path = re.sub(r"\[(\w+)\]", r".\1", f"{where}.{path}".strip("."))
    return invalid(path or "body", problem)


def _reasoning_mode(thinking: _Thinking | None, summary: SummaryRule) -> ReasoningMode:
    is_enabled = thinking is not None and thinking.type != "disabled"
    return "summary" if is_enabled or summary == "always" else "none"


def _conversation(
    request: MessagesBody,
    messages: list[Any],
    open_seal: Callable[[str], ThoughtRecord | None],
    mode: ReasoningMode,
) -> list[dict[str, Any]]:
    """Returns the chat messages with the client's own roles."""
    read = [(at, _read_message(message, at)) for at, message in readable_messages(messages)]
    chat = chat_messages(read, open_seal, mode)
    return without_reasoning([*_system_messages(request.system), *chat])


def _chat_request(
    request: MessagesBody, body: dict[str, Any], conversation: list[dict[str, Any]]
) -> dict[str, Any]:
    chat = {name: body[name] for name in _SAME_MEMBERS if body.get(name) is not None}
    chat["messages"] = with_results_of_calls(with_one_system_message(conversation))
    if request.stop_sequences:
        chat["stop"] = request.stop_sequences
    if request.metadata and request.metadata.user_id:
        chat["user"] = request.metadata.user_id
    if request.tools:
        chat["tools"] = [_tool(tool, f"tools.{at}") for at, tool in enumerate(request.tools)]
    if request.tool_choice:
        chat |= _tool_choice(request.tool_choice)
    if body.get("tools") and not _can_choose(chat):
        chat.pop("tool_choice", None)  # its tools were left out
    config = request.output_config or _OutputConfig()
    if format := config.format or request.output_format:
        schema = {"name": "output", "schema": format.schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.thinking and request.thinking.type == "disabled":
        chat |= THINKING_OFF
    elif config.effort:
        chat["reasoning_effort"] = _EFFORTS.get(config.effort, config.effort)
    return for_servers(chat)


def _system_messages(system: str | list[TextBlock] | None) -> Iterator[dict[str, str]]:
    if system:
        texts = [system] if isinstance(system, str) else [block.text for block in system]
        yield {"role": "system", "content": PARAGRAPH_BREAK.join(texts)}


def _tool(tool: _Tool, path: str) -> dict[str, Any]:
    if tool.input_schema is None:
        raise invalid(f"{path}.input_schema", "it is required")
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
        "strict": tool.strict,
    }
    function = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": function}


def _can_choose(chat: dict[str, Any]) -> bool:
    """Returns whether there are tools, with the one that the request chooses, if any."""
    names = {tool["function"]["name"] for tool in chat.get("tools", ())}
    choice = chat.get("tool_choice")
    return choice["function"]["name"] in names if isinstance(choice, dict) else bool(names)


def _tool_choice(choice: _ToolChoice) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if choice.type == "tool":
        if choice.name is None:
            raise invalid("tool_choice.name", "it is required")
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        chat["tool_choice"] = "required" if choice.type == "any" else choice.type
    if choice.disable_parallel_tool_use:
        chat["parallel_tool_calls"] = False
    return chat
