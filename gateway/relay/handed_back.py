"""Puts a model's earlier thoughts into the body of a request, if the model wants them back.

For each message of the model, the first of these that exists:

- the thoughts that the client sends back sealed, or that the gateway remembers;
- the trace that the client was shown, and sends back;
- a stand-in, if the thoughts are lost and the upstream has refused the request without them.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from gateway.apis import ChatRequest
from gateway.config import UpstreamConfig
from gateway.core.families.reasoning_back import reasoning_back
from gateway.core.phases import NOT_DETECTED
from gateway.core.summarizers import prompt_of
from gateway.core.thoughts import ThoughtRecord, ThoughtStyle, call_key
from gateway.upstreams import Kind
from gateway.upstreams.stand_ins import lost_in, with_stand_in

_FIELDS = ("reasoning_content",)
"""The members in which a server of an unknown kind takes thoughts."""


def wanted_back(upstream: UpstreamConfig, model: str) -> ThoughtStyle | None:
    """Returns the form in which a model wants its thoughts back; None: it does not.

    model: the upstream's name for it.
    """
    if upstream.reasoning_back == "never":
        return None
    return reasoning_back(model) or ("text" if upstream.reasoning_back == "always" else None)


def server_of(upstream: UpstreamConfig) -> str:
    """Returns the upstream's host and port, without its user and password."""
    parts = urlsplit(upstream.url)
    return parts.hostname or "" if parts.port is None else f"{parts.hostname}:{parts.port}"


def body_for(
    request: ChatRequest, upstream: UpstreamConfig, model: str, kind: Kind
) -> dict[str, Any]:
    """Returns the body for an upstream, with the model's thoughts if it wants them back.

    model: the upstream's name for it. kind: of the upstream.
    """
    if upstream.reasoning_back == "never" or not (request.thoughts or request.shown):
        return request.body
    wanted, server = wanted_back(upstream, model or request.model), server_of(upstream)
    fields = kind.thoughts_in or _FIELDS
    messages = list(request.body["messages"])
    if wanted == "text":
        for at, shown in request.shown.items():
            if at not in request.thoughts and (text := _without_prompt(shown.trace, request, at)):
                messages[at] = {**messages[at], **dict.fromkeys(fields, text)}
    for at, thoughts in request.thoughts.items():
        messages[at] = message_with(messages[at], thoughts, server, wanted, fields)
    return request.body | {"messages": messages}


def with_stand_ins(
    body: Mapping[str, Any], request: ChatRequest, wanted: ThoughtStyle, kind: Kind
) -> tuple[dict[str, Any], int]:
    """Returns a body of :func:`body_for` with stand-ins for lost thoughts, and their number."""
    fields = kind.thoughts_in or _FIELDS
    messages = list(body["messages"])
    lost = lost_in(body, wanted)
    for at in lost:
        shown = request.shown.get(at)
        summary = _without_prompt(shown.summary, request, at).strip() if shown else ""
        summary = "" if summary == NOT_DETECTED else summary
        messages[at] = with_stand_in(messages[at], wanted, fields, summary)
    return {**body, "messages": messages}, len(lost)


def message_with(
    message: dict[str, Any],
    thoughts: ThoughtRecord,
    server: str,
    wanted: ThoughtStyle | None,
    fields: Sequence[str],
) -> dict[str, Any]:
    """Returns an assistant's message with the thoughts, in the members in which they came.

    wanted: the form in which the model wants them; None: only with a signature. fields: the members
    in which this server takes the thoughts that another server has sent.
    """
    is_same = thoughts.server == server
    members: dict[str, Any] = {}
    has_text = False
    if is_same and (wanted is not None or thoughts.is_signed):
        members = {**thoughts.members, **thoughts.blocks}
        has_text = bool(thoughts.blocks) and not thoughts.text
    if wanted == "text" and not has_text and thoughts.readable_text:
        text_in = (thoughts.field,) if is_same and thoughts.field else fields
        members |= dict.fromkeys(text_in, thoughts.readable_text)
    calls = message.get("tool_calls")
    if is_same and thoughts.calls and isinstance(calls, list):
        members["tool_calls"] = [
            {**thoughts.calls.get(call_key(call.get("id"), index), {}), **call}
            if isinstance(call, dict)
            else call
            for index, call in enumerate(calls)
        ]
    return {**message, **members}


def _without_prompt(text: str, request: ChatRequest, number: int) -> str:
    """Returns a text that the client was shown with one message, without the prompt's line."""
    if not text:
        return ""
    line, _, rest = text.partition("\n\n")
    return rest if line.strip() == prompt_of(request.before(number)).summary else text
