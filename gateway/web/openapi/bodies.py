"""The request bodies as JSON schemas, from the types that they are read with."""

import json
from typing import Any

import msgspec

from gateway.apis.chat.request import ChatBody
from gateway.apis.messages.request import MessagesBody
from gateway.apis.responses.request import ResponsesBody

REF = "#/components/schemas/"
_TYPES: dict[str, type[msgspec.Struct]] = {
    "Chat": ChatBody,
    "Messages": MessagesBody,
    "Responses": ResponsesBody,
}
"""What the names of a body's schemas begin with → its type."""

_PROMPT = {
    "type": "object",
    "description": "The gateway's own short form: one user message, answered in `plain`.",
    "properties": {
        "prompt": {"type": "string", "description": "At most `MAX_PROMPT_CHARS`."},
        "stream": {"const": True},
    },
    "required": ["prompt", "stream"],
}


def ref(name: str) -> dict[str, Any]:
    """A reference to a schema."""
    return {"$ref": f"{REF}{name}"}


def body_schemas() -> dict[str, Any]:
    """Name → schema. A request's own is called `ChatRequest`, `MessagesRequest` and so on."""
    schemas: dict[str, Any] = {"PromptRequest": _PROMPT}
    for prefix, kind in _TYPES.items():
        (root,), parts = msgspec.json.schema_components(
            [kind], ref_template=f"{REF}{prefix}{{name}}"
        )
        text = json.dumps({f"{prefix}{name}": schema for name, schema in parts.items()})
        own = root["$ref"].removeprefix(REF)
        schemas |= json.loads(text.replace(own, f"{prefix}Request").replace(f"{prefix}_", prefix))
    return schemas
