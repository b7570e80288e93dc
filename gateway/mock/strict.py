"""The conversations that strict model servers refuse. Pure functions.

A real server or chat template has each of these rules: Qwen 3.5's template wants one system
message, at the beginning; vLLM parses the arguments of every call; DeepSeek V4 and Kimi K2 want the
reasoning back, DeepSeek also that of an answer after a tool's result.
"""

import json
from collections.abc import Iterator
from typing import Any

from gateway.mock.errors import ErrorReply, RequestRefused
from gateway.mock.request import Message

_ROLES = ("system", "user", "assistant", "tool")


def check_conversation(messages: list[Message], wants_reasoning: bool) -> None:
    """Raises RequestRefused with status 400 if a strict server would refuse the messages."""
    for message, param in _faults(messages, wants_reasoning):
        raise RequestRefused(ErrorReply(400, message, "strict", param))


def _faults(messages: list[Message], wants_reasoning: bool) -> Iterator[tuple[str, str]]:
    """Yields each fault with the path of the message."""
    open_calls: set[Any] = set()
    has_called = False
    for at, message in enumerate(messages):
        path = f"messages[{at}]"
        if message.role not in _ROLES:
            yield f"Unexpected message role {message.role!r}.", path
        if message.role == "system" and at > 0:
            yield "System message must be at the beginning.", path
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                yield "A tool message must answer a call of the message before.", path
            open_calls.discard(message.tool_call_id)
            continue
        if open_calls:
            yield "Every tool call must be answered before the next message.", path
        calls = message.tool_calls or []
        open_calls = {call.get("id") for call in calls}
        if message.role == "assistant" and not calls and not message.text().strip():
            yield "An assistant message must have content or tool calls.", path
        if not all(map(_has_arguments, calls)):
            yield "The arguments of a tool call must be a JSON object.", path
        has_called = has_called or bool(calls)
        if has_called and wants_reasoning and _lacks_reasoning(message):
            yield "The reasoning_content in the thinking mode must be passed back.", path


def _lacks_reasoning(message: Message) -> bool:
    """Returns whether a message of the assistant has no reasoning, or an empty one."""
    return message.role == "assistant" and not message.reasoning_content


def _has_arguments(call: dict[str, Any]) -> bool:
    try:
        return isinstance(json.loads(call["function"]["arguments"]), dict)
    except (KeyError, TypeError, ValueError):
        return False
