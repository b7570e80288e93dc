"""Changes a client's conversation so that any chat server accepts it.

Agents send their whole history with every request. One message that a server refuses would end
their session. So all messages of a history are changed until they fit, and only the newest message
of the user can be refused:

- There is one system message, and it comes first: many chat templates accept no other. A later one
  becomes a message of the user in the same place. So the beginning of the prompt stays the same
  from request to request, and the server's prefix cache works.
- Reasoning is removed. It is usually a summary that the gateway wrote, not the model's own words. A
  model that reads summaries as its own reasoning learns to answer in summaries.
- The arguments of tool calls are JSON objects: servers parse them.

gateway.apis.messages.history and gateway.apis.responses.history do the rest for their APIs.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.apis.chat.phased import PHASE_END, PROMPT_LABEL, SUMMARY_LABEL
from gateway.apis.content import PARAGRAPH_BREAK, text_part
from gateway.apis.json_texts import is_object
from gateway.core.thoughts import Shown, ThoughtRecord

_REASONING_MEMBERS = frozenset(
    {
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "reasoning_opaque",
        "reasoning_summary",
        "reasoning_text",
        "thinking",
        "thinking_blocks",
        "thinking_content",
        "thought",
        "thoughts",
    }
)
"""Members of an assistant message that hold reasoning."""
_TEXT_MEMBERS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Those of them that can hold all of the reasoning as one text."""
_PROVIDER_FIELDS = "provider_specific_fields"
"""LiteLLM's copy of what its providers add to a message."""
_REASONING_PARTS = frozenset(
    {"reasoning", "reasoning_text", "redacted_thinking", "summary_text", "thinking"}
)
"""Types of content parts that hold reasoning."""
_THOUGHTS = re.compile(r"\s*<(think|thinking|thought|reason|reasoning|thinking-content-[0-9a-f]+)>")
"""The tag before reasoning in a message: some clients put the reasoning in front of the answer, as
models do. The last tag is aider's."""
_SHORT_THOUGHTS = re.compile(rf"(?:{_THOUGHTS.pattern}.{{0,1000}}?</\1>\s*+)*+", re.DOTALL)
"""Any number of short blocks in one match: a text of 20 MB may have a million of them."""
_FOLDED_THOUGHTS = re.compile(
    r"\s*(?:<details type=\"reasoning\"[^>]*>.*?</details>|:::thinking\n.*?\n:::)\s*", re.DOTALL
)
"""The folded thoughts of Open WebUI and LibreChat."""
_SPACE = re.compile(r"\s*")
_NOTED = "gateway.thoughts"
_SHOWN = "gateway.shown"
"""Members that carry notes between the functions of this package; see take_notes."""
_NO_CONTENT = frozenset({"role", "name", _NOTED, _SHOWN})
"""A message with no other member is empty."""
_SYSTEM_ROLES = ("system", "developer")
_NO_RESULT = {"role": "tool", "content": "[no result: the call was interrupted]"}
_CHANGING_LINE = re.compile(r"^x-[a-z-]*billing-header:.*(\n+|\Z)", re.MULTILINE)
"""Claude Code changes this line of its system prompt with each request. With it, the server's
prefix cache would never match."""


class Notes(NamedTuple):
    """The messages of a request, and the notes that were in them, by their numbers."""

    messages: list[dict[str, Any]]
    thoughts: dict[int, ThoughtRecord]
    """See :func:`hand_back`."""
    shown: dict[int, Shown]
    """See :func:`note_shown`."""


