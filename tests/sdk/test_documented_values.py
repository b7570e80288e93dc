"""Every value that the newest SDKs document for a member of a request is accepted."""

from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from anthropic.types import MessageCreateParams, OutputConfigParam, ThinkingConfigParam
from anthropic.types.beta import BetaThinkingConfigParam
from openai.types.chat import CompletionCreateParams
from openai.types.responses import ResponseCreateParams, ResponseTextConfigParam
from openai.types.shared_params import Reasoning

from gateway.apis import APIS
from gateway.apis.base import ChatRequest
from gateway.config import Config

READ = {api.name: api.read for api in APIS}
BODIES: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"input": "Hi"},
    "messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10},
}


def values(type: Any) -> Iterator[str]:
    """The words that a type allows, also within lists and alternatives."""
    if get_origin(type) is Literal:
        yield from filter(lambda value: isinstance(value, str), get_args(type))
    else:
        for inner in get_args(type):
            yield from values(inner)


def members(type: Any) -> dict[str, Any]:
    """The members of a TypedDict, or of the first of several."""
    first = get_args(type)[0] if get_origin(type) is Union else type
    return get_type_hints(first)


def documented() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each API with a member that has one of its documented values."""
    for api, type in (
        ("chat", CompletionCreateParams),
        ("responses", ResponseCreateParams),
        ("messages", MessageCreateParams),
    ):
        for name, hint in members(type).items():
            for value in values(hint) if name != "model" else ():
                is_list = name in ("include", "modalities")
                yield api, {name: [value] if is_list else value}
    for name, hint in get_type_hints(Reasoning).items():
        yield from (("responses", {"reasoning": {name: value}}) for value in values(hint))
    for value in values(get_type_hints(ResponseTextConfigParam)["verbosity"]):
        yield "responses", {"text": {"verbosity": value}}
    for value in values(get_type_hints(OutputConfigParam)["effort"]):
        yield "messages", {"output_config": {"effort": value}}
    for config in (*get_args(ThinkingConfigParam), *get_args(BetaThinkingConfigParam)):
        hints = get_type_hints(config)
        for kind in values(hints["type"]):
            for display in [None, *values(hints.get("display"))]:
                thinking = {"type": kind, "display": display, "budget_tokens": 1024}
                yield "messages", {"thinking": thinking}


@pytest.mark.parametrize(("api", "member"), [*documented()], ids=str)
def test_a_documented_value_is_accepted(api: str, member: dict[str, Any]) -> None:
    read = READ[api]({"model": "m", **BODIES[api], **member}, None, Config())
    assert isinstance(read, ChatRequest)
