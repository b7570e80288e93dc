"""JSON schemas of the APIs' answers, with the members that a client can rely on."""

from typing import Any

from gateway.apis.base import Schema

STRING = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
STRING_OR_NULL = {"type": ["string", "null"]}
OBJECT = {"type": "object"}


def object_of(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Returns the schema of an object with these members. It may have others."""
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a list of these items."""
    return {"type": "array", "items": items}


OPENAI_ERROR = Schema(
    "Error",
    object_of(
        {
            "error": object_of(
                {
                    "message": STRING,
                    "type": STRING,
                    "param": STRING_OR_NULL,
                    "code": STRING_OR_NULL,
                }
            )
        }
    ),
)
