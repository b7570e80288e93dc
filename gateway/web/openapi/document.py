"""The document: one entry for each path, with its possible answers."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args

from gateway import errors
from gateway.apis import Api
from gateway.apis.base import Endpoint, Operation
from gateway.apis.schemas import COUNT, OPENAI_ERROR
from gateway.config import Format
from gateway.web.openapi.answers import (
    ALL,
    DOCUMENT,
    EVENT,
    HEALTH,
    JSON,
    MODEL,
    MODEL_LIST,
    READINESS,
    STREAM,
    TEXT,
    content,
    ref,
)
from gateway.web.openapi.bodies import request_schema, request_schemas

_ABOUT = """\
Turns the stream of a reasoning model into phases: a prompt summary at once, a summary of the
reasoning while the model thinks, then the answer."""
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "Taken over and returned if it is a plain token of at most 128 characters.",
    "schema": {"type": "string"},
}
_HEADERS = {
    "X-Request-Id": {"required": True, "schema": {"type": "string"}},
    "request-id": {
        "description": "The same.",
        "required": True,
        "schema": {"type": "string"},
    },
}
_RESPONSE_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^resp_[0-9a-f]{52}$"},
}
_STREAM_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Of the header X-Stream-Id.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{52}$"},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}
_EXTRA_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}

_Security = list[dict[str, Any]]


def document(version: str, apis: Sequence[Api]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the gateway's paths."""
    schemas = {schema.name: schema.schema for schema in ALL}
    for api in apis:
        found = [api.error]
        for operation in api.operations:
            schemas |= request_schemas(operation)
            found += [operation.answer, *operation.other_bodies]
        found += [format.item for format in api.formats.values() if format.item is not None]
        for endpoint in api.endpoints:
            found += [s for s in (endpoint.schema, endpoint.request) if s is not None]
        schemas |= {schema.name: schema.schema for schema in found}
    keys = _security_schemes(apis)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reasoning Gateway",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        # {}: no key, as with a gateway that has none; then a key in one of the headers.
        "paths": _paths(apis, [{}, *({name: []} for name in keys)]),
        "components": {"schemas": schemas, "securitySchemes": keys},
    }


def _security_schemes(apis: Sequence[Api]) -> dict[str, Any]:
    headers = dict.fromkeys(header for api in apis for header in api.key_headers)
    bearer = {"bearer": {"type": "http", "scheme": "bearer"}}
    others = {
        name: {"type": "apiKey", "in": "header", "name": name}
        for name in headers
        if name != "Authorization"
    }
    return bearer | others


def _paths(apis: Sequence[Api], security: _Security) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for api in apis:
        for operation in api.operations:
            item = _request(api, operation, security)
            for path in operation.paths:
                in_path = {"parameters": [_format(list(api.formats))]} if "{format}" in path else {}
                paths[path] = in_path | item
        for endpoint in api.endpoints:
            paths.setdefault(endpoint.path, {}).update(_endpoint(api, endpoint, security))
    listed = _get("The models of the model server", content(json=MODEL_LIST))
    refused = _fails(content(json=OPENAI_ERROR, events=EVENT))
    models = {"get": {**listed, "security": security}}
    models["get"]["responses"] |= refused
    one = _get("One of the models", content(json=MODEL), refused)
    model = {"get": {**one, "security": security}}
    return paths | {
        "/v1/models": models,
        "/{format}/v1/models": {"parameters": [_format(list(get_args(Format)))], **models},
        "/v1/models/{id}": {"parameters": [_in_path("id")], **model},
        "/{format}/v1/models/{id}": {
            "parameters": [_in_path("id"), _format(list(get_args(Format)))],
            **model,
        },
        "/v1/streams/{id}": {
            "parameters": [_STREAM_ID],
            "get": {
                "summary": "Read a kept stream from an event on, in any format",
                "parameters": [
                    {"name": "after", "in": "query", "schema": COUNT},
                    {"name": "format", "in": "query", "schema": {"enum": _formats(apis)}},
                ],
                "responses": {
                    "200": _answer("The stream", content(events=EVENT)),
                    "204": {"description": "It is over, and `Last-Event-ID` is its last event"},
                    **refused,
                },
                "security": security,
            },
            "delete": {
                "summary": "Stop a stream; of one that is over, forget what was kept",
                "responses": {
                    "200": _answer("What was done", content(json=STREAM)),
                    **refused,
                },
                "security": security,
            },
        },
        "/v1/streams/{id}/answer": {
            "parameters": [_STREAM_ID],
            "post": {
                "summary": "End the thinking of a stream: the answer comes now",
                "responses": {
                    "202": _answer("The stream goes on with the answer", content(json=STREAM)),
                    **refused,
                },
                "security": security,
            },
        },
        "/health": {"get": _get("Is the process alive?", content(json=HEALTH))},
        "/ready": {
            "get": _get(
                "Should it get traffic?",
                content(json=READINESS),
                {"503": _answer("No, or not for long", content(json=READINESS))},
            )
        },
        "/metrics": {
            "get": _get(
                "What it has done, for Prometheus",
                content(text=TEXT),
                {"404": _answer("It is at ADMIN_BIND", content(json=OPENAI_ERROR))},
            )
        },
        "/openapi.json": {"get": _get("This document", content(json=DOCUMENT))},
        "/": {"get": _get("The demo page", content(html=TEXT))},
    }


