"""The pieces of every API: one :class:`Api` row, its request, its dialects.

A request becomes a :class:`ChatRequest`, whose body goes to the upstream. A :class:`Dialect`
encodes the events of the answer as a stream, or a :class:`NonStreamedAnswer` collects them.
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
"""How long a turn goes on after its client has left, and when it can be read again.

no          it ends when its client leaves, and can't be read again
ended       it ends when its client leaves; after its end, it can be read again
detached    it goes on for a limited time without a reader; it can be read at any time
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
    """The tokens that the model may think; 0 turns thinking off. None: other members of the request
    or the settings decide."""
    keep: bool | None = None
    """The turn goes on without its client and can be read again; None: KEEP_STREAMS decides."""


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
    """Number of a message in `body` → the model's thoughts before it wrote the message."""
    shown: Mapping[int, Shown] = {}
    """Number of a message in `body` → the reasoning that the client was shown and sends back."""
    seals_thoughts: SendThoughts = "never"
    """When the answer contains the model's thoughts, sealed."""
    options: Options
    thinking_budget: int | None = None
    """The tokens that the model may think, from any spelling of the budget; None: no limit."""
    body: dict[str, Any]
    """The chat completion request for the upstream; it has `messages`."""
    conversation: Sequence[Mapping[str, Any]] | None = None
    """The messages with the client's own roles, if those in `body` differ: there, a later system
    message has the role user. The prompt summary is made from these."""
    echo: Mapping[str, Any] = {}
    """Members of the request that its dialect needs for the answer."""
    prompt_tokens: int = 0
    """An estimate, for dialects that report a count before the upstream does."""
    keep: Keep = "no"
    """From the API's own members; `options.keep` may extend it."""
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
    """The answer to a request that does not run the model, such as one that only loads it."""

    model: str
    """The request is refused if this model is not served; "": there is no model to check."""
    body: Callable[[int], dict[str, Any]]
    """Takes the Unix time in seconds; returns the body of the answer."""


class Answer(msgspec.Struct, frozen=True):
    """The members that all frames of one answer have in common."""

    id: str
    """The stream's id; each dialect adds the prefix that its clients expect."""
    model: str
    created: int
    """Unix seconds."""
    request_id: str = ""
    reasoning: ReasoningMode = "summary"
    seal: Callable[[ThoughtRecord], str] | None = None
    """Seals the model's thoughts, for dialects with a field for them; None: they are not sent."""
    include_usage: bool = False
    """The client asked for a usage chunk."""
    echo: Mapping[str, Any] = {}
    """See ChatRequest.echo."""
    prompt_tokens: int = 0
    """See ChatRequest.prompt_tokens."""


class NonStreamedAnswer(Protocol):
    """Collects the events of an answer that is not streamed."""

    error: ErrorInfo | None
    """The error that ended the answer; None while there is none. After the last event, there is
    either an error or a body."""

    def __init__(self, answer: Answer) -> None: ...

    def add(self, events: Sequence[Event]) -> None:
        """Adds the next events."""

    def body(self) -> dict[str, Any]:
        """Returns the body of the complete answer."""


class Dialect:
    """The base of all dialects: encodes the events of one answer as bytes."""

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    refuses_with_event: ClassVar[bool] = False
    """The body of a refusal is an event too; its HTTP status is the error's."""
    not_json: ClassVar[str | None] = None
    """The message for a body that is not JSON, if the format's contract fixes it."""
    waits_for_upstream: ClassVar[bool] = False
    """The response waits for the upstream's status, because clients retry on an HTTP status."""
    cuts_after_error: ClassVar[bool] = False
    """After an error, the connection is closed before the end of the body: some clients overlook an
    error in the stream, but none overlooks an incomplete body."""
    non_streamed: ClassVar[type[NonStreamedAnswer]]
    """Collects the answer if the client does not ask for a stream."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def begin(self) -> bytes:
        """Returns the first bytes, before any event."""
        return b""

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        """Returns the bytes of these events.

        number: the number of the first event in the stream, from 1.
        """
        raise NotImplementedError

    def heartbeat(self, elapsed_ms: int) -> bytes:
        """Returns the bytes for a silent stream. elapsed_ms: since the request arrived."""
        return comment("ping")

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        """Returns the content type and the body of a refusal, before a stream has begun."""
        return "application/json", dumps(error.body())


KEY_HEADERS = ("Authorization", "x-api-key")
"""The headers in which OpenAI's and Anthropic's clients send their key."""


class Schema(NamedTuple):
    """A JSON schema with its name in the OpenAPI document."""

    name: str
    schema: dict[str, Any]


class StreamFormat(NamedTuple):
    """One way in which an API streams its answer."""

    dialect: type[Dialect]
    hint: str
    """A description in one sentence, for the demo page."""
    item: Schema | None = None
    """The schema of one line, if the stream is not one of server-sent events."""
    on_page: bool = True
    """The demo page offers the format. The page reads only server-sent events."""


class ServedModel(NamedTuple):
    """A model that a client may use."""

    id: str
    own_name: str
    """The upstream's name for the model."""


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """A request to an endpoint, with everything that the endpoint may need."""

    body: Mapping[str, Any]
    """{} if the endpoint does not read the body."""
    segments: Mapping[str, str]
    """Name of a segment in `Endpoint.path` → its value."""
    answers: "AnswerStore"
    """The answers that are kept for the client."""
    query: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[ServedModel] = ()
    """The models that the client may use, if the endpoint needs them."""


