"""The settings, read from the environment, then from `gateway.toml`, then from defaults.

A setting is a field of :class:`Config`. Its environment variable is the field's name in capitals,
its key in `gateway.toml` the name itself. Only this package reads the environment.
"""

import base64
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.config.keys import KeyConfig, Principal
from gateway.config.models import ModelConfig
from gateway.config.upstreams import TIME_LIMITS, UpstreamConfig, with_defaults
from gateway.config.validation import explain
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
    check_hosts,
    check_origins,
    is_header_value,
    items_of,
)
from gateway.errors import ConfigError

_MADE_KEY = os.urandom(32)
"""gunicorn's master imports this module before it forks, so all workers have the same key."""
_TABLES = ("upstreams", "models", "keys")
"""Settings that only the file can hold."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, validated."""

    upstream_url: Annotated[
        str, Meta(description="The model server: base, `…/v1` or full `…/chat/completions`.")
    ] = "http://127.0.0.1:9000"
    upstream_api_key: Annotated[
        str | None, Meta(description="Sent to the upstream as `Authorization: Bearer`.")
    ] = None
    upstream_ca_file: Annotated[
        str | None,
        Meta(
            description="PEM file with certificates of your own authorities. They are trusted for "
            "upstreams with https, in addition to the public ones."
        ),
    ] = None
    api_keys: Annotated[
        str | tuple[str, ...] | None,
        Meta(description="Client keys, comma-separated. A request without one of them gets 401."),
    ] = None
    allowed_origins: Annotated[
        str | tuple[str, ...] | None,
        Meta(
            description="Origins of web pages that may use the API beside the gateway's own, "
            "comma-separated, as `https://chat.example`; `*` allows all."
        ),
    ] = None
    allowed_hosts: Annotated[
        str | tuple[str, ...] | None,
        Meta(
            description="Names under which clients may call the gateway, beside localhost, "
            "comma-separated, without ports; `*.example` allows all below a name. Without it, only "
            "a gateway on a loopback address checks the name."
        ),
    ] = None
    host: Annotated[str, Meta(description="The address that the gateway listens on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The port that the gateway listens on.")] = 8080
    mock_port: Annotated[Port, Meta(description="The port that `mock_upstream.py` listens on.")] = (
        9000
    )
    web_concurrency: Annotated[
        Count | None, Meta(description="Number of gunicorn workers; by default one per core.")
    ] = None
    default_format: Annotated[
        Format, Meta(description="The format of an answer when the request names none.")
    ] = "phased"
    reasoning_start: Annotated[
        str | None,
        Meta(description="Marker that opens the reasoning of every model, whatever its family."),
    ] = None
    reasoning_end: Annotated[
        str | None,
        Meta(description="Marker that ends the reasoning; set it with `REASONING_START`."),
    ] = None
    messages_summary: Annotated[
        SummaryRule,
        Meta(
            description="When `/v1/messages` sends thinking blocks: if the request asks for them "
            "with `thinking`, or always."
        ),
    ] = "asked"
    responses_summary: Annotated[
        SummaryRule,
        Meta(
            description="When `/v1/responses` sends a summary: if the request asks for it with "
            "`reasoning.summary`, or always."
        ),
    ] = "asked"
    responses_other_tools: Annotated[
        OtherTools,
        Meta(
            description="What `/v1/responses` does with tools that run only at OpenAI, such as "
            "`web_search`: skip the tools, or refuse the request."
        ),
    ] = "skip"
    responses_at_length: Annotated[
        Literal["incomplete", "completed"],
        Meta(
            description="The status of a response that `max_output_tokens` cut. Codex repeats, and "
            "pays for, a request whose response is `incomplete`."
        ),
    ] = "incomplete"
    heartbeat_s: Annotated[
        Seconds, Meta(description="Seconds of silence after which a stream gets a heartbeat.")
    ] = 15
    connect_timeout_s: Annotated[
        Seconds, Meta(description="Limit for the connection to the upstream.")
    ] = 5
    first_byte_timeout_s: Annotated[
        Seconds, Meta(description="Limit for the first byte of the upstream's answer.")
    ] = 120
    idle_timeout_s: Annotated[
        Seconds, Meta(description="Limit between two reads from the upstream.")
    ] = 120
    total_timeout_s: Annotated[Seconds, Meta(description="Limit for the whole answer.")] = 1800
    request_timeout_s: Annotated[
        Seconds,
        Meta(
            description="Limit for receiving a request's head, and again for each MiB of its body; "
            "beyond it the request gets 408."
        ),
    ] = 30
    max_body_bytes: Annotated[
        Count, Meta(description="Limit for a request's body; a larger one gets 413.")
    ] = 20_000_000
    max_prompt_chars: Annotated[
        Count, Meta(description="Limit for the `prompt` of a prompt request.")
    ] = 5000
    max_waiting_per_address: Annotated[
        Count | None,
        Meta(
            description="Requests of one address that have begun and are not complete, per worker; "
            "one beyond it gets 429. Proxies in gunicorn's `FORWARDED_ALLOW_IPS` are exempt."
        ),
    ] = None
    max_answer_bytes: Annotated[
        Count,
        Meta(description="Limit for an answer with its reasoning; a longer one ends as failed."),
    ] = 16_000_000
    max_streams: Annotated[
        Count, Meta(description="Open streams per worker; a request beyond it gets 503.")
    ] = 1000
    stall_timeout_s: Annotated[
        Seconds,
        Meta(description="Seconds without reading after which a client is disconnected."),
    ] = 60
    drain_timeout_s: Annotated[
        Seconds, Meta(description="Time that open streams have to finish after SIGTERM.")
    ] = 120
    breaker_failures: Annotated[
        Count, Meta(description="Failures in a row that open an upstream's breaker.")
    ] = 5
    breaker_open_s: Annotated[
        Seconds,
        Meta(
            description="Seconds that an open breaker rejects the upstream; then one trial request "
            "is let through."
        ),
    ] = 30
    max_attempts: Annotated[
        Count, Meta(description="Upstreams that are tried for one request.")
    ] = 3
    health_interval_s: Annotated[
        Seconds,
        Meta(description="Time between two health checks of an upstream with a `health_path`."),
    ] = 10
    summarizer: Annotated[
        str,
        Meta(description="How reasoning is summarized: `extractive`, `model`, or `off`."),
    ] = "extractive"
    summarizer_per_request: Annotated[
        bool,
        Meta(description="Whether a request may choose its summarizer (`gateway.summarizer`)."),
    ] = True
    summarizer_url: Annotated[
        str | None, Meta(description="The server of the summary model, like `UPSTREAM_URL`.")
    ] = None
    summarizer_model: Annotated[
        str | None, Meta(description="The summary model's name; a small and fast one is enough.")
    ] = None
    summarizer_api_key: Annotated[
        str | None, Meta(description="Sent to the summary model's server.")
    ] = None
    summarizer_timeout_s: Annotated[
        Seconds,
        Meta(description="Limit for the summary model; beyond it the extractive summary is shown."),
    ] = 5
    relay_driver: Annotated[
        Literal["auto", "plain"],
        Meta(
            description="`auto` reads and writes plain sockets directly, without requests and "
            "gunicorn in between; `plain` never does. The bytes sent are the same."
        ),
    ] = "auto"
    seal_key: Annotated[
        str | None,
        Meta(
            description="Seals what a model thought, for clients to hand back: 32 bytes in hex or "
            "base64, or several keys, comma-separated, of which the first seals. By default a key "
            "is made at the start: it serves one host until the gateway is started again."
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The lowest level that is logged."),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"],
        Meta(description="One JSON object per line, or `console` for reading."),
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
            if not is_header_value(key or ""):
                raise ValueError(f"{name} can't be sent in a header")
        if self.api_keys is not None and not self.client_keys:
            raise ValueError("API_KEYS holds no key")
        if not all(map(is_header_value, self.client_keys)):
            raise ValueError("one of API_KEYS can't be sent in a header")
        if not self.seal_keys or not all(self.seal_keys):
            raise ValueError("SEAL_KEY must hold keys of 32 bytes, in hex or base64")
        if self.allowed_origins is not None:
            check_origins("ALLOWED_ORIGINS", self.origins)
        if self.allowed_hosts is not None:
            check_hosts("ALLOWED_HOSTS", self.hosts)
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
        """The client keys; () means that no key is needed."""
        return items_of(self.api_keys)

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of ALLOWED_ORIGINS."""
        return items_of(self.allowed_origins)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of ALLOWED_HOSTS."""
        return items_of(self.allowed_hosts)

    @property
    def seal_keys(self) -> tuple[bytes, ...]:
        """The keys that seal; without SEAL_KEY, the one made at the start."""
        if self.seal_key is None:
            return (_MADE_KEY,)
        return tuple(map(_key_bytes, items_of(self.seal_key)))

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
        """The certificates of UPSTREAM_CA_FILE, in PEM."""
        return certificates(self.upstream_ca_file) if self.upstream_ca_file else None

    @property
    def secrets(self) -> list[str]:
        """All keys; none of them may be shown in an error."""
        server = self.summarizer_server
        servers = [*self.effective_upstreams, server] if server else self.effective_upstreams
        clients = [key for key, _ in self.principals]
        return [*clients, *(secret for one in servers for secret in one.secrets)]

    @property
    def effective_upstreams(self) -> tuple[UpstreamConfig, ...]:
        """The upstreams of the file; without any, the one at UPSTREAM_URL."""
        if self.upstreams:
            return self.upstreams
        alone = UpstreamConfig(
            name="default",
            url=self.upstream_url,
            api_key=self.upstream_api_key,
            api_key_env="UPSTREAM_API_KEY",
            **self.time_limits,
        )
        return (alone,)

    @property
    def time_limits(self) -> dict[str, Any]:
        """The time limits of an upstream that does not override them."""
        return {name: getattr(self, name) for name in TIME_LIMITS}

    @property
    def max_connections(self) -> int:
        """The connections of a worker: more than the streams, so that health checks and refusals
        get through when all streams are open."""
        return self.max_streams + 200

    @property
    def max_waiting(self) -> int:
        """The limit of MAX_WAITING_PER_ADDRESS."""
        return self.max_waiting_per_address or self.max_connections // 4

    @property
    def workers(self) -> int:
        """The number of gunicorn workers to start."""
        return self.web_concurrency or len(os.sched_getaffinity(0))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> "Config":
        """Reads the settings. Raises ConfigError: one sentence that names the setting."""
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
            with_defaults(upstream, set(table), config.time_limits, environ, f"upstreams[{index}]")
            for index, (upstream, table) in enumerate(
                zip(config.upstreams, settings.get("upstreams", ()), strict=True)
            )
        )
        keys = tuple(
            table.completed(f"keys[{index}]", environ) for index, table in enumerate(config.keys)
        )
        return msgspec.structs.replace(config, upstreams=upstreams, keys=keys)


def _key_bytes(text: str) -> bytes:
    """A key in hex or base64; b"" for anything else."""
    for decode in (bytes.fromhex, base64.b64decode, base64.urlsafe_b64decode):
        with suppress(ValueError):
            if len(key := decode(text)) == 32:
                return key
    return b""


def setting_names() -> list[str]:
    """Returns the settings that the environment can hold, in the order of the documentation."""
    return [name for name in Config.__struct_fields__ if name not in _TABLES]


def worker_number() -> int | None:
    """Returns the number that gunicorn.conf.py gave this worker; None outside gunicorn."""
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
    path, what = explain(error, Config)
    name = path if path.startswith(_TABLES) else path.upper()
    return f"{name}: {what}." if name else f"{what[0].upper()}{what[1:]}."
