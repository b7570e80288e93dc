"""Requests of OpenAI's Responses API as chat completion requests.

Members that the API does not have go to the model server as they came, as they do from the chat
door: `top_k`, `chat_template_kwargs` and the like.
"""

from typing import Any, Literal

import msgspec

from gateway.apis.base import ChatRequest, Options
from gateway.apis.history import without_reasoning
from gateway.apis.json import convert, unsupported
from gateway.apis.responses.input_items import chat_messages
from gateway.config import Config, ReasoningMode, SummaryRule
from gateway.core.tokens import estimate_prompt
from gateway.errors import BadRequest, NotFound

_SAME = (
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "service_tier",
    "user",
    "safety_identifier",
    "prompt_cache_key",
)
"""Members that a chat completion request has too, with the same meaning."""
_ECHOED = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
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
_LOGPROBS = "message.output_text.logprobs"


class _Reasoning(msgspec.Struct, frozen=True):
    effort: str | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None


class _Format(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class _Text(msgspec.Struct, frozen=True):
    format: _Format | None = None
    verbosity: str | None = None


class _Tool(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Choice(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list[_Tool] | None = None


class ResponsesBody(msgspec.Struct, frozen=True):
    """As much of a body as the gateway looks at."""

    input: str | list[dict[str, Any]] | None = None
    model: str | None = None
    instructions: str | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    text: _Text | None = None
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


_LEFT_OUT = frozenset(
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
"""Members of the API: what has a place in a chat completion request is put there by its name."""


def read_responses(body: dict[str, Any], _format: str | None, config: Config) -> ChatRequest:
    """A body as a request. Raises BadRequest, or NotFound for what only a store could have."""
    if config.responses_other_tools == "skip":
        body = _with_functions_only(body)
    asked = convert(body, ResponsesBody)
    _refuse(asked)
    if not asked.input:
        raise BadRequest("input must hold a text or at least one item.", param="input")
    options = _options(asked, body, config.responses_summary)
    chat = _chat(asked, body)
    return ChatRequest(
        dialect="responses",
        model=asked.model or "",
        stream=bool(asked.stream),
        options=options,
        body=chat,
        echo=_echo(asked, body, options),
        prompt_tokens=estimate_prompt(chat),
    )


def _with_functions_only(body: dict[str, Any]) -> dict[str, Any]:
    """Some clients always send tools that not every server has, and can do without them."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return body
    kept = [tool for tool in tools if not isinstance(tool, dict) or tool.get("type") == "function"]
    return body | {"tools": kept}


def _refuse(asked: ResponsesBody) -> None:
    """What the API has and the gateway has not."""
    if asked.previous_response_id is not None:
        raise NotFound(
            f"Previous response with id '{asked.previous_response_id}' not found: the gateway "
            "keeps no responses; send the whole conversation as input.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if asked.conversation is not None:
        raise unsupported("conversation", "the gateway keeps none; send it whole as input")
    if asked.prompt is not None:
        raise unsupported("prompt", "the gateway keeps no templates; send instructions and input")
    if asked.background:
        raise unsupported("background", "the gateway keeps no responses; leave it out and stream")
    if asked.n not in (None, 1):
        raise unsupported("n", "a response has one answer")


def _options(asked: ResponsesBody, body: dict[str, Any], summary: SummaryRule) -> Options:
    """Who asks for a summary gets it; the gateway's own options say more, and come first."""
    options = asked.gateway or Options()
    if options.format is not None:
        raise BadRequest("gateway.format: this path has one; leave it out.", param="gateway.format")
    given = body.get("gateway") or {}
    reasoning = asked.reasoning or _Reasoning()
    detail = reasoning.summary or reasoning.generate_summary
    if "reasoning" not in given:
        mode: ReasoningMode = "summary" if detail or summary == "always" else "none"
        options = msgspec.structs.replace(options, reasoning=mode)
    if detail and "detail" not in given:
        options = msgspec.structs.replace(options, detail=detail)
    return options


def _chat(asked: ResponsesBody, body: dict[str, Any]) -> dict[str, Any]:
    """The chat completion request."""
    chat = {name: value for name, value in body.items() if name not in _LEFT_OUT}
    chat |= {name: body[name] for name in _SAME if body.get(name) is not None}
    if not asked.tools:
        chat.pop("parallel_tool_calls", None)
    if asked.model is not None:
        chat["model"] = asked.model
    messages = chat_messages(asked.instructions, asked.input or "")
    chat["messages"] = without_reasoning(messages)
    if asked.max_output_tokens is not None:
        # The older name: every server knows it.
        chat["max_tokens"] = asked.max_output_tokens
    if asked.top_logprobs is not None or _LOGPROBS in (asked.include or ()):
        chat |= {"logprobs": True, "top_logprobs": asked.top_logprobs or 0}
    if asked.reasoning and asked.reasoning.effort:
        chat["reasoning_effort"] = asked.reasoning.effort
    return chat | _text(asked.text or _Text()) | _tools(asked)


def _text(text: _Text) -> dict[str, Any]:
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
        response_format["json_schema"] = _given(schema)
    return chat | {"response_format": response_format}


def _tools(asked: ResponsesBody) -> dict[str, Any]:
    """The tools and the choice among them; a choice among some sends only those."""
    tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(asked.tools or ())]
    choice = asked.tool_choice
    sent: str | dict[str, Any] | None = None
    if isinstance(choice, str):
        sent = choice
    elif choice is not None and choice.type == "function" and choice.name:
        sent = {"type": "function", "function": {"name": choice.name}}
    elif choice is not None and choice.type == "allowed_tools":
        allowed = {tool.name for tool in choice.tools or () if tool.type == "function"}
        tools = [tool for tool in tools if tool["function"]["name"] in allowed]
        sent = choice.mode
    elif choice is not None:
        raise unsupported("tool_choice", "choose a tool of type function by its name")
    if not tools and sent in ("auto", "none"):
        sent = None  # servers refuse a choice among nothing
    return ({"tools": tools} if tools else {}) | ({"tool_choice": sent} if sent else {})


def _tool(tool: _Tool, path: str) -> dict[str, Any]:
    if tool.type != "function":
        raise unsupported(
            f"{path}.type",
            f"{tool.type} runs at OpenAI only; send functions (RESPONSES_OTHER_TOOLS=skip)",
        )
    if not tool.name:
        raise BadRequest(f"{path}.name: it is required.", param=f"{path}.name")
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _given(function)}


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _echo(asked: ResponsesBody, body: dict[str, Any], options: Options) -> dict[str, Any]:
    """What the response repeats of its request, with the summary that it really has."""
    shown = options.detail if options.reasoning in ("summary", "both") else None
    effort = asked.reasoning.effort if asked.reasoning else None
    echo = {name: body[name] for name in _ECHOED if body.get(name) is not None}
    text = {"format": {"type": "text"}, **_given(body.get("text") or {})}
    return echo | {"text": text, "reasoning": {"effort": effort, "summary": shown}}
