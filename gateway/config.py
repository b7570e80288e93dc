"""The settings: read once at the start from the environment, then `gateway.toml`, then defaults.

A setting is a field of :class:`Config`. Its environment variable is the field's name in capitals,
its key in `gateway.toml` the name as it stands; unit and meaning are in its name and description.
This is the only module that reads the environment.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from gateway.errors import ConfigError, explain

Format = Literal["phased", "events", "openai", "plain"]
ReasoningMode = Literal["summary", "raw", "both", "none"]
Detail = Literal["auto", "concise", "detailed"]
SummaryRule = Literal["asked", "always"]
"""Where an API has its own way to ask for a summary: only then, or always."""
OtherTools = Literal["refuse", "skip"]
"""What becomes of tools that only OpenAI's own servers can run."""

_DAY_S = 86400
_TABLES = ("upstreams", "models")
"""What only the file can hold."""
_UPSTREAM_LIMITS = (
    "connect_timeout_s",
    "first_byte_timeout_s",
    "idle_timeout_s",
    "total_timeout_s",
)
"""What an upstream may set for itself."""
Seconds = Annotated[float, Meta(gt=0, le=_DAY_S)]
Count = Annotated[int, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Markers = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[models]]` table: how the models that match mark their reasoning."""

    match: str
    """A glob over the model's name, in any case."""
    family: str | None = None
    """A known family's name; `tags` for markers of your own. None: the one that its name tells."""
    start: Markers | None = None
    end: Markers | None = None
    starts_inside: bool | None = None
    """The chat template has already opened the reasoning; None: the family's own rule."""
    summarizer: str | None = None
    """Who sums up its reasoning; None: SUMMARIZER."""

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together")

    @property
    def marks(self) -> bool:
        """It says something of how the reasoning is marked."""
        return not (self.family is None and self.start is None and self.starts_inside is None)

    def matches(self, model: str) -> bool:
        """Does it speak of this model, by any of its names?"""
        glob = self.match.lower()
        return any(fnmatchcase(name, glob) for name in (model.lower(), plain_name(model)))


class UpstreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[upstreams]]` table: a model server, and what is asked of it."""

    name: Annotated[str, Meta(min_length=1)]
    url: str
    """Base, `…/v1` or full `…/chat/completions`."""
    api_key: str | None = None
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    models: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] = ("*",)
    """Globs over the names of the models that it serves, in any case."""
    rename: dict[str, Annotated[str, Meta(min_length=1)]] = {}
    """Name that clients use → the upstream's own."""
    priority: int = 1
    """Lower first."""
    weight: Count = 1
    """Its share of the load among upstreams of the same priority."""
    max_streams: Count | None = None
    """Open streams a worker; None: as many as the gateway takes."""
    headers: dict[str, str] = {}
    health_path: Annotated[str, Meta(pattern="^/")] | None = None
    """Asked for every HEALTH_INTERVAL_S; None: never."""
    connect_timeout_s: Seconds = 5
    first_byte_timeout_s: Seconds = 120
    idle_timeout_s: Seconds = 120
    total_timeout_s: Seconds = 1800

    def __post_init__(self) -> None:
        _check_address("url", self.url)
        for name in self.rename:
            if is_glob(name):
                raise ValueError(f"rename: {name!r} must be a name without wildcards")
        for header in [*self.headers.items(), ("api_key", self.api_key or "")]:
            if not all(map(_is_field_text, header)) or not header[0]:
                raise ValueError(f"{header[0]!r} can't be sent in a header")

    @property
    def names(self) -> tuple[str, ...]:
        """Globs and names of all models that it serves."""
        return (*self.models, *self.rename)

    def public_names(self, own_name: str) -> list[str]:
        """What clients call one of its own models; nothing if they can't ask for it."""
        renamed = [public for public, own in self.rename.items() if own == own_name]
        served = any(fnmatchcase(own_name.lower(), glob.lower()) for glob in self.models)
        return renamed or [own_name] * served

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, and what may be one in the address or the headers."""
        password = urlsplit(self.url).password or ""
        return (self.api_key or "", password, *self.headers.values())


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, checked."""

    upstream_url: Annotated[
        str, Meta(description="The model server: base, `…/v1` or full `…/chat/completions`.")
    ] = "http://127.0.0.1:9000"
    upstream_api_key: Annotated[
        str | None, Meta(description="Sent to the upstream as `Authorization: Bearer`.")
    ] = None
    host: Annotated[str, Meta(description="The address that the gateway listens on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The port that the gateway listens on.")] = 8080
    mock_port: Annotated[Port, Meta(description="Where `mock_upstream.py` listens.")] = 9000
    web_concurrency: Annotated[
        Count | None, Meta(description="gunicorn workers; by default the number of cores.")
    ] = None
    default_format: Annotated[
        Format, Meta(description="The format of an answer when the request names none.")
    ] = "phased"
    reasoning_start: Annotated[
        str | None,
        Meta(description="Opens the reasoning, for every model, not its family's marker."),
    ] = None
    reasoning_end: Annotated[
        str | None, Meta(description="Ends the reasoning, for every model; goes with the former.")
    ] = None
    messages_summary: Annotated[
        SummaryRule,
        Meta(description="`/v1/messages` has thinking blocks where `thinking` asks, or always."),
    ] = "asked"
    responses_summary: Annotated[
        SummaryRule,
        Meta(
            description="`/v1/responses` has a summary where `reasoning.summary` asks, or always."
        ),
    ] = "asked"
    responses_other_tools: Annotated[
        OtherTools,
        Meta(description="Tools of `/v1/responses` that are no functions: refuse or skip them."),
    ] = "refuse"
    heartbeat_s: Annotated[
        Seconds, Meta(description="A stream that was silent for this long gets a heartbeat.")
    ] = 15
    connect_timeout_s: Annotated[
        Seconds, Meta(description="Until the connection to the upstream stands.")
    ] = 5
    first_byte_timeout_s: Annotated[
        Seconds, Meta(description="Until the first byte of the upstream's answer.")
    ] = 120
    idle_timeout_s: Annotated[Seconds, Meta(description="Between two reads from the upstream.")] = (
        120
    )
    total_timeout_s: Annotated[Seconds, Meta(description="For the whole answer.")] = 1800
    max_body_bytes: Annotated[Count, Meta(description="Of a request's body; larger: 413.")] = (
        20_000_000
    )
    max_prompt_chars: Annotated[Count, Meta(description="Of the `prompt` of a prompt request.")] = (
        5000
    )
    max_streams: Annotated[Count, Meta(description="Open streams a worker; beyond: 503.")] = 1000
    stall_timeout_s: Annotated[
        Seconds, Meta(description="A client that takes nothing for this long is let go.")
    ] = 60
    drain_timeout_s: Annotated[
        Seconds, Meta(description="How long open streams may run on after SIGTERM.")
    ] = 120
    breaker_failures: Annotated[
        Count, Meta(description="Failures of an upstream in a row after which it is let alone.")
    ] = 5
    breaker_open_s: Annotated[
        Seconds, Meta(description="So long; then one request tries it again.")
    ] = 30
    max_attempts: Annotated[
        Count, Meta(description="Upstreams asked for one request until one answers.")
    ] = 3
    health_interval_s: Annotated[
        Seconds, Meta(description="Between two looks at an upstream that has a `health_path`.")
    ] = 10
    summarizer: Annotated[
        str,
        Meta(description="Who sums up the reasoning: `extractive`, `model`, or `off` for nobody."),
    ] = "extractive"
    summarizer_per_request: Annotated[
        bool, Meta(description="Whether a request may choose (`gateway.summarizer`).")
    ] = True
    summarizer_url: Annotated[
        str | None, Meta(description="The server of the summary model, like UPSTREAM_URL.")
    ] = None
    summarizer_model: Annotated[
        str | None, Meta(description="The summary model's name; a small and quick one will do.")
    ] = None
    summarizer_api_key: Annotated[str | None, Meta(description="Sent to its server.")] = None
    summarizer_timeout_s: Annotated[
        Seconds, Meta(description="After which the extractive lines are shown instead.")
    ] = 5
    relay_driver: Annotated[
        Literal["auto", "plain"],
        Meta(
            description="`auto`: sockets that are plain ones are read and written without the "
            "libraries between; `plain`: none is. What is said is the same."
        ),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least level logged.")
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"],
        Meta(description="One JSON object a line, or `console` for people."),
    ] = "json"
    upstreams: tuple[UpstreamConfig, ...] = ()
    models: tuple[ModelConfig, ...] = ()

    def __post_init__(self) -> None:
        if (self.reasoning_start is None) != (self.reasoning_end is None):
            raise ValueError("REASONING_START and REASONING_END go together")
        if (self.summarizer_url is None) != (self.summarizer_model is None):
            raise ValueError("SUMMARIZER_URL and SUMMARIZER_MODEL go together")
        keys = {
            "UPSTREAM_API_KEY": self.upstream_api_key,
            "SUMMARIZER_API_KEY": self.summarizer_api_key,
        }
        for name, key in keys.items():
            if not _is_field_text(key or ""):
                raise ValueError(f"{name} can't be sent in a header")
        _check_address("UPSTREAM_URL", self.upstream_url)
        if self.summarizer_url is not None:
            _check_address("SUMMARIZER_URL", self.summarizer_url)
        names = [upstream.name for upstream in self.upstreams]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two upstreams are called {name!r}")

    @property
    def summarizer_server(self) -> UpstreamConfig | None:
        """The server of the summary model."""
        if self.summarizer_url is None:
            return None
        return UpstreamConfig(
            name="summarizer",
            url=self.summarizer_url,
            api_key=self.summarizer_api_key,
            api_key_env="SUMMARIZER_API_KEY",
            connect_timeout_s=self.connect_timeout_s,
        )

    @property
    def secrets(self) -> list[str]:
        """What no error may show, of any server."""
        server = self.summarizer_server
        servers = [*self.served, server] if server else self.served
        return [secret for one in servers for secret in one.secrets]

    @property
    def served(self) -> tuple[UpstreamConfig, ...]:
        """The upstreams: those of the file, or the one at UPSTREAM_URL."""
        if self.upstreams:
            return self.upstreams
        alone = UpstreamConfig(
            name="default",
            url=self.upstream_url,
            api_key=self.upstream_api_key,
            api_key_env="UPSTREAM_API_KEY",
            **{name: getattr(self, name) for name in _UPSTREAM_LIMITS},
        )
        return (alone,)

    @property
    def workers(self) -> int:
        """How many gunicorn workers to start."""
        return self.web_concurrency or len(os.sched_getaffinity(0))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Reads the settings. Raises ConfigError with one sentence that names the fault."""
        environ = os.environ if environ is None else environ
        settings = _read_file(environ)
        for name in setting_names():
            if value := environ.get(name.upper()):
                settings[name] = value
        try:
            config = msgspec.convert(settings, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(_sentence(error)) from None
        upstreams = tuple(
            _completed(f"upstreams[{index}]", upstream, set(table), config, environ)
            for index, (upstream, table) in enumerate(
                zip(config.upstreams, settings.get("upstreams", ()), strict=True)
            )
        )
        return msgspec.structs.replace(config, upstreams=upstreams)


def plain_name(model: str) -> str:
    """A model's name without path, with "-" for "_", and "3.5" for the "3p5" of some hosts."""
    name = model.lower().rpartition("/")[2].replace("_", "-")
    return re.sub(r"(?<=\d)p(?=\d)", ".", name)


