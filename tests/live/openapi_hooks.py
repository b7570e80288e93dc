"""schemathesis hooks that turn requests which only match the schema into valid ones.

A schema can't express that a model must exist, that messages or a prompt must be present, that a
path has one format, or that the gateway stores nothing. Nor that only the newest message must be
valid: invalid requests get one there.
"""

import json
from typing import Any

import schemathesis
from schemathesis import GenerationMode

HI = [{"role": "user", "content": "hi"}]
INVALID = {"role": "user", "content": 5}


@schemathesis.deserializer("application/x-ndjson")
def first_line(context: Any, response: Any) -> Any:
    """The schema of a stream is that of a line."""
    return json.loads(response.content.split(b"\n")[0])


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    body = case.body
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(body, dict):
        body |= {"model": "default", "max_tokens": 9}
        if case.path.endswith("/v1/responses"):
            body |= {"input": "hi", "tools": [], "tool_choice": "auto", "max_output_tokens": 9}
            for name in ("background", "conversation", "n", "previous_response_id", "prompt"):
                body.pop(name, None)
        elif case.path.startswith("/api/"):
            body |= {"think": True, "format": "json", "images": []}
            for name in ("suffix", "raw", "template", "context"):
                body.pop(name, None)
            if case.path == "/api/chat":
                body["messages"] = HI
        elif "prompt" not in body:
            body["messages"] = body.get("messages") or HI
        if body.get("gateway") and "{format}" not in case.path:
            body["gateway"].pop("format", None)
    elif case.path.startswith("/v1/messages") and isinstance(body, dict):
        messages = body.get("messages")
        body["messages"] = [*messages, INVALID] if isinstance(messages, list) else messages
    return case
