"""Reads a request: a decoded body in, typed values out.

Raises RequestRefused with the error to send. No I/O.
"""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from gateway.mock.errors import ErrorReply, RequestRefused
from gateway.mock.models import MODELS, Script

T = TypeVar("T")
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1000)]


class Playback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to play the script: the object "mock" of a request, described in :mod:`gateway.mock`."""

    tokens_per_second: Annotated[float, Meta(ge=0, le=100_000)] = 80
    delay_s: Seconds = 0
    silence_s: Seconds = 0
    tokens_per_frame: Count = 1
    frames_per_write: Count = 1
    repeat: Count = 1


SHORT_NAMES = {"tps": "tokens_per_second", "delay": "delay_s", "silence": "silence_s"}


class Message(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None

    def text(self) -> str:
        """Its text; other content parts, such as images, are left out."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = (part.get("text") for part in self.content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))


class Parameters(msgspec.Struct):
    """A tool's JSON schema."""

    properties: dict[str, Any] = {}
    required: list[str] = []


class Function(msgspec.Struct):
    """The function of a tool."""

    name: str
    parameters: Parameters | None = None


class Tool(msgspec.Struct):
    """A tool that the model may call."""

    function: Function


class StreamOptions(msgspec.Struct):
    """Whether the stream ends with a usage chunk."""

    include_usage: bool | None = None


class ChatRequest(msgspec.Struct):
    """The fields of an OpenAI chat completion request that this server knows."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str = "default"
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: list[Tool] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    mock: dict[str, Any] = {}

    @property
    def prompt(self) -> str:
        """The last user message, or the last message if there is none."""
        prompts = [message.text() for message in self.messages if message.role == "user"]
        return prompts[-1] if prompts else self.messages[-1].text()

    @property
    def step(self) -> int:
        """The number of messages with tool calls since the model's last answer."""
        step = 0
        for message in self.messages:
            if message.role == "assistant":
                step = step + 1 if message.tool_calls else 0
        return step

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)


class Sampling(msgspec.Struct, frozen=True):
    """How a real model chooses its tokens; None: as its own configuration says."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: int | None = None


def read_request(body: Any, defaults: Playback) -> tuple[ChatRequest, Script, Playback]:
    """The request, the script that its model's name selects, and how to play it.

    The playback's settings come from the object "mock", else from the suffix of the model's name,
    else from the script, else from `defaults`.
    """
    request = convert(body, ChatRequest)
    name, _, suffix = request.model.partition("@")
    script = MODELS.get(name)
    if not script:
        message = f"The model `{name}` does not exist. Known models: {', '.join(MODELS)}."
        raise RequestRefused(ErrorReply(404, message, "model_not_found", "model"))
    settings = msgspec.structs.asdict(defaults) | script.playback | read_suffix(suffix)
    playback = convert({**settings, **request.mock}, Playback, root="mock")
    if script.never_streams:
        request.stream = False
    return request, script, playback


def convert(value: Any, kind: type[T], root: str = "") -> T:
    """The value as `kind`, or a 400 whose param is the path of the invalid field below `root`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at `$")
        param = (root + path.rstrip("`")).removeprefix(".") or None
        if kind is Playback:
            fault += f"; the settings are {', '.join(Playback.__struct_fields__)}"
        message = f"{param or 'The request'}: {fault}."
        raise RequestRefused(ErrorReply(400, message, param=param)) from None


def read_suffix(suffix: str) -> dict[str, float]:
    """The settings in a model name's suffix, such as `tps=200,delay=1.5`."""
    settings = {}
    for pair in filter(None, suffix.split(",")):
        key, _, text = pair.partition("=")
        try:
            number: float = msgspec.convert(text, int | float, strict=False)
        except msgspec.ValidationError:
            message = f"{key} in the model's name needs a number, as in {key}=2."
            raise RequestRefused(ErrorReply(400, message, param="model")) from None
        settings[SHORT_NAMES.get(key, key)] = number
    return settings