def _formats(apis: Sequence[Api]) -> list[str]:
    return [name for api in apis for name in api.formats]


def _format(names: list[str]) -> dict[str, Any]:
    return {"name": "format", "in": "path", "required": True, "schema": {"enum": names}}


def _request(api: Api, operation: Operation, security: _Security) -> dict[str, Any]:
    """The path item of a path that takes a request for the model."""
    bodies = [ref(schema) for schema in (request_schema(operation), *operation.other_bodies)]
    return {
        "post": {
            "summary": operation.title,
            "parameters": [_REQUEST_ID],
            "requestBody": _body(bodies[0] if len(bodies) == 1 else {"anyOf": bodies}),
            "responses": {
                "200": _answer("The answer", _streamed_or_not(api, operation)),
                **_fails(_refusal(api)),
            },
            "security": security,
        }
    }


def _endpoint(api: Api, endpoint: Endpoint, security: _Security) -> dict[str, Any]:
    """The path item of another path of an API."""
    failures = _fails(_refusal(api))
    if endpoint.schema is None:
        refusal = endpoint.refusal
        responses = {
            "401": failures["401"],
            str(refusal.status): _answer(f"`{refusal.code}`", content(json=api.error)),
        }
    else:
        responses = {"200": _answer("The answer", content(json=endpoint.schema)), **failures}
    operation: dict[str, Any] = {"summary": endpoint.summary, "responses": responses}
    operation["security"] = security
    if endpoint.streams:
        responses["200"]["content"] |= content(events=EVENT)
    if endpoint.query:
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": schema} for name, schema in endpoint.query
        ]
    items: dict[str, Any] = {}
    if names := re.findall(r"{(\w+)}", endpoint.path):
        items["parameters"] = [_RESPONSE_ID if name == "id" else _in_path(name) for name in names]
    for method in endpoint.methods:
        items[method.lower()] = dict(operation)
    if "post" in items and endpoint.reads_body:
        items["post"] |= {
            "parameters": [_REQUEST_ID],
            "requestBody": _body(ref(endpoint.request or request_schema(api))),
        }
    return items


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _streamed_or_not(api: Api, operation: Operation) -> dict[str, Any]:
    found = content(json=operation.answer)
    if not operation.streams:
        return found
    for format in api.formats.values():
        media_type = format.dialect.content_type.partition(";")[0]
        found[media_type] = {"schema": ref(format.item or EVENT)}
    return found


def _refusal(api: Api) -> dict[str, Any]:
    """The body of a refusal, before a stream has begun."""
    as_event = any(format.dialect.refuses_with_event for format in api.formats.values())
    return content(json=api.error, events=EVENT) if as_event else content(json=api.error)


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _get(
    summary: str, answer: dict[str, Any], otherwise: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer("", answer), **(otherwise or {})}}


def _answer(description: str, content: dict[str, Any], status: int = 200) -> dict[str, Any]:
    headers = _HEADERS | _EXTRA_HEADERS.get(status, {})
    return {"description": description, "headers": headers, "content": content}


def _fails(content: dict[str, Any]) -> dict[str, Any]:
    """Status → answer, for every failure that a caller can meet."""
    return {
        str(status): _answer(f"`{'`, `'.join(codes)}`", content, status)
        for status, codes in sorted(_codes().items())
    }


@cache
def _codes() -> dict[int, list[str]]:
    """Status → the codes of its errors."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for kind in _kinds(errors.GatewayError):
        # A client that left gets no answer, and the operator's errors stop the start.
        if kind.code and kind.blame not in ("client", "operator"):
            found[kind.status].append(kind.code)
    for status in errors.UpstreamRefused.PASSED_ON:
        found[status].append(errors.UpstreamRefused.code)
    return dict(found)


def _kinds(root: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
