"""Converts requests of OpenAI's Responses API to chat completion requests.

Members that the API does not define go to the model server unchanged, as in the chat API: `top_k`
or `chat_template_kwargs`, for example.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec

from gateway.apis.base import ChatRequest, Keep, Options
from gateway.apis.history import (
    take_notes,
    with_one_system_message,
    with_results_of_calls,
    without_reasoning,
)
from gateway.apis.json import convert, unsupported
from gateway.apis.members import for_servers
from gateway.apis.responses.compaction import (
    asks_for_compaction,
    kept_messages,
    with_instruction,
    with_trigger,
)
from gateway.apis.responses.history import readable_items
from gateway.apis.responses.input_items import chat_messages
from gateway.apis.responses.stored import items_of
from gateway.apis.responses.stream import COMPACTION, COMPLETED_AT_LENGTH, KEPT_MESSAGES
from gateway.apis.responses.tools import Tool, chat_tools, flat_name, is_known
from gateway.apis.seal import sealer
from gateway.config import Config, ReasoningMode, SummaryRule
from gateway.core.thoughts import ThoughtRecord
from gateway.core.tokens import estimate_prompt
from gateway.errors import BadRequest

_SAME_MEMBERS = (
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "service_tier",
    "user",
    "safety_identifier",
    "prompt_cache_key",
)
"""Members with the same name and meaning in a chat completion request."""
_ECHOED_MEMBERS = (
    "instructions",
    "frequency_penalty",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
)
"""Members that the response repeats."""
_CALLED = ("function", "custom")
"""Types of tools that `tool_choice` can name."""
_SEALED_REASONING = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"


class _Reasoning(msgspec.Struct, frozen=True):
    effort: str | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class _TextFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class _TextConfig(msgspec.Struct, frozen=True):
    format: _TextFormat | None = None
    verbosity: str | None = None


class _NamedTool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    namespace: str | None = None


class _ToolChoice(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    namespace: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[_NamedTool] | None = None


class ResponsesBody(msgspec.Struct, frozen=True):
    """The members of a body that the gateway reads."""

    input: str | list[dict[str, Any]] | None = None
    model: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _ToolChoice | None = None
    text: _TextConfig | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    service_tier: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    include: list[str] | None = None
    max_tool_calls: int | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    n: int | None = None
    gateway: Options | None = None


_API_MEMBERS = frozenset(
    {
        "access_programs",
        "context_management",
        "image",
        "moderation",
        "prompt_cache_options",
        "prompt_cache_retention",
        "stream_options",
        "truncation",
        *ResponsesBody.__struct_fields__,
    }
)
"""Members that the API defines. They are converted one by one or dropped."""


def read_responses(body: dict[str, Any], _path_format: str | None, config: Config) -> ChatRequest:
    """Returns the checked request. Raises BadRequest, or NotFound for a reference to an item."""
    if config.responses_other_tools == "skip":
        body = _with_known_tools(body)
    asked = body.get("input")
    request = convert(body | {"input": []} if isinstance(asked, list) else body, ResponsesBody)
    _refuse_unsupported(request)
    if not asked:
        raise BadRequest("input must hold a text or at least one item.", param="input")
    options = _options(request, body, config.responses_summary)
    compacts = asks_for_compaction(asked)
    if compacts:
        asked = with_instruction(asked)
        options = msgspec.structs.replace(options, reasoning="none")
    open_seal = partial(sealer(config.seal_keys).open, request.model or "")
    conversation = _conversation(request, asked, open_seal)
    chat = _chat_request(request, body, conversation)
    if compacts:
        chat.pop("response_format", None)
        if "tools" in chat:  # they stay, for the server's prefix cache
            chat["tool_choice"] = "none"
    notes = take_notes(chat["messages"])
    chat["messages"] = notes.messages
    is_sealed = _SEALED_REASONING in (request.include or ()) and not compacts
    return ChatRequest(
        dialect="responses",
        model=request.model or "",
        stream=bool(request.stream),
        options=options,
        body=chat,
        conversation=conversation,
        thoughts=notes.thoughts,
        shown=notes.shown,
        seals_thoughts="always" if is_sealed else "never",
        echo=_echo(request, body, options)
        | {COMPLETED_AT_LENGTH: config.responses_at_length == "completed", COMPACTION: compacts},
        prompt_tokens=estimate_prompt(chat),
        keep=_keep(request),
        input=items_of(body["input"]),
    )


def _keep(request: ResponsesBody) -> Keep:
    if request.background:
        return "background"
    return "no" if request.store is False else "ended"


def read_compact(body: dict[str, Any], path_format: str | None, config: Config) -> ChatRequest:
    """Returns the checked request to /compact. Raises BadRequest."""
    items = body.get("input")
    if not isinstance(items, str | list) or not items:
        raise BadRequest("input must hold a text or at least one item.", param="input")
    body = body | {"input": with_trigger(items), "stream": False}
    request = read_responses(body, path_format, config)
    echo = {**request.echo, KEPT_MESSAGES: kept_messages(items)}
    return msgspec.structs.replace(request, echo=echo, keep="no", input=None)


def _with_known_tools(body: dict[str, Any]) -> dict[str, Any]:
    """Leaves out tools that run at OpenAI, which clients always send and work without, and the
    choice of such a tool."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return body
    left_out = [tool.get("type") for tool in tools if not is_known(tool)]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in left_out:
        body = {name: value for name, value in body.items() if name != "tool_choice"}
    return body | {"tools": list(filter(is_known, tools))}


