"""A client API that is one row: the proof that one more API needs nothing else.

It takes `{"ask": "…"}` and streams lines of JSON, unless `stream` is false. It has a second kind of
request, `{"repeat": "…"}`, and endpoints of its own. The contract tests run for it as for the
others.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.apis import APIS, Api, ChatRequest, Completion, Dialect, Options, StreamFormat
from gateway.apis import dialects_of as dialects_of_apis
from gateway.apis.base import Endpoint, EndpointRequest, Operation, ReadyAnswer, Schema
from gateway.apis.json import convert
from gateway.apis.schemas import STRING, list_of, object_of
from gateway.config import Config
from gateway.core.events import Done, Event, Failed, OutputDelta
from gateway.core.sse import dumps
from gateway.errors import ErrorInfo, NotOffered


class ToyBody(msgspec.Struct):
    ask: str
    model: str = ""
    stream: bool = True
    gateway: Options | None = None


class RepeatBody(msgspec.Struct):
    repeat: str
    model: str = ""


class ToyDialect(Dialect):
    content_type = "application/x-ndjson"
    waits_for_upstream = True
    cuts_after_error = True
    non_streamed = Completion

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(map(_spell, events))

    def heartbeat(self, elapsed_ms: int) -> bytes:
        return _line({"toy": ""})

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        return "application/json", dumps({"error": error.message})


def _spell(event: Event) -> bytes:
    match event:
        case OutputDelta(text):
            return _line({"toy": text})
        case Done():
            return _line({"done": True})
        case Failed(error):
            return _line({"error": error.message})
    return b""


def _line(value: dict[str, Any]) -> bytes:
    return f"{dumps(value)}\n".encode()


def read_toy(body: dict[str, Any], _format: str | None, _config: Config) -> ChatRequest:
    asked = convert(body, ToyBody)
    return ChatRequest(
        dialect="toy",
        model=asked.model,
        stream=asked.stream,
        options=asked.gateway or Options(),
        body={"messages": [{"role": "user", "content": asked.ask}]},
    )


def read_repeat(
    body: dict[str, Any], _format: str | None, config: Config
) -> ChatRequest | ReadyAnswer:
    asked = convert(body, RepeatBody)
    if not asked.repeat:
        return ReadyAnswer(asked.model, lambda _now: {"repeated": ""})
    return read_toy({"ask": f"Repeat: {asked.repeat}", "model": asked.model}, None, config)


def list_toys(request: EndpointRequest) -> dict[str, Any]:
    return {"toys": [{"id": model.id, "own_name": model.own_name} for model in request.models]}


def refuse_toy(_request: EndpointRequest) -> dict[str, Any]:
    raise NotOffered("The gateway makes no toys.")


_ANSWER = Schema("ToyAnswer", object_of({"choices": {}}, id=STRING))

TOY = Api(
    name="toy",
    title="A toy",
    paths=("/toy/ask",),
    formats={
        "toy": StreamFormat(
            ToyDialect,
            "A toy for tests.",
            item=Schema("ToyLine", object_of({}, toy=STRING)),
            on_page=False,
        )
    },
    read=read_toy,
    request=ToyBody,
    answer=_ANSWER,
    error=Schema("ToyError", object_of({"error": STRING})),
    other_operations=(
        Operation(
            name="toy_repeat",
            title="A repetition",
            paths=("/toy/repeat",),
            read=read_repeat,
            request=RepeatBody,
            answer=_ANSWER,
        ),
    ),
    endpoints=(
        Endpoint(
            "/toy/list",
            ("GET",),
            "The toys",
            list_toys,
            Schema("ToyList", object_of({"toys": list_of(object_of({"id": STRING}))})),
            needs_models=True,
        ),
        Endpoint("/toy/make", ("POST",), "Not offered", refuse_toy, refusal=NotOffered),
    ),
    takes_any_content_type=True,
    prefixes=("/toy",),
    key_headers=("x-toy-key",),
)
ALL_APIS = (*APIS, TOY)
ALL_DIALECTS = dialects_of_apis(ALL_APIS)
