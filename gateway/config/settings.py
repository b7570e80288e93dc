"""The settings: read once at the start from the environment, then `gateway.toml`, then defaults.

A setting is a field of :class:`Config`. Its environment variable is the field's name in capitals,
its key in `gateway.toml` the name as it stands; unit and meaning are in its name and description.
This package is the only one that reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.config.keys import KeyConfig, Principal
from gateway.config.models import ModelConfig
from gateway.config.upstreams import UPSTREAM_LIMITS, UpstreamConfig, completed
from gateway.config.values import (
    Count,
    Format,
    OtherTools,
    Port,
    Seconds,
    SummaryRule,
    certificates,
    check_address,
    check_certificates,
    is_field_text,
)
from gateway.errors import ConfigError, explain

_TABLES = ("upstreams", "models", "keys")
"""What only the file can hold."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, checked."""

    upstream_url: Annotated[
        str, Meta(description="The model server: base, `…/v1` or full `…/chat/completions`.")
    ] = "http://127.0.0.1:9000"
    upstream_api_key: Annotated[
        str | None, Meta(description="Sent to the upstream as `Authorization: Bearer`.")
    ] = None
    upstream_ca_file: Annotated[
        str | None,
        Meta(
            description="Certificates (PEM) of authorities of your own, trusted beside the common "
            "ones when a server of models is called over https."
        ),
    ] = None
    api_keys: Annotated[
        str | tuple[str, ...] | None,
        Meta(description="Keys of clients, comma-separated: whoever has none of them gets 401."),
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
    request_timeout_s: Annotated[
        Seconds, Meta(description="For a request's head, and for each MiB of its body; later: 408.")
    ] = 30
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
    keys: tuple[KeyConfig, ...] = ()

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
            if not is_field_text(key or ""):
                raise ValueError(f"{name} can't be sent in a header")
        if self.api_keys is not None and not self.client_keys:
            raise ValueError("API_KEYS holds no key")
        if not all(map(is_field_text, self.client_keys)):
            raise ValueError("one of API_KEYS can't be sent in a header")
        check_address("UPSTREAM_URL", self.upstream_url)
        if self.upstream_ca_file is not None:
            check_certificates("UPSTREAM_CA_FILE", self.upstream_ca_file)
        if self.summarizer_url is not None:
            check_address("SUMMARIZER_URL", self.summarizer_url)
        names = [upstream.name for upstream in self.upstreams]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two upstreams are called {name!r}")
        holders = [table.name for table in self.keys]
        for name in holders:
            if holders.count(name) > 1:
                raise ValueError(f"two keys are called {name!r}")

    @property
    def client_keys(self) -> tuple[str, ...]:
        """The keys that let a client in; none: everybody may come in."""
        keys = self.api_keys.split(",") if isinstance(self.api_keys, str) else self.api_keys
        return tuple(filter(None, map(str.strip, keys or ())))

    @property
    def principals(self) -> list[tuple[str, Principal]]:
        """The keys that let a client in, each with its holder; none: every client may come in."""
        unnamed = enumerate(self.client_keys, 1)
        return [
            *((key, Principal(name=f"key-{number}")) for number, key in unnamed),
            *((table.key or "", table.principal) for table in self.keys),
        ]

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
    def upstream_certificates(self) -> str | None:
        """What UPSTREAM_CA_FILE holds, in PEM."""
        return certificates(self.upstream_ca_file) if self.upstream_ca_file else None

    @property
    def secrets(self) -> list[str]:
        """What no error of a server may show."""
        server = self.summarizer_server
        servers = [*self.served, server] if server else self.served
        clients = [key for key, _ in self.principals]
        return [*clients, *(secret for one in servers for secret in one.secrets)]

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
            **self.limits,
        )
        return (alone,)

    @property
    def limits(self) -> dict[str, Any]:
        """The time limits of an upstream that has none of its own."""
        return {name: getattr(self, name) for name in UPSTREAM_LIMITS}

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
            completed(f"upstreams[{index}]", upstream, set(table), config.limits, environ)
            for index, (upstream, table) in enumerate(
                zip(config.upstreams, settings.get("upstreams", ()), strict=True)
            )
        )
        keys = tuple(
            table.completed(f"keys[{index}]", environ) for index, table in enumerate(config.keys)
        )
        return msgspec.structs.replace(config, upstreams=upstreams, keys=keys)


def setting_names() -> list[str]:
    """The settings that the environment can hold, in the order of the documentation."""
    return [name for name in Config.__struct_fields__ if name not in _TABLES]


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
