"""Changes what schemathesis sends: makes good requests of those that only look good.

A schema can't say everything: that a model exists, that messages or a prompt must be there, that a
path has one format only, that the gateway keeps nothing.
"""

from typing import Any

import schemathesis
from schemathesis import GenerationMode

HI = [{"role": "user", "content": "hi"}]


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    body = case.body
    if case.meta.generation.mode is GenerationMode.POSITIVE and isinstance(body, dict):
        body |= {"model": "default", "max_tokens": 9}
        if case.path == "/v1/responses":
            body |= {"input": "hi", "tools": [], "tool_choice": "auto", "max_output_tokens": 9}
            for name in ("background", "conversation", "n", "previous_response_id", "prompt"):
                body.pop(name, None)
        elif "prompt" not in body:
            body["messages"] = body.get("messages") or HI
        if body.get("gateway") and "{format}" not in case.path:
            body["gateway"].pop("format", None)
    return case
