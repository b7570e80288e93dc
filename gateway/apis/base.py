"""What every API is made of: one :class:`Api` row, its request, its dialects.

A request becomes a :class:`ChatRequest`, whose body is what the upstream is sent. The events of the
answer are spelled by a :class:`Dialect` as a stream, or collected by a
:class:`NonStreamedAnswer`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from gateway.config import Config, Detail, Format, ReasoningMode
from gateway.core.events import Event
from gateway.core.sse import comment, dumps
from gateway.core.thought_log import SendThoughts
from gateway.core.thoughts import Shown, ThoughtRecord
from gateway.errors import CallerError, ErrorInfo, NotFound

if TYPE_CHECKING:
    from gateway.apis.kept import AnswerStore

Keep = Literal["no", "ended", "detached", "background"]
"""What becomes of a turn when its client leaves, and whether it can be read again.

no          it ends with its client
ended       it ends with its client; once it has ended, it can be read again
detached    it goes on for a time in which a reader may come; it can be read at any time
background  it goes on to its end; it can be read at any time
"""


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The member `gateway` of a request; it never reaches the upstream."""

    format: Format | None = None
    reasoning: ReasoningMode = "summary"
    detail: Detail = "auto"
    summarizer: str | None = None
    """A name of SUMMARIZERS, or `off`; None: the operator's choice."""
    starts_inside: bool | None = None
    thinking_budget: Annotated[int, Meta(ge=0)] | None = None
    """Tokens that the model may think; 0: it is told not to think. None: what else sets it."""
    keep: bool | None = None
    """The turn goes on without its client and can be read again; None: KEEP_STREAMS."""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that has been checked."""

    dialect: str
    """The key of its answer's dialect in DIALECTS."""
    model: str
    """"" when the request names none."""
    stream: bool
    include_usage: bool = False
    choices: int = 1
    thoughts: Mapping[int, ThoughtRecord] = {}
    """Number of a message in `body` → what the model thought before it wrote the message."""
    shown: Mapping[int, Shown] = {}
    """Number of a message in `body` → what the client was shown of it, and hands back."""
    seals_thoughts: SendThoughts = "never"
    """When the answer has what the model thinks, sealed."""
    options: Options
    thinking_budget: int | None = None
    """Tokens that the model may think, in whatever spelling the client gave them."""
    body: dict[str, Any]
    """The chat completion request for the upstream; it has `messages`."""
    conversation: Sequence[Mapping[str, Any]] | None = None
    """The messages with the roles that the client gave them, where those in `body` differ: there, a
    later system message is the user's. The prompt summary is of these."""
    echo: Mapping[str, Any] = {}
    """Members of the request that its dialect repeats or obeys in the answer."""
    prompt_tokens: int = 0
    """An estimate, for dialects that report a count before the upstream has."""
    keep: Keep = "no"
    """What the API's own members say of it; `options.keep` may say more."""
    input: list[Any] | None = None
    """See StreamInfo.input."""

    def before(self, number: int) -> Sequence[Mapping[str, Any]]:
        """Returns the messages before one of the assistant, with the client's own roles.

        number: of the assistant's message in `body`.
        """
        messages = self.body["messages"]
        given = self.conversation or messages
        # In `body`, leading system messages are joined and results of interrupted calls added, so
        # the numbers differ. The assistant's messages are the same.
        earlier = sum(message.get("role") == "assistant" for message in messages[:number])
        own = (at for at, message in enumerate(given) if message.get("role") == "assistant")
        return given[: next(islice(own, earlier, None), None)]


class ReadyAnswer(msgspec.Struct, frozen=True):
    """The answer to a request that needs no run of the model, such as one that only loads it."""

    model: str
    """Must be served; "" for none."""
    body: Callable[[int], dict[str, Any]]
    """The body of the answer, from the Unix time in seconds."""


class Answer(msgspec.Struct, frozen=True):
    """What the frames of one answer have in common."""

    id: str
    """The stream's id; each dialect adds the prefix that its clients expect."""
    model: str
    created: int
    """Unix seconds."""
    request_id: str = ""
    reasoning: ReasoningMode = "summary"
    seal: Callable[[ThoughtRecord], str] | None = None
    """Seals what the model thought, for the dialects that have a field for it."""
    include_usage: bool = False
    """The client asked for a usage chunk."""
    echo: Mapping[str, Any] = {}
    """See ChatRequest.echo."""
    prompt_tokens: int = 0
    """See ChatRequest.prompt_tokens."""


class NonStreamedAnswer(Protocol):
    """Collects the events of an answer that is not streamed; then it has an error or a body."""

    error: ErrorInfo | None

    def __init__(self, answer: Answer) -> None: ...
    def add(self, events: Sequence[Event]) -> None: ...
    def body(self) -> dict[str, Any]: ...


