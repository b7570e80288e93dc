"""Anthropic's Messages API."""

from typing import Any

from gateway.apis.base import Api, Endpoint, EndpointRequest, Schema, StreamFormat
from gateway.apis.messages.request import MessagesBody, count_tokens, read_messages
from gateway.apis.messages.stream import MessagesDialect
from gateway.apis.schemas import COUNT, STRING, STRING_OR_NULL, list_of, object_of

_MESSAGE = object_of(
    {
        "id": STRING,
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": STRING,
        "content": list_of(object_of({"type": {"enum": ["thinking", "text", "tool_use"]}})),
        "stop_reason": {"enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]},
        "stop_sequence": STRING_OR_NULL,
        "usage": object_of({"input_tokens": COUNT, "output_tokens": COUNT}),
    }
)
_ERROR = object_of(
    {
        "type": {"const": "error"},
        "error": object_of({"type": STRING, "message": STRING}),
        "request_id": STRING,
    }
)


def _count_tokens(request: EndpointRequest) -> dict[str, Any]:
    return {"input_tokens": count_tokens(dict(request.body)), "estimated": True}


MESSAGES = Api(
    name="messages",
    title="A message, as Anthropic has it",
    paths=("/v1/messages",),
    formats={"messages": StreamFormat(MessagesDialect, "Anthropic's Messages API.")},
    read=read_messages,
    request=MessagesBody,
    answer=Schema("Message", _MESSAGE),
    error=Schema("MessagesError", _ERROR),
    endpoints=(
        Endpoint(
            "/v1/messages/count_tokens",
            ("POST",),
            "About how many tokens a prompt has",
            _count_tokens,
            schema=Schema(
                "TokenCount", object_of({"input_tokens": COUNT, "estimated": {"const": True}})
            ),
            reads_body=True,
            headers={"X-Token-Count": "estimated"},
        ),
    ),
)
