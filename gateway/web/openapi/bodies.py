"""The request bodies as JSON schemas, from the types that they are read with."""

import json
from typing import Any

import msgspec

from gateway.apis import Api
from gateway.apis.base import Schema
from gateway.web.openapi.answers import REF


def request_schema(api: Api) -> Schema:
    """The schema of an API's request: `ChatRequest`, `MessagesRequest` and so on."""
    name = f"{api.name.title()}Request"
    return Schema(name, request_schemas(api)[name])


def request_schemas(api: Api) -> dict[str, Any]:
    """Name → schema, of an API's request and all that it is made of."""
    prefix = api.name.title()
    (root,), parts = msgspec.json.schema_components(
        [api.request], ref_template=f"{REF}{prefix}{{name}}"
    )
    text = json.dumps({f"{prefix}{name}": schema for name, schema in parts.items()})
    own = root["$ref"].removeprefix(REF)
    schemas: dict[str, Any] = json.loads(
        text.replace(own, f"{prefix}Request").replace(f"{prefix}_", prefix)
    )
    return schemas
