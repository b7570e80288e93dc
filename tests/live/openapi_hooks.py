"""schemathesis hooks that turn requests which only match the schema into valid ones.

A schema can't express that a model must exist, that messages or a prompt must be present, that a
path has one format, or that the gateway stores nothing. Nor that only the newest message must be
valid: invalid requests get one there.

schemathesis tries each rule of a schema with many values, which one line of the gateway refuses.
Of these, two are asked.
"""

import json
from collections import Counter
from typing import Any

import schemathesis
from schemathesis import GenerationMode

HI = [{"role": "user", "content": "hi"}]
INVALID = {"role": "user", "content": 5}
CASES_A_RULE = 2
OLDER = "/properties/messages/items/"
DEPTH_OF_OLDER = 9
"""The part of a rule's path that tells which kind of content in an older message breaks it. The
newest message is invalid as well, so what else is wrong below has the same answer."""
_asked: Counter[tuple[str, str, str]] = Counter()


@schemathesis.deserializer("application/x-ndjson")
def first_line(context: Any, response: Any) -> Any:
    """The schema of a stream is that of a line."""
    return json.loads(response.content.split(b"\n")[0])


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    rule = getattr(case.meta.phase.data, "location", None)
    if case.meta.generation.mode is GenerationMode.POSITIVE or rule is None:
        return True
    if case.path == "/v1/messages" and rule.startswith(OLDER):
        rule = "/".join(rule.split("/")[:DEPTH_OF_OLDER])
    asked = (case.method, case.path, rule)
    _asked[asked] += 1
    return _asked[asked] <= CASES_A_RULE


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