def without_reasoning(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages with the reasoning removed from those of the assistant.

    An assistant message that held only reasoning, because its turn was stopped, is left out:
    servers refuse an empty assistant message, and the whole conversation with it.
    """
    cleaned = ((message, _clean(message)) for message in messages)
    return [kept for message, kept in cleaned if _is_sent(message, kept)]


def with_one_system_message(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages with the leading system messages joined, and no other system message."""
    at = 0
    leading: list[dict[str, Any]] = []
    while at < len(messages) and messages[at].get("role") in _SYSTEM_ROLES:
        leading.append(_without_changing_line(messages[at]))
        at += 1
    leading = [message for message in leading if message.get("content")]
    return [*_joined(leading), *map(_later, messages[at:])]


def with_results_of_calls(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages with the results of tool calls directly after their calls.

    Servers refuse a call without a result, and a result without a call. Histories contain both,
    because agents are interrupted or drop old messages. A call without a result gets a result that
    says so. A result without a call becomes a message of the user.
    """
    found: list[dict[str, Any]] = []
    at, end = 0, len(messages)
    while at < end:
        message = messages[at]
        at += 1
        ids = _call_ids(message)
        if not ids:
            found.append(_as_text(message) if message.get("role") == "tool" else message)
            continue
        until = next((n for n in range(at, end) if messages[n].get("role") == "assistant"), end)
        results = {id: _NO_RESULT | {"tool_call_id": id} for id in ids}
        missing, next_ids = set(ids), iter(ids)
        others = []
        for other in messages[at:until]:
            if other.get("role") != "tool":
                others.append(other)
                continue
            id = other.get("tool_call_id") or next((i for i in next_ids if i in missing), None)
            if isinstance(id, str) and id in missing:
                missing.remove(id)
                results[id] = {**other, "tool_call_id": id, "content": other.get("content") or ""}
            else:
                others.append(_as_text(other))
        found += [message, *results.values(), *others]
        at = until
    return found


def _call_ids(message: Mapping[str, Any]) -> list[str]:
    """Returns the ids of a message's tool calls; none if one of them has no id, as some servers
    allow."""
    calls = message.get("tool_calls")
    if message.get("role") != "assistant" or not isinstance(calls, list):
        return []
    ids = [call.get("id") if isinstance(call, dict) else None for call in calls]
    return [id for id in ids if isinstance(id, str)] if all(ids) else []


def _as_text(result: dict[str, Any]) -> dict[str, Any]:
    """Returns a tool's result as a message of the user, if it names a call that does not exist."""
    content = result.get("content")
    if "tool_call_id" not in result:
        return result
    if isinstance(content, list):
        return {"role": "user", "content": [text_part("[tool result]"), *content]}
    return {"role": "user", "content": f"[tool result]\n{content or ''}".strip()}


def newest_of_user(messages: Sequence[Any], is_users: Callable[[Any], bool]) -> int:
    """Returns the number of the user's newest message, or -1. Only this message can be refused."""
    return max((at for at, message in enumerate(messages) if is_users(message)), default=-1)


def hand_back(message: dict[str, Any], thoughts: ThoughtRecord | None) -> None:
    """Notes in an assistant message the model's thoughts before it wrote the message."""
    if thoughts:
        message[_NOTED] = thoughts


def note_shown(message: dict[str, Any], shown: Shown) -> None:
    """Notes in an assistant message the reasoning that the client was shown with it."""
    if shown.trace or shown.summary:
        before = message.get(_SHOWN, Shown())
        message[_SHOWN] = Shown(before.trace + shown.trace, before.summary + shown.summary)


def without_notes(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy of a message without the members that :func:`hand_back` and
    :func:`note_shown` use."""
    return {name: value for name, value in message.items() if name not in (_NOTED, _SHOWN)}


def take_notes(messages: Sequence[dict[str, Any]]) -> Notes:
    """Returns the messages without their notes, and the notes."""
    return Notes(
        [without_notes(m) if _NOTED in m or _SHOWN in m else m for m in messages],
        {at: m[_NOTED] for at, m in enumerate(messages) if _NOTED in m},
        {at: m[_SHOWN] for at, m in enumerate(messages) if _SHOWN in m},
    )


def reasoning_in(message: Mapping[str, Any]) -> str:
    """Returns the reasoning that a client has in an assistant message, as one text."""
    inner = message.get(_PROVIDER_FIELDS)
    for members in (message, inner if isinstance(inner, dict) else {}):
        for name in _TEXT_MEMBERS:
            if isinstance(text := members.get(name), str) and text:
                return text
    content = message.get("content")
    if isinstance(content, str) and (opened := _THOUGHTS.match(content)):
        return content[opened.end() :].partition(f"</{opened[1]}>")[0].strip()
    return ""


def valid_arguments(arguments: Any) -> str:
    """Returns the arguments of a tool call as the text of a JSON object.

    A text that is not a JSON object is wrapped in one, as Anthropic's documentation proposes.
    """
    if isinstance(arguments, str):
        if not arguments.strip():
            return "{}"
        if is_object(arguments):
            return arguments
    elif not arguments:
        return "{}"
    value = arguments if isinstance(arguments, dict) else {"INVALID_JSON": arguments}
    return json.dumps(value, ensure_ascii=False)  # the model reads it


def strip_summaries(text: str) -> str:
    """Returns the text without the summaries that the format `phased` puts before the answer."""
    for label in (PROMPT_LABEL, SUMMARY_LABEL):
        if text.startswith(label):
            text = text.partition(PHASE_END)[2]
    return text


def strip_thoughts(text: str) -> str:
    """Returns the text without the thoughts at its beginning, such as `<think>…</think>`."""
    if folded := _FOLDED_THOUGHTS.match(text):
        text = text[folded.end() :]
    at = _SHORT_THOUGHTS.match(text).end()  # type: ignore[union-attr]
    while opened := _THOUGHTS.match(text, at):
        end = f"</{opened[1]}>"
        found = text.find(end, opened.end())
        if found < 0:
            return ""
        at = _SPACE.match(text, found + len(end)).end()  # type: ignore[union-attr]
        at = _SHORT_THOUGHTS.match(text, at).end()  # type: ignore[union-attr]
    return text[at:]


def _joined(leading: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the leading system messages as one message, or none."""
    if len(leading) < 2:
        return [{**message, "role": "system"} for message in leading]
    contents = [message["content"] for message in leading]
    if all(isinstance(content, str) for content in contents):
        return [{"role": "system", "content": PARAGRAPH_BREAK.join(contents)}]
    parts = [part for content in contents for part in _parts(content)]
    return [{"role": "system", "content": parts}]


def _parts(content: Any) -> list[Any]:
    return [text_part(content)] if isinstance(content, str) else list(content)


def _later(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "role": "user"} if message.get("role") in _SYSTEM_ROLES else message


def _without_changing_line(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _rest(content)}
    if isinstance(content, list):
        parts = [
            {**part, "text": _rest(part["text"])}
            if isinstance(part, dict) and isinstance(part.get("text"), str)
            else part
            for part in content
        ]
        return {**message, "content": [part for part in parts if part.get("text") != ""]}
    return message


def _rest(text: str) -> str:
    return _CHANGING_LINE.sub("", text) if "billing-header" in text else text


def _is_sent(message: Mapping[str, Any], kept: dict[str, Any]) -> bool:
    """Whether a cleaned message is sent. It is if it has content, or had none from the start."""
    if kept.get("role") != "assistant" or _has_content(kept):
        return True
    return message.get("content") == "" and _REASONING_MEMBERS.isdisjoint(message)


def _has_content(message: Mapping[str, Any]) -> bool:
    return any(value for name, value in message.items() if name not in _NO_CONTENT)


def _clean(message: dict[str, Any]) -> dict[str, Any]:
    if message.get("role") != "assistant":
        return message
    kept = dict(_kept_members(message))
    if isinstance(calls := message.get("tool_calls"), list) and calls:
        kept["tool_calls"] = [_valid_call(call) for call in calls]
    content = message.get("content")
    answer: str | list[dict[str, Any]]
    if isinstance(content, str):
        answer = _strip(content)
    elif isinstance(content, list):
        answer = _clean_parts(content)
    else:
        return kept
    if answer != content:
        # Servers refuse an empty list. A message with tool calls needs no text.
        kept["content"] = answer or (None if kept.get("tool_calls") else "")
    return kept


def _kept_members(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in message.items():
        if name == _PROVIDER_FIELDS and isinstance(value, dict):
            rest = {key: field for key, field in value.items() if key not in _REASONING_MEMBERS}
            if rest:
                yield name, rest
        elif name not in _REASONING_MEMBERS and (name == "content" or value not in (None, [])):
            yield name, value  # an empty list of calls is refused


def _valid_call(call: Any) -> Any:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return call
    arguments = valid_arguments(function.get("arguments"))
    if arguments == function.get("arguments"):
        return call
    return {**call, "function": {**function, "arguments": arguments}}


def _strip(text: str) -> str:
    return strip_thoughts(strip_summaries(text))


def _clean_parts(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [part for part in parts if part.get("type") not in _REASONING_PARTS]
    for at, part in enumerate(kept):
        if isinstance(text := part.get("text"), str):
            # Only the first text can begin with the labels of `phased`, or with thoughts.
            answer = _strip(text)
            kept[at : at + 1] = [{**part, "text": answer}] if answer or not text else []
            break
    return kept
