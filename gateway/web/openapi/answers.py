"""The answers as JSON schemas: as much as a client can rely on."""

from typing import Any

from gateway.web.openapi.bodies import ref

_STRING = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_MAYBE = {"type": ["string", "null"]}
_OBJECT = {"type": "object"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these members; what else it has is not said."""
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_MESSAGE = _object(
    {"role": {"const": "assistant"}, "content": _MAYBE},
    reasoning_content={**_STRING, "description": "The summary, or the trace for raw and both."},
    reasoning={**_STRING, "description": "The same text; clients read one or the other."},
    tool_calls=_list(_OBJECT),
)
_CHOICE = _object(
    {"index": _COUNT, "message": _MESSAGE, "finish_reason": _STRING}, logprobs={}, phases={}
)
_PHASES = _object({"prompt_summary": _STRING, "reasoning_summary": _MAYBE}, reasoning=_STRING)
_MODEL = _object(
    {
        "id": _STRING,
        "object": {"const": "model"},
        "owned_by": _STRING,
        "family": {**_STRING, "description": "How the gateway takes its reasoning to be marked."},
        "upstream": _STRING,
    }
)
_ERROR = _object({"message": _STRING, "type": _STRING, "param": _MAYBE, "code": _MAYBE})

ANSWERS: dict[str, dict[str, Any]] = {
    "ChatCompletion": _object(
        {
            "id": _STRING,
            "object": {"const": "chat.completion"},
            "created": _COUNT,
            "model": _STRING,
            "choices": _list(_CHOICE),
            "phases": _PHASES,
        },
        usage=_OBJECT,
    ),
    "Response": _object(
        {
            "id": _STRING,
            "object": {"const": "response"},
            "created_at": _COUNT,
            "status": {"enum": ["completed", "incomplete"]},
            "model": _STRING,
            "output": _list(_object({"type": {"enum": ["reasoning", "message", "function_call"]}})),
            "parallel_tool_calls": {"type": "boolean"},
            "tool_choice": {},
            "tools": _list(_OBJECT),
            "usage": _object(
                {
                    "input_tokens": _COUNT,
                    "input_tokens_details": _OBJECT,
                    "output_tokens": _COUNT,
                    "output_tokens_details": _OBJECT,
                    "total_tokens": _COUNT,
                }
            ),
        }
    ),
    "Message": _object(
        {
            "id": _STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": _STRING,
            "content": _list(_object({"type": {"enum": ["thinking", "text", "tool_use"]}})),
            "stop_reason": {
                "enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
            },
            "stop_sequence": _MAYBE,
            "usage": _object({"input_tokens": _COUNT, "output_tokens": _COUNT}),
        }
    ),
    "TokenCount": _object({"input_tokens": _COUNT, "estimated": {"const": True}}),
    "ModelList": _object({"object": {"const": "list"}, "data": _list(_MODEL)}),
    "Health": _object(
        {
            "status": {"const": "ok"},
            "version": _STRING,
            "uptime_s": {"type": "number"},
            "open_streams": _COUNT,
            "upstreams": _list(
                _object(
                    {
                        "name": _STRING,
                        "breaker": {"enum": ["closed", "open", "half_open"]},
                        "open_streams": _COUNT,
                        "healthy": {"type": "boolean"},
                    }
                )
            ),
        }
    ),
    "Readiness": _object({"status": _STRING}),
    "Error": _object({"error": _ERROR}),
    "MessagesError": _object(
        {
            "type": {"const": "error"},
            "error": _object({"type": _STRING, "message": _STRING}),
            "request_id": _STRING,
        }
    ),
    "Document": _object({"openapi": _STRING, "info": _OBJECT, "paths": _OBJECT}),
    "Text": _STRING,
    "Event": {
        "description": "One server-sent event of the stream; docs/api.md says which there are.",
        **_object(
            {"data": {**_STRING, "pattern": r"^(\{.*\}|\[DONE\])$"}}, event=_STRING, id=_STRING
        ),
    },
}
"""Name → schema."""

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


def content(**schema_of: str) -> dict[str, Any]:
    """Media types of an answer: `json`, `events`, `text` or `html`, each with its schema's name.

    OpenAPI 3.1 does not say what the schema of a stream is of; as usual it is that of one event.
    """
    types = {"json": JSON, "events": EVENT_STREAM, "text": "text/plain", "html": "text/html"}
    return {types[kind]: {"schema": ref(name)} for kind, name in schema_of.items()}
