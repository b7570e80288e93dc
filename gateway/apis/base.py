"""What every dialect is made with and has to do."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec

from gateway.config import Detail, Format, ReasoningMode
from gateway.core.events import Event
from gateway.core.sse import comment, dumps
from gateway.errors import ErrorInfo


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's own part of a request; it never reaches the upstream."""

    format: Format | None = None
    reasoning: ReasoningMode = "summary"
    detail: Detail = "auto"
    summarizer: str | None = None
    """A name of SUMMARIZERS, or `off`; None: the operator's choice."""
    starts_inside: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has been checked."""

    dialect: str
    """The key of its answer's dialect in DIALECTS."""
    model: str
    """"" when the request names none."""
    stream: bool
    include_usage: bool = False
    choices: int = 1
    options: Options
    body: dict[str, Any]
    """What goes on to the upstream: a chat completion request; `messages` is there."""
    echo: Mapping[str, Any] = {}
    """Members of the request that its answer repeats or heeds, for the dialects that do so."""
    prompt_tokens: int = 0
    """An estimate, for the dialects that have to name a figure before the upstream has."""


class Answer(msgspec.Struct, frozen=True):
    """What the frames of one answer have in common."""

    id: str
    """The stream's; each dialect puts the prefix before it that its clients expect."""
    model: str
    created: int
    """Unix seconds."""
    request_id: str = ""
    reasoning: ReasoningMode = "summary"
    include_usage: bool = False
    """The client asked for a usage chunk."""
    echo: Mapping[str, Any] = {}
    """Members of the request that the answer repeats or heeds, for the dialects that do so."""
    prompt_tokens: int = 0
    """An estimate, for the dialects that name a figure before the upstream has."""


class Whole(Protocol):
    """The same answer in one piece: takes the events; then it has an error, or a body."""

    error: ErrorInfo | None

    def __init__(self, answer: Answer) -> None: ...
    def add(self, events: Sequence[Event]) -> None: ...
    def body(self) -> dict[str, Any]: ...


class Dialect:
    """The base of the dialects: made for one answer, it spells its events as bytes."""

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    waits_for_upstream: ClassVar[bool] = False
    """Its clients retry on an HTTP status, so the first byte waits for the upstream's answer."""
    whole: ClassVar[type[Whole]]
    """What spells an answer that is not streamed."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def begin(self) -> bytes:
        """The first bytes, before any event."""
        return b""

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        """Spells the events, of which the first is the stream's event number `number`, from 1."""
        raise NotImplementedError

    def heartbeat(self, elapsed_ms: int) -> bytes:
        """A sign of life; `elapsed_ms` since the request arrived."""
        return comment("ping")

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        """Content type and body of an answer that never became a stream."""
        return "application/json", dumps(error.body())