def setting_names() -> list[str]:
    """The settings that the environment can hold, in the order of the documentation."""
    return [name for name in Config.__struct_fields__ if name not in _TABLES]


def is_glob(name: str) -> bool:
    """Does it stand for more than one name?"""
    return any(wildcard in name for wildcard in "*?[")


def _completed(
    where: str,
    upstream: UpstreamConfig,
    given: set[str],
    config: Config,
    environ: Mapping[str, str],
) -> UpstreamConfig:
    """With its key, and the gateway's own limits where its table gives none."""
    changes = {name: getattr(config, name) for name in _UPSTREAM_LIMITS if name not in given}
    if upstream.api_key_env is not None:
        if upstream.api_key is not None:
            raise ConfigError(f"{where}: give api_key or api_key_env, not both.")
        key = environ.get(upstream.api_key_env, "").strip()
        if not key:
            raise ConfigError(
                f"{where}.api_key_env: the environment has no {upstream.api_key_env}."
            )
        changes["api_key"] = key
    try:
        return msgspec.structs.replace(upstream, **changes)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}.") from None


def _check_address(name: str, address: str) -> None:
    """Raises ValueError for what is no http or https address."""
    try:
        url = urlsplit(address)
        known = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number
        known = False
    if not known:
        raise ValueError(f"{name} must be an http or https address, not {address!r}")


def _is_field_text(text: str) -> bool:
    """May it stand in an HTTP header?"""
    return text.isascii() and (text.isprintable() or not text)


def worker_number() -> int | None:
    """This worker's number among those of one gunicorn, as gunicorn.conf.py gives it."""
    number = os.environ.get("GATEWAY_WORKER")
    return int(number) if number else None


def _read_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get("GATEWAY_CONFIG")
    path = Path(named or "gateway.toml")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named:
            raise ConfigError(f"GATEWAY_CONFIG names {named}, which does not exist.") from None
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} could not be read: {error}.") from None


def _sentence(error: msgspec.ValidationError) -> str:
    path, what = explain(error)
    name = path if path.startswith(_TABLES) else path.upper()
    return f"{name}: {what}." if name else f"{what[0].upper()}{what[1:]}."
