"""Anthropic's Messages requests as chat completion requests.

What only means something at Anthropic (`cache_control`, `service_tier` …) is taken and left out.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from gateway.apis.base import ChatRequest, Options
from gateway.apis.content import PARAGRAPHS
from gateway.apis.history import without_reasoning
from gateway.apis.messages.input_blocks import Message, Text, chat_messages, fault
from gateway.config import Config, ReasoningMode, SummaryRule
from gateway.config.validation import explain
from gateway.core.tokens import estimate_prompt

_EFFORTS = {"xhigh": "high", "max": "high"}
"""Efforts that not every model server knows."""
_THINKING_OFF = {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
"""What the chat templates of open models look for, by either name."""
_SAME = ("model", "max_tokens", "temperature", "top_p", "top_k")
"""Members that a chat completion request has too, with the same meaning."""


class _Tool(msgspec.Struct, frozen=True):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class _ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    display: Literal["summarized", "omitted", "updates"] | None = None


class _Format(msgspec.Struct, frozen=True):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class _OutputConfig(msgspec.Struct, frozen=True):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(msgspec.Struct, frozen=True):
    user_id: str | None = None


class MessagesBody(msgspec.Struct, frozen=True):
    """As much of a body as the gateway looks at."""

    messages: list[Message]
    model: str | None = None
    system: str | list[Text] | None = None
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
    output_format: _Format | None = None
    gateway: Options | None = None


def read_messages(body: dict[str, Any], _format: str | None, config: Config) -> ChatRequest:
    """A body as a request. Raises BadRequest."""
    asked = _read(body)
    if asked.max_tokens is None:
        raise fault("max_tokens", "it is required")
    if asked.max_tokens < 1:
        raise fault("max_tokens", "it must be at least 1")
    options = asked.gateway or Options()
    if options.format is not None:
        raise fault("gateway.format", "this path has one format; leave it out")
    named = "reasoning" in (body.get("gateway") or ())
    shown = options.reasoning if named else _reasoning(asked.thinking, config.messages_summary)
    omitted = shown != "none" and asked.thinking is not None and asked.thinking.display == "omitted"
    chat = _chat(asked, body)
    return ChatRequest(
        dialect="messages",
        model=asked.model or "",
        stream=bool(asked.stream),
        options=msgspec.structs.replace(options, reasoning="none" if omitted else shown),
        body=chat,
        echo={"display": "omitted"} if omitted else {},
        prompt_tokens=estimate_prompt(chat),
    )


def count_tokens(body: dict[str, Any]) -> int:
    """About how many tokens the prompt of a request has. Raises BadRequest."""
    return estimate_prompt(_chat(_read(body), body))


def _read(body: dict[str, Any]) -> MessagesBody:
    try:
        asked = msgspec.convert(body, MessagesBody)
    except msgspec.ValidationError as error:
        path, what = explain(error, MessagesBody)
        raise fault(re.sub(r"\[(\w+)\]", r".\1", path) or "body", what) from None
    if not asked.messages:
        raise fault("messages", "at least one message is required")
    return asked


def _reasoning(thinking: _Thinking | None, summary: SummaryRule) -> ReasoningMode:
    """Thinking is shown to those who asked for it."""
    asked = thinking is not None and thinking.type != "disabled"
    return "summary" if asked or summary == "always" else "none"


def _chat(asked: MessagesBody, body: dict[str, Any]) -> dict[str, Any]:
    """The chat completion request."""
    chat = {name: body[name] for name in _SAME if body.get(name) is not None}
    messages = [*_system(asked.system), *chat_messages(asked.messages)]
    chat["messages"] = without_reasoning(messages)
    if asked.stop_sequences:
        chat["stop"] = asked.stop_sequences
    if asked.metadata and asked.metadata.user_id:
        chat["user"] = asked.metadata.user_id
    if asked.tools:
        chat["tools"] = [_tool(tool, f"tools.{at}") for at, tool in enumerate(asked.tools)]
    if asked.tool_choice:
        chat |= _tool_choice(asked.tool_choice)
    config = asked.output_config or _OutputConfig()
    if format := config.format or asked.output_format:
        schema = {"name": "output", "schema": format.schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if asked.thinking and asked.thinking.type == "disabled":
        chat |= _THINKING_OFF
    elif config.effort:
        chat["reasoning_effort"] = _EFFORTS.get(config.effort, config.effort)
    return chat


def _system(system: str | list[Text] | None) -> Iterator[dict[str, str]]:
    if system:
        texts = [system] if isinstance(system, str) else [block.text for block in system]
        yield {"role": "system", "content": PARAGRAPHS.join(texts)}


def _tool(tool: _Tool, path: str) -> dict[str, Any]:
    if tool.type not in (None, "custom"):
        raise fault(f"{path}.type", f"{tool.type} is a tool of Anthropic's; send tools of your own")
    if tool.input_schema is None:
        raise fault(f"{path}.input_schema", "it is required")
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.input_schema,
        "strict": tool.strict,
    }
    known = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": known}


def _tool_choice(choice: _ToolChoice) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if choice.type == "tool":
        if choice.name is None:
            raise fault("tool_choice.name", "it is required")
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        chat["tool_choice"] = "required" if choice.type == "any" else choice.type
    if choice.disable_parallel_tool_use:
        chat["parallel_tool_calls"] = False
    return chat