def _conversation(
    request: ResponsesBody,
    input: str | list[Any],
    open_seal: Callable[[str], ThoughtRecord | None],
) -> list[dict[str, Any]]:
    """Returns the chat messages with the client's own roles."""
    items = [{"role": "user", "content": input}] if isinstance(input, str) else input
    return without_reasoning(chat_messages(request.instructions, readable_items(items), open_seal))


def _refuse_unsupported(request: ResponsesBody) -> None:
    if request.conversation is not None:
        raise unsupported(
            "conversation", "the gateway stores none; send the whole conversation as input"
        )
    if request.prompt is not None:
        raise unsupported("prompt", "the gateway stores no prompts; send instructions and input")
    if request.n not in (None, 1):
        raise unsupported("n", "a response has only one answer")


def _options(request: ResponsesBody, body: dict[str, Any], summary: SummaryRule) -> Options:
    """Returns the gateway's options. Those in `gateway` override the API's `reasoning.summary`."""
    options = request.gateway or Options()
    if options.format is not None:
        raise BadRequest(
            "gateway.format: this path has only one format; leave it out.", param="gateway.format"
        )
    given = body.get("gateway") or {}
    reasoning = request.reasoning or _Reasoning()
    detail = reasoning.summary or reasoning.generate_summary
    if "reasoning" not in given:
        mode: ReasoningMode = "summary" if detail or summary == "always" else "none"
        options = msgspec.structs.replace(options, reasoning=mode)
    if detail and "detail" not in given:
        options = msgspec.structs.replace(options, detail=detail)
    return options


def _chat_request(
    request: ResponsesBody, body: dict[str, Any], conversation: list[dict[str, Any]]
) -> dict[str, Any]:
    chat = {name: value for name, value in body.items() if name not in _API_MEMBERS}
    chat |= {name: body[name] for name in _SAME_MEMBERS if body.get(name) is not None}
    if not request.tools:
        chat.pop("parallel_tool_calls", None)
    if request.model is not None:
        chat["model"] = request.model
    chat["messages"] = with_results_of_calls(with_one_system_message(conversation))
    if request.max_output_tokens is not None:
        # Every server knows this name; some do not know its successor, max_completion_tokens.
        chat["max_tokens"] = request.max_output_tokens
    if request.top_logprobs is not None or _LOGPROBS in (request.include or ()):
        chat |= {"logprobs": True, "top_logprobs": request.top_logprobs or 0}
    if request.reasoning and request.reasoning.effort:
        chat["reasoning_effort"] = request.reasoning.effort
    chat |= _text_members(request.text or _TextConfig()) | _tool_members(request)
    return for_servers(chat)


def _text_members(text: _TextConfig) -> dict[str, Any]:
    chat: dict[str, Any] = {"verbosity": text.verbosity} if text.verbosity else {}
    format = text.format
    if format is None or format.type == "text":
        return chat
    response_format: dict[str, Any] = {"type": format.type}
    if format.type == "json_schema":
        if format.schema is None:
            raise BadRequest("text.format.schema: it is required.", param="text.format.schema")
        schema = {
            "name": format.name or "output",
            "description": format.description,
            "schema": format.schema,
            "strict": format.strict,
        }
        response_format["json_schema"] = _without_none(schema)
    return chat | {"response_format": response_format}


def _tool_members(request: ResponsesBody) -> dict[str, Any]:
    """Returns `tools` and `tool_choice`. The choice `allowed_tools` drops all other tools."""
    for at, tool in enumerate(request.tools or ()):
        if not is_known({"type": tool.type}):
            raise unsupported(
                f"tools[{at}].type",
                f"{tool.type} runs only at OpenAI; send functions (RESPONSES_OTHER_TOOLS=skip)",
            )
    tools = chat_tools(request.tools or ())
    choice = request.tool_choice
    chat_choice: str | dict[str, Any] | None = None
    if isinstance(choice, str):
        chat_choice = choice
    elif choice is not None and choice.type in _CALLED and choice.name:
        name = flat_name(choice.namespace, choice.name)
        chat_choice = {"type": "function", "function": {"name": name}}
    elif choice is not None and choice.type == "allowed_tools":
        chosen = [tool for tool in choice.tools or () if tool.type in _CALLED and tool.name]
        allowed = {flat_name(tool.namespace, tool.name or "") for tool in chosen}
        tools = [tool for tool in tools if tool["function"]["name"] in allowed]
        chat_choice = choice.mode
    elif choice is not None:
        raise unsupported("tool_choice", "choose a tool of the type function by its name")
    if not tools and isinstance(chat_choice, str):
        chat_choice = None  # servers refuse a choice without tools
    members = {"tools": tools or None, "tool_choice": chat_choice}
    return _without_none(members)


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _echo(request: ResponsesBody, body: dict[str, Any], options: Options) -> dict[str, Any]:
    """Returns the members that the response repeats, with the `reasoning.summary` in effect."""
    summary = options.detail if options.reasoning in ("summary", "both") else None
    effort = request.reasoning.effort if request.reasoning else None
    echo = {name: body[name] for name in _ECHOED_MEMBERS if body.get(name) is not None}
    text = {"format": {"type": "text"}, **_without_none(body.get("text") or {})}
    return echo | {
        "text": text,
        "reasoning": {"effort": effort, "summary": summary},
        "background": bool(request.background),
        "store": request.store is not False,
    }