class Dialect:
    """The base of all dialects: spells the events of one answer as bytes."""

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    refuses_with_event: ClassVar[bool] = False
    """A refusal is an event as well, with the error's status."""
    not_json: ClassVar[str | None] = None
    """The message for a body that is not JSON, where the format's contract words it."""
    waits_for_upstream: ClassVar[bool] = False
    """Clients retry on an HTTP status, so the response waits for the upstream's."""
    cuts_after_error: ClassVar[bool] = False
    """Some clients overlook an error in the stream, but none a body that is cut off: after an error
    the connection is closed before the body's end."""
    non_streamed: ClassVar[type[NonStreamedAnswer]]
    """Collects the answer where the client wants no stream."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def begin(self) -> bytes:
        """The first bytes, before any event."""
        return b""

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        """The bytes of these events. `number` is the first one's in the stream, from 1."""
        raise NotImplementedError

    def heartbeat(self, elapsed_ms: int) -> bytes:
        """The bytes for a silent stream; `elapsed_ms` since the request arrived."""
        return comment("ping")

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        """Content type and body of a refusal, before a stream has begun."""
        return "application/json", dumps(error.body())


KEY_HEADERS = ("Authorization", "x-api-key")
"""Where OpenAI's and Anthropic's clients send their key."""


class Schema(NamedTuple):
    """A JSON schema with its name in the OpenAPI document."""

    name: str
    schema: dict[str, Any]


class StreamFormat(NamedTuple):
    """One way in which an API streams its answer."""

    dialect: type[Dialect]
    hint: str
    """What it is, in one sentence, for the demo page."""
    item: Schema | None = None
    """The schema of one line, where the stream is not of server-sent events."""
    on_page: bool = True
    """The demo page offers it. The page reads server-sent events only."""


class ServedModel(NamedTuple):
    """A model that a client may use."""

    id: str
    own_name: str
    """Its upstream's name for it."""


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """What an endpoint answers from."""

    body: Mapping[str, Any]
    """{} where the endpoint does not read it."""
    segments: Mapping[str, str]
    """The path's segments by their names."""
    answers: "AnswerStore"
    """What was kept for the client."""
    query: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[ServedModel] = ()
    """The models that the client may use, where the endpoint needs them."""


@dataclass(frozen=True)
class Replay:
    """The answer of an endpoint that streams a kept answer again."""

    id: str
    """Of the stream."""
    dialect: Callable[[Answer], Dialect]


@dataclass(frozen=True)
class Endpoint:
    """A path of an API beside `Api.paths`."""

    path: str
    """`{id}` stands for a segment."""
    methods: tuple[str, ...]
    summary: str
    """What it is for, in the OpenAPI document."""
    answer: Callable[[EndpointRequest], dict[str, Any] | Replay]
    """The JSON answer, or a stream. Raises CallerError."""
    schema: Schema | None = None
    """The answer's; None: it never succeeds."""
    refusal: type[CallerError] = NotFound
    """What it raises where it never succeeds."""
    request: Schema | None = None
    """The body that it reads; None: that of a request for the model."""
    reads_body: bool = False
    needs_models: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, dict[str, Any]], ...] = ()
    """The parameters that it reads, each with its schema."""
    streams: bool = False
    """The answer can be a stream."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of request for the model, at paths of its own."""

    name: str
    title: str
    """What a request asks for: "A chat completion"."""
    paths: tuple[str, ...]
    """Where a client posts a request for the model; `{format}` stands for a format's name."""
    read: Callable[[dict[str, Any], str | None, Config], ChatRequest | ReadyAnswer]
    """A body, and the format that the path names, as a request. Raises BadRequest."""
    request: type[msgspec.Struct]
    """The type that a body is read with; its schema is in the OpenAPI document."""
    answer: Schema
    """The answer that is not streamed."""
    other_bodies: tuple[Schema, ...] = ()
    """Other bodies that the paths take."""
    streams: bool = True
    """A client can ask for a stream."""


@dataclass(frozen=True, kw_only=True)
class Api(Operation):
    """One row of the table APIS: all that the gateway knows of a client API.

    Routes, refusals, keys, the OpenAPI document, the page and the contract tests follow from it.
    """

    formats: Mapping[str, StreamFormat]
    """Name of a format → how it streams. The names are unique over all APIs."""
    error: Schema
    """The body of a refusal."""
    choose_format: Callable[[dict[str, Any], str | None, Config], str] | None = None
    """The format that a body asks for, even when something else in it is wrong; None: there is
    only one."""
    other_operations: tuple[Operation, ...] = ()
    complete: Callable[[dict[str, Any], "AnswerStore"], dict[str, Any]] | None = None
    """Puts what was kept into a body that refers to it; None: bodies refer to nothing."""
    endpoints: tuple[Endpoint, ...] = ()
    takes_any_content_type: bool = False
    """A body needs no JSON Content-Type: `curl -d` sends none. A browser's request, which has an
    `Origin`, does: only then does it ask before it sends a body to another site."""
    prefixes: tuple[str, ...] = ()
    """Paths below which everything is this API's, so that even a path that does not exist is
    refused in its words."""
    key_headers: tuple[str, ...] = KEY_HEADERS
    """Headers in which a client may send its key; `Authorization` holds it as a bearer token."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All kinds of requests for the model."""
        return (self, *self.other_operations)

    def format_of(self, body: dict[str, Any], of_path: str | None, config: Config) -> str:
        """The format that a request asks for."""
        if self.choose_format is None:
            return next(iter(self.formats))
        return self.choose_format(body, of_path, config)

    def has_path(self, path: str) -> bool:
        """True for this API's paths and prefixes, and for those below them."""
        paths = [own for operation in self.operations for own in operation.paths]
        return any(path == own or path.startswith(f"{own}/") for own in (*paths, *self.prefixes))