@dataclass(frozen=True)
class Replay:
    """The result of an endpoint that streams a kept answer again."""

    id: str
    """The id of the kept stream."""
    dialect: Callable[[Answer], Dialect]


@dataclass(frozen=True)
class Endpoint:
    """A path of an API that does not run the model."""

    path: str
    """`{name}` matches a segment."""
    methods: tuple[str, ...]
    summary: str
    """A description for the OpenAPI document."""
    answer: Callable[[EndpointRequest], dict[str, Any] | Replay]
    """Returns the JSON answer, or a stream. Raises CallerError."""
    schema: Schema | None = None
    """The schema of the answer; None: the endpoint always raises `refusal`."""
    refusal: type[CallerError] = NotFound
    """The error of an endpoint without a schema."""
    request: Schema | None = None
    """The schema of the body; None: that of a request for the model."""
    reads_body: bool = False
    needs_models: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, dict[str, Any]], ...] = ()
    """The query parameters, each with its schema."""
    streams: bool = False
    """The answer can be a stream."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One kind of request for the model, at paths of its own."""

    name: str
    title: str
    """The result of a request, for the OpenAPI document: "A chat completion"."""
    paths: tuple[str, ...]
    """The paths for a POST of the request; `{format}` matches the name of a format."""
    read: Callable[[dict[str, Any], str | None, Config], ChatRequest | ReadyAnswer]
    """Takes a body and the format in the path; returns the checked request. Raises BadRequest."""
    request: type[msgspec.Struct]
    """The type of a body; its schema is in the OpenAPI document."""
    answer: Schema
    """The schema of an answer that is not streamed."""
    other_bodies: tuple[Schema, ...] = ()
    """Schemas of other bodies that the paths accept."""
    streams: bool = True
    """A client can ask for a stream."""


@dataclass(frozen=True, kw_only=True)
class Api(Operation):
    """One row of the table APIS: a client API.

    Routes, refusals, keys, the OpenAPI document, the page and the contract tests follow from it.
    """

    formats: Mapping[str, StreamFormat]
    """Name of a format → its stream. The names are unique over all APIs."""
    error: Schema
    """The schema of a refusal's body."""
    choose_format: Callable[[dict[str, Any], str | None, Config], str] | None = None
    """Returns the format that a request asks for, even if its body has other faults. None: the API
    has only one format."""
    other_operations: tuple[Operation, ...] = ()
    complete: Callable[[dict[str, Any], "AnswerStore"], dict[str, Any]] | None = None
    """Puts a kept answer into a body that refers to it; None: bodies have no such references."""
    endpoints: tuple[Endpoint, ...] = ()
    takes_any_content_type: bool = False
    """A body needs no JSON Content-Type, because `curl -d` sends none. A request from a browser,
    which has an `Origin`, still needs it: it makes the browser ask before it sends a body to
    another site."""
    prefixes: tuple[str, ...] = ()
    """All paths below these belong to the API. So even a path that does not exist is refused in the
    API's own error format."""
    key_headers: tuple[str, ...] = KEY_HEADERS
    """Headers in which a client may send its key; `Authorization` holds it as a bearer token."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All kinds of requests for the model."""
        return (self, *self.other_operations)

    def format_of(self, body: dict[str, Any], of_path: str | None, config: Config) -> str:
        """Returns the name of the format that a request asks for."""
        if self.choose_format is None:
            return next(iter(self.formats))
        return self.choose_format(body, of_path, config)

    def has_path(self, path: str) -> bool:
        """Returns whether a path is one of the API's paths or prefixes, or below one of them."""
        paths = [own for operation in self.operations for own in operation.paths]
        return any(path == own or path.startswith(f"{own}/") for own in (*paths, *self.prefixes))
