"""OpenAI's Responses API."""

from typing import Any

from gateway.apis.base import Api, Endpoint, EndpointRequest, Schema, StreamFormat
from gateway.apis.responses.request import ResponsesBody, read_responses
from gateway.apis.responses.stream import ResponsesDialect
from gateway.apis.schemas import COUNT, OBJECT, OPENAI_ERROR, STRING, list_of, object_of
from gateway.errors import NotFound

_RESPONSE = object_of(
    {
        "id": STRING,
        "object": {"const": "response"},
        "created_at": COUNT,
        "status": {"enum": ["completed", "incomplete"]},
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
_STORES_NONE = "The gateway stores no responses"


def _not_stored(request: EndpointRequest) -> dict[str, Any]:
    id = request.segments["id"]
    raise NotFound(f"Response with id '{id}' not found: the gateway stores none.")


RESPONSES = Api(
    name="responses",
    title="A response, as OpenAI has it",
    paths=("/v1/responses", "/openai/v1/responses"),
    formats={"responses": StreamFormat(ResponsesDialect, "OpenAI's Responses API.")},
    read=read_responses,
    request=ResponsesBody,
    answer=Schema("Response", _RESPONSE),
    error=OPENAI_ERROR,
    endpoints=(
        Endpoint("/v1/responses/{id}", ("GET", "DELETE"), _STORES_NONE, _not_stored),
        Endpoint("/v1/responses/{id}/cancel", ("POST",), _STORES_NONE, _not_stored),
        Endpoint("/v1/responses/{id}/input_items", ("GET",), _STORES_NONE, _not_stored),
    ),
)
