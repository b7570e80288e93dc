"""The request bodies as JSON schemas, made from the types that read them."""

import json
from typing import Any

import msgspec

from gateway.apis.base import Operation, Schema
from gateway.web.openapi.answers import REF


def request_schema(operation: Operation) -> Schema:
    """The schema of a request: `ChatRequest`, `MessagesRequest` and so on."""
    name = f"{_prefix(operation)}Request"
    return Schema(name, request_schemas(operation)[name])


def request_schemas(operation: Operation) -> dict[str, Any]:
    """Name → schema, for a request and for all types in it."""
    prefix = _prefix(operation)
    (root,), parts = msgspec.json.schema_components(
        [operation.request], ref_template=f"{REF}{prefix}{{name}}"
    )
    text = json.dumps({f"{prefix}{name}": schema for name, schema in parts.items()})
    own = root["$ref"].removeprefix(REF)
    schemas: dict[str, Any] = json.loads(
        text.replace(own, f"{prefix}Request").replace(f"{prefix}_", prefix)
    )
    return schemas


def _prefix(operation: Operation) -> str:
    return operation.name.title().replace("_", "")
