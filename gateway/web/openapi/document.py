"""The document: one entry for each path, with what can come back."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from gateway import errors
from gateway.config import Format
from gateway.web.openapi.answers import ANSWERS, JSON, content
from gateway.web.openapi.bodies import body_schemas, ref

_ABOUT = """\
Turns the stream of a reasoning model into phases: a prompt summary at once, a summary of the
reasoning while the model thinks, then the answer."""
_FORMAT = {
    "name": "format",
    "in": "path",
    "required": True,
    "schema": {"enum": list(get_args(Format))},
}
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
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^resp_[0-9a-f]{32}$"},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}
_EXTRA_HEADERS: dict[int, dict[str, Any]] = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_SECURITY: list[dict[str, Any]] = [{}, *({name: []} for name in _KEYS)]
"""A key in one header or the other; none where the operator wants none (`API_KEYS`)."""

_CHAT = {"anyOf": [ref("ChatRequest"), ref("PromptRequest")]}
_ANSWER = content(json="ChatCompletion", events="Event")
_REFUSAL = content(json="Error", events="Event")
"""Before the stream has begun; of the formats, plain alone refuses with an event."""


def document(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the gateway's paths."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reasoning Gateway",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": _paths(),
        "components": {"schemas": body_schemas() | ANSWERS, "securitySchemes": _KEYS},
    }


def _paths() -> dict[str, Any]:
    chat = _door("A chat completion", _CHAT, _ANSWER, _REFUSAL)
    models = _keyed(get=_read("The models of the model server", "ModelList", _fails(_REFUSAL)))
    refusal = content(json="MessagesError")
    missing = _answer("`not_found`", content(json="Error"))
    responses = _door(
        "A response, as OpenAI has it",
        ref("ResponsesRequest"),
        content(json="Response", events="Event"),
        content(json="Error"),
    )
    kept = {
        "summary": "The gateway keeps no responses",
        "responses": {"401": _fails(content(json="Error"))["401"], "404": missing},
    }
    return {
        "/v1/chat/completions": chat,
        "/{format}/v1/chat/completions": {"parameters": [_FORMAT], **chat},
        "/v1/responses": responses,
        "/openai/v1/responses": responses,
        "/v1/responses/{id}": {"parameters": [_ID], **_keyed(get=kept, delete=kept)},
        "/v1/responses/{id}/cancel": {"parameters": [_ID], **_keyed(post=kept)},
        "/v1/responses/{id}/input_items": {"parameters": [_ID], **_keyed(get=kept)},
        "/v1/messages": _door(
            "A message, as Anthropic has it",
            ref("MessagesRequest"),
            content(json="Message", events="Event"),
            refusal,
        ),
        "/v1/messages/count_tokens": _door(
            "About how many tokens a prompt has",
            ref("MessagesRequest"),
            content(json="TokenCount"),
            refusal,
        ),
        "/v1/models": models,
        "/{format}/v1/models": {"parameters": [_FORMAT], **models},
        "/health": {"get": _read("Is the process alive?", "Health")},
        "/ready": {
            "get": _read(
                "Should it get traffic?",
                "Readiness",
                {"503": _answer("No, or not for long", content(json="Readiness"))},
            )
        },
        "/metrics": {"get": _get("What it has done, for Prometheus", content(text="Text"))},
        "/openapi.json": {"get": _read("This document", "Document")},
        "/": {"get": _get("The demo page", content(html="Text"))},
    }


def _door(
    summary: str, body: dict[str, Any], answer: dict[str, Any], refusal: dict[str, Any]
) -> dict[str, Any]:
    """A path that takes a request for the model."""
    return _keyed(
        post={
            "summary": summary,
            "parameters": [_REQUEST_ID],
            "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
            "responses": {"200": _answer("The answer", answer), **_fails(refusal)},
        }
    )


def _keyed(**operations: dict[str, Any]) -> dict[str, Any]:
    """Method → operation of a path that may want a key."""
    return {
        method: {**operation, "security": _SECURITY} for method, operation in operations.items()
    }


def _read(summary: str, schema: str, otherwise: dict[str, Any] | None = None) -> dict[str, Any]:
    """A path that gives a JSON object."""
    return _get(summary, content(json=schema), otherwise)


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
        # Whoever left reads no answer, and the operator's errors end the start.
        if kind.code and kind.blame not in ("client", "operator"):
            found[kind.status].append(kind.code)
    for status in errors.UpstreamRefused.PASSED_ON:
        found[status].append(errors.UpstreamRefused.code)
    return dict(found)


def _kinds(root: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
