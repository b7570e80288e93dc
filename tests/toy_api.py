"""A client API that is one row: the proof that one more API needs nothing else.

It takes `{"ask": "…"}` and streams lines of text. The contract tests run for it as for the others.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.apis import APIS, Api, ChatRequest, Completion, Dialect, Options, StreamFormat
from gateway.apis import dialects_of as dialects_of_apis
from gateway.apis.base import Schema
from gateway.apis.json import convert
from gateway.apis.schemas import OPENAI_ERROR, STRING, object_of
from gateway.config import Config
from gateway.core.events import Done, Event, Failed, OutputDelta
from gateway.core.sse import dumps, frame


class ToyBody(msgspec.Struct):
    ask: str
    model: str = ""
    stream: bool = False
    gateway: Options | None = None


class ToyDialect(Dialect):
    non_streamed = Completion

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(map(_spell, events))


def _spell(event: Event) -> bytes:
    match event:
        case OutputDelta(text):
            return frame(dumps({"toy": text}))
        case Done():
            return frame("[DONE]")
        case Failed(error):
            return frame(dumps(error.body()))
    return b""


def read_toy(body: dict[str, Any], _format: str | None, _config: Config) -> ChatRequest:
    asked = convert(body, ToyBody)
    return ChatRequest(
        dialect="toy",
        model=asked.model,
        stream=asked.stream,
        options=asked.gateway or Options(),
        body={"messages": [{"role": "user", "content": asked.ask}]},
    )


TOY = Api(
    name="toy",
    title="A toy",
    paths=("/v1/toy",),
    formats={"toy": StreamFormat(ToyDialect, "A toy for tests.")},
    read=read_toy,
    request=ToyBody,
    answer=Schema("ToyAnswer", object_of({"choices": {}}, id=STRING)),
    error=OPENAI_ERROR,
    key_headers=("x-toy-key",),
)
ALL_APIS = (*APIS, TOY)
ALL_DIALECTS = dialects_of_apis(ALL_APIS)
