"""Stand-ins for lost thoughts, for models that refuse a conversation without their thoughts.

DeepSeek and Kimi refuse an assistant's message without reasoning in a conversation with tools. They
refuse an empty reasoning, too. With the same text in every message, DeepSeek answers nothing. So
each message gets a different one: the summary that the client was shown, or a description of the
message.

Gemini 3 refuses the first call of a step without a signature. Its documentation defines a
signature for calls that the model did not make itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.core.thoughts import ThoughtStyle

_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Members of a message that hold reasoning."""
_UNSIGNED_CALL = {"google": {"thought_signature": "skip_thought_signature_validator"}}
_SHOWN_CHARS = 400
"""The most characters of a text, or of a call's arguments, in a description."""


def lost_in(body: Mapping[str, Any], style: ThoughtStyle) -> list[int]:
    """Returns the numbers of the messages that lack the thoughts that a model wants back."""
    messages = body["messages"]
    if style == "signatures":
        return [at for at, message in enumerate(messages) if _is_unsigned(message)]
    if not body.get("tools") and not any(message.get("tool_calls") for message in messages):
        return []
    return [
        at
        for at, message in enumerate(messages)
        if message.get("role") == "assistant" and not any(map(message.get, _FIELDS))
    ]


def with_stand_in(
    message: Mapping[str, Any], style: ThoughtStyle, fields: Iterable[str], summary: str
) -> dict[str, Any]:
    """Returns an assistant's message with a stand-in for its thoughts.

    fields: the members in which the server takes thoughts. summary: the summary of the lost
    thoughts; "" for none.
    """
    if style == "signatures":
        first, *others = message["tool_calls"]
        return {**message, "tool_calls": [{**first, "extra_content": _UNSIGNED_CALL}, *others]}
    return {**message, **dict.fromkeys(fields, summary or _described(message))}


def _is_unsigned(message: Mapping[str, Any]) -> bool:
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls or not isinstance(calls[0], dict):
        return False
    return "extra_content" not in calls[0] and not message.get("reasoning_details")


def _described(message: Mapping[str, Any]) -> str:
    """Returns a description of an assistant's message, in the first person."""
    text = _text_of(message.get("content")).strip()
    said = [f"I say: {_shortened(text)}"] if text else []
    return " ".join([*said, *map(_call_in_words, message.get("tool_calls") or ())]) or "I go on."


def _call_in_words(call: Any) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    function = function if isinstance(function, dict) else {}
    return f"I call {function.get('name')} with {_shortened(str(function.get('arguments')))}."


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content if isinstance(content, list) else ()
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return " ".join(text for text in texts if isinstance(text, str))


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
