"""JSON schemas of what the APIs answer: as much as a client can rely on."""

from typing import Any

from gateway.apis.base import Schema

STRING = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
STRING_OR_NULL = {"type": ["string", "null"]}
OBJECT = {"type": "object"}


def object_of(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these members; it may have others."""
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
    }


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    """A list of such items."""
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
