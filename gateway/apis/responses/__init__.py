"""OpenAI's Responses API."""

from gateway.apis.base import Api, Endpoint, Operation, Schema, StreamFormat
from gateway.apis.responses.request import ResponsesBody, read_compact, read_responses
from gateway.apis.responses.stored import (
    cancel,
    delete,
    input_items,
    retrieve,
    with_previous,
)
from gateway.apis.responses.stream import ResponsesDialect
from gateway.apis.schemas import COUNT, OBJECT, OPENAI_ERROR, STRING, list_of, object_of

_RESPONSE = object_of(
    {
        "id": STRING,
        "object": {"const": "response"},
        "created_at": COUNT,
        "status": {
            "enum": ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
        },
        "model": STRING,
        "output": list_of(object_of({"type": {"enum": ["reasoning", "message", "function_call"]}})),
        "parallel_tool_calls": {"type": "boolean"},
        "tool_choice": {},
        "tools": list_of(OBJECT),
        "usage": object_of(
            {
                "input_tokens": COUNT,
                "input_tokens_details": OBJECT,
                "output_tokens": COUNT,
                "output_tokens_details": OBJECT,
                "total_tokens": COUNT,
            }
        ),
    }
)
_COMPACTION = object_of(
    {
        "id": STRING,
        "object": {"const": "response.compaction"},
        "created_at": COUNT,
        "output": list_of(object_of({"type": {"enum": ["message", "compaction"]}})),
    }
)
_DELETED = object_of(
    {"id": STRING, "object": {"const": "response.deleted"}, "deleted": {"const": True}}
)
_ITEMS = object_of(
    {
        "object": {"const": "list"},
        "data": list_of(OBJECT),
        "first_id": {"type": ["string", "null"]},
        "last_id": {"type": ["string", "null"]},
        "has_more": {"type": "boolean"},
    }
)
_BOOLEAN = {"enum": ["true", "false"]}
_STREAM_QUERY = (("stream", _BOOLEAN), ("starting_after", COUNT))
_LIST_QUERY = (
    ("order", {"enum": ["asc", "desc"]}),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
    ("after", STRING),
    ("before", STRING),
)


def _endpoints(root: str) -> tuple[Endpoint, ...]:
    """Returns the endpoints for kept responses, below a path of the API."""
    one = f"{root}/{{id}}"
    response = Schema("Response", _RESPONSE)
    return (
        Endpoint(
            *(one, ("GET",), "A kept response", retrieve, response),
            query=_STREAM_QUERY,
            streams=True,
        ),
        Endpoint(
            *(one, ("DELETE",), "Keep a response no longer", delete),
            schema=Schema("DeletedResponse", _DELETED),
        ),
        Endpoint(f"{one}/cancel", ("POST",), "Stop a background response", cancel, response),
        Endpoint(
            *(f"{one}/input_items", ("GET",), "What the model was given", input_items),
            schema=Schema("InputItems", _ITEMS),
            query=_LIST_QUERY,
        ),
    )


_PATHS = ("/v1/responses", "/openai/v1/responses")
RESPONSES = Api(
    name="responses",
    title="A response, as OpenAI has it",
    paths=_PATHS,
    formats={"responses": StreamFormat(ResponsesDialect, "OpenAI's Responses API.")},
    read=read_responses,
    request=ResponsesBody,
    answer=Schema("Response", _RESPONSE),
    error=OPENAI_ERROR,
    other_operations=(
        Operation(
            name="compaction",
            title="A summary that takes the place of a conversation",
            paths=tuple(f"{path}/compact" for path in _PATHS),
            read=read_compact,
            request=ResponsesBody,
            answer=Schema("Compaction", _COMPACTION),
            streams=False,
        ),
    ),
    endpoints=tuple(endpoint for path in _PATHS for endpoint in _endpoints(path)),
    complete=with_previous,
)
