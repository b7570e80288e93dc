"""The settings, read from the environment, then from `gateway.toml`, then from defaults.

A setting is a field of :class:`Config`. Its environment variable is the field's name in capitals,
its key in `gateway.toml` the name itself. Only this package reads the environment.
"""

import base64
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta, inspect

from gateway.config.file import SettingsFile, read_file
from gateway.config.ignored import ignored_settings, ignored_variables, odd_addresses
from gateway.config.keys import KeyConfig, Principal, as_hash, check_key
from gateway.config.mistakes import parse_texts, path_of, steps_of, to_config_error
from gateway.config.models import ModelConfig
from gateway.config.upstreams import TIME_LIMITS, UpstreamConfig, with_defaults
from gateway.config.values import (
    HEADER_VALUE,
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
    check_listen,
    check_networks,
    check_origins,
    check_store,
    is_header_value,
    items_of,
    parse_bind,
)
from gateway.errors import ConfigError

_MADE_KEY = os.urandom(32)
"""The key that seals if SEAL_KEY is not set. gunicorn's master imports this module before it forks,
so all workers have the same key."""
_TABLES = ("upstreams", "models", "keys")
"""Settings that only the file can hold."""
_PROXIES = "FORWARDED_ALLOW_IPS"
"""gunicorn's setting. It is checked here because gunicorn 27.0 answers a bad value with a
traceback."""
_PAIRS = (("REASONING_START", "REASONING_END"), ("SUMMARIZER_URL", "SUMMARIZER_MODEL"))
"""Settings of which either both or none are given."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, validated."""

    upstream_url: Annotated[
        str, Meta(description="The model server: base, `…/v1` or full `…/chat/completions`.")
    ] = "http://127.0.0.1:9000"
    upstream_api_key: Annotated[
        str | None,
        Meta(description="The upstream's key. The gateway sends it as `Authorization: Bearer`."),
    ] = None
    upstream_ca_file: Annotated[
        str | None,
        Meta(
            description="PEM file with the certificates of your own certificate authorities. The "
            "gateway trusts them, beside the public ones, for upstreams with https and for a "
            "`STREAM_STORE` with rediss."
        ),
    ] = None
    api_keys: Annotated[
        str | tuple[str, ...] | None,
        Meta(
            description="Client keys or their hashes (`reasoning-gateway key new`), "
            "comma-separated. A request without one of them gets 401."
        ),
    ] = None
    allowed_origins: Annotated[
        str | tuple[str, ...] | None,
        Meta(
            description="Origins of other web pages that may use the API, comma-separated, such as "
            "`https://chat.example`; `*` allows all."
        ),
    ] = None
    allowed_hosts: Annotated[
        str | tuple[str, ...] | None,
        Meta(
            description="Host names by which clients may call the gateway, beside localhost, "
            "comma-separated, without ports; `*.example` allows all names below `example`. By "
            "default, only a gateway on a loopback address checks the name."
        ),
    ] = None
    host: Annotated[str, Meta(description="The address that the gateway listens on.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The port that the gateway listens on.")] = 8080
    admin_bind: Annotated[
        str | None,
        Meta(
            description="Address and port of a second listener for operators, such as "
            "`127.0.0.1:9090`. Only this listener then serves `/metrics` and the details of "
            "`/health`. It answers even if clients hold all other connections."
        ),
    ] = None
    mock_port: Annotated[Port, Meta(description="The port that `mock_upstream.py` listens on.")] = (
        9000
    )
    web_concurrency: Annotated[Count | None, Meta(description="Number of gunicorn workers.")] = None
    default_format: Annotated[
        Format, Meta(description="The format of an answer if the request names none.")
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
            "`web_search`: it skips the tools, or it refuses the request."
        ),
    ] = "skip"
    responses_at_length: Annotated[
        Literal["incomplete", "completed"],
        Meta(
            description="The status of a response that `max_output_tokens` has cut. Codex repeats "
            "a request whose response is `incomplete`, and pays for it again."
        ),
    ] = "incomplete"
    heartbeat_s: Annotated[
        Seconds, Meta(description="Seconds of silence after which a stream gets a heartbeat.")
    ] = 15
    connect_timeout_s: Annotated[
        Seconds,
        Meta(description="Limit for connecting to the upstream, including the lookup of its name."),
    ] = 5
    first_byte_timeout_s: Annotated[
        Seconds, Meta(description="Limit for the first byte of the upstream's answer.")
    ] = 120
    idle_timeout_s: Annotated[
        Seconds, Meta(description="Limit for the time between two reads from the upstream.")
    ] = 120
    total_timeout_s: Annotated[Seconds, Meta(description="Limit for the whole answer.")] = 1800
    request_timeout_s: Annotated[
        Seconds,
        Meta(
            description="Limit for receiving a request's head, and again for each MiB of its body. "
            "A slower request gets 408."
        ),
    ] = 30
    max_body_bytes: Annotated[
        Count, Meta(description="Limit for a request's body. A larger body gets 413.")
    ] = 20_000_000
    max_prompt_chars: Annotated[
        Count, Meta(description="Limit for the `prompt` of a prompt request.")
    ] = 5000
    max_waiting_per_address: Annotated[
        Count | None,
        Meta(
            description="Limit for the incomplete requests of one client address, per worker. "
            "Further requests get 429. Proxies in gunicorn's `FORWARDED_ALLOW_IPS` are exempt."
        ),
    ] = None
    max_answer_bytes: Annotated[
        Count,
        Meta(
            description="Limit for an answer including its reasoning. A longer answer ends as "
            "failed."
        ),
    ] = 16_000_000
    max_streams: Annotated[
        Count, Meta(description="Limit for open streams, per worker. Further requests get 503.")
    ] = 1000
    stall_timeout_s: Annotated[
        Seconds,
        Meta(
            description="Seconds after which the gateway disconnects a client that does not read."
        ),
    ] = 60
    drain_timeout_s: Annotated[
        Seconds, Meta(description="Time that open streams have to finish after SIGTERM.")
    ] = 120
    breaker_failures: Annotated[
        Count,
        Meta(description="Number of failures in a row that open a circuit breaker of an upstream."),
    ] = 5
    breaker_open_s: Annotated[
        Seconds,
        Meta(
            description="Seconds for which an open breaker blocks the upstream. Then one trial "
            "request goes through."
        ),
    ] = 30
    max_attempts: Annotated[
        Count, Meta(description="Number of upstreams that the gateway tries for one request.")
    ] = 3
    continue_broken: Annotated[
        bool,
        Meta(
            description="Whether another upstream continues an answer after the first one has "
            "broken off, if its kind of server can (see thinking.md)."
        ),
    ] = False
    keep_streams: Annotated[
        bool,
        Meta(
            description="Whether the gateway keeps every turn. A kept turn continues without its "
            "client, and clients can read it again (see resuming.md). By default, the gateway "
            "keeps only requests with `gateway.keep`."
        ),
    ] = False
    detached_timeout_s: Annotated[
        Seconds,
        Meta(description="Seconds for which a kept turn continues without a reader."),
    ] = 120
    keep_s: Annotated[
        Seconds, Meta(description="Seconds for which clients can read a kept stream after its end.")
    ] = 600
    max_kept_bytes: Annotated[
        Count,
        Meta(
            description="Limit for the memory of kept streams, per worker. Beyond it, the worker "
            "forgets the oldest streams that have ended."
        ),
    ] = 100_000_000
    stream_store: Annotated[
        str,
        Meta(
            description="Where the gateway keeps streams: `memory`, in the worker that runs the "
            "turn; or the address of a Redis or Valkey server that several hosts share, such as "
            "`redis://user:password@host:6379/0`, or `rediss://` for TLS (see resuming.md)."
        ),
    ] = "memory"
    health_interval_s: Annotated[
        Seconds,
        Meta(description="Time between two health checks of an upstream with a `health_path`."),
    ] = 10
    summarizer: Annotated[
        str,
        Meta(
            description="How the gateway summarizes reasoning: `extractive`, with sentences of the "
            "reasoning; `model`, the better summary, by the turn's own model unless "
            "`SUMMARIZER_URL` names another; or `off`."
        ),
    ] = "extractive"
    summarizer_per_request: Annotated[
        bool,
        Meta(description="Whether a request may choose its summarizer (`gateway.summarizer`)."),
    ] = True
    summarizer_url: Annotated[
        str | None,
        Meta(
            description="The address of the summary model's server, in the form of `UPSTREAM_URL`."
        ),
    ] = None
    summarizer_model: Annotated[
        str | None, Meta(description="The summary model's name; a small and fast one is enough.")
    ] = None
    summarizer_api_key: Annotated[
        str | None, Meta(description="The key of the summary model's server.")
    ] = None
    summarizer_timeout_s: Annotated[
        Seconds,
        Meta(
            description="Limit for the summary model's answer. If it is slower, the gateway shows "
            "the extractive summary."
        ),
    ] = 5
    relay_driver: Annotated[
        Literal["auto", "plain"],
        Meta(
            description="`auto` reads and writes plain sockets directly, without the libraries "
            "requests and gunicorn in between; `plain` never does. Clients get the same bytes."
        ),
    ] = "auto"
    seal_key: Annotated[
        str | None,
        Meta(
            description="Encrypts the reasoning that clients send back to the gateway: 32 bytes in "
            "hex or base64, or several keys, comma-separated. The first key encrypts; all of them "
            "decrypt. By default the gateway makes a key at its start, which is valid on this host "
            "until the next start."
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The lowest level that the gateway logs."),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(
            description="`json`: one object per line; `console`: short lines for people; `auto`: "
            "`console` on a terminal, otherwise `json`."
        ),
    ] = "auto"
    upstreams: tuple[UpstreamConfig, ...] = ()
    models: tuple[ModelConfig, ...] = ()
    keys: tuple[KeyConfig, ...] = ()

    def __post_init__(self) -> None:
        for one, other in _PAIRS:
            given = [name for name in (one, other) if getattr(self, name.lower()) is not None]
            if len(given) == 1:
                missing = other if given == [one] else one
                raise ConfigError(f"{missing} is missing; the two go together", setting=given[0])
        for name in ("UPSTREAM_API_KEY", "SUMMARIZER_API_KEY"):
            if not is_header_value(getattr(self, name.lower()) or ""):
                what = f"the key can't be sent in a header: {HEADER_VALUE}"
                raise ConfigError(what, setting=name)
        if self.api_keys is not None and not self.client_keys:
            raise ConfigError("there is no key in it", setting="API_KEYS")
        for key in self.client_keys:
            check_key("API_KEYS", key)
        if not self.seal_keys or not all(self.seal_keys):
            what = "not each of the keys has 32 bytes, in hex or base64"
            raise ConfigError(what, setting="SEAL_KEY")
        if self.allowed_origins is not None:
            check_origins("ALLOWED_ORIGINS", self.origins)
        if self.allowed_hosts is not None:
            check_hosts("ALLOWED_HOSTS", self.hosts)
        if self.admin_bind is not None:
            _, port = parse_bind("ADMIN_BIND", self.admin_bind)
            if port == self.port != 0:
                raise ConfigError("it needs a port other than PORT", setting="ADMIN_BIND")
        check_listen("HOST", self.host)
        check_address("UPSTREAM_URL", self.upstream_url)
        if self.upstream_ca_file is not None:
            check_certificates("UPSTREAM_CA_FILE", self.upstream_ca_file)
        if self.summarizer_url is not None:
            check_address("SUMMARIZER_URL", self.summarizer_url)
        if self.stream_store != "memory":
            check_store("STREAM_STORE", self.stream_store)
        for table, entries in (("upstreams", self.upstreams), ("keys", self.keys)):
            names = [entry.name for entry in entries]
            for index, name in enumerate(names):
                if (first := names.index(name)) < index:
                    what = f"{name!r} is the name of {table}[{first}] too"
                    raise ConfigError(what, setting=f"{table}[{index}].name")

    @property
    def client_keys(self) -> tuple[str, ...]:
        """The client keys; () means that no key is needed."""
        return items_of(self.api_keys)

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """The address and port of ADMIN_BIND."""
        return None if self.admin_bind is None else parse_bind("ADMIN_BIND", self.admin_bind)

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
        """The client keys, or their hashes, each with its client; empty: no key is needed."""
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
    def store_url(self) -> str | None:
        """The address of the server for kept streams; None: they are in memory."""
        return None if self.stream_store == "memory" else self.stream_store

    @property
    def upstream_certificates(self) -> str | None:
        """The certificates of UPSTREAM_CA_FILE, in PEM."""
        return certificates(self.upstream_ca_file) if self.upstream_ca_file else None

    @property
    def secrets(self) -> list[str]:
        """The keys and passwords that no error and no log line may show."""
        server = self.summarizer_server
        servers = [*self.effective_upstreams, server] if server else self.effective_upstreams
        of_clients = [key for key, _ in self.principals]
        password = urlsplit(self.store_url).password if self.store_url is not None else None
        of_store = [password, unquote(password)] if password else []
        return [*of_clients, *of_store, *(secret for one in servers for secret in one.secrets)]

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
        """The connections of a worker. There are more than streams, so that health checks and
        refusals get through when all streams are open."""
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
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        check: Callable[["Config"], object] = lambda config: None,
    ) -> "Config":
        """Reads the settings. Raises ConfigError: one sentence that names setting, file and line.

        environ: None: the process's own. check: raises ConfigError for mistakes that only other
        packages can find.
        """
        environ = os.environ if environ is None else environ
        file = read_file(environ)
        of_environ = {name: environ[name.upper()] for name in _given(environ)}
        try:
            check_networks(_PROXIES, environ.get(_PROXIES, ""))
            config = _convert({**file.settings, **of_environ}, environ)
            check(config)
        except ConfigError as error:
            raise _placed(error, file, of_environ) from None
        return config


def _convert(settings: dict[str, Any], environ: Mapping[str, str]) -> Config:
    """Returns the validated settings, with the keys of the environment. Raises ConfigError."""
    settings = parse_texts(settings, inspect.type_info(Config))
    try:
        config = msgspec.convert(settings, Config)
    except msgspec.ValidationError as error:
        raise to_config_error(error, settings, Config) from None
    upstreams = tuple(
        with_defaults(upstream, set(table), config.time_limits, environ, f"upstreams[{index}]")
        for index, (upstream, table) in enumerate(
            zip(config.upstreams, settings.get("upstreams", ()), strict=True)
        )
    )
    keys = tuple(
        table.completed(f"keys[{index}]", environ) for index, table in enumerate(config.keys)
    )
    holders = [*(("API_KEYS", key) for key in config.client_keys)]
    for index, table in enumerate(keys):
        for holder, key in holders:
            if as_hash(key) == as_hash(table.key or ""):
                raise ConfigError(f"{holder} has the same key", setting=f"keys[{index}]")
        holders.append((f"keys[{index}]", table.key or ""))
    return msgspec.structs.replace(config, upstreams=upstreams, keys=keys)


def _given(environ: Mapping[str, str]) -> list[str]:
    """Returns the settings that the environment has. An empty variable counts as not set."""
    return [name for name in setting_names() if environ.get(name.upper())]


def _placed(error: ConfigError, file: SettingsFile, of_environ: Mapping[str, str]) -> ConfigError:
    """Returns the error with the setting's name as its source spells it, and with file and line.

    of_environ: the settings that the environment gives.
    """
    steps = steps_of(error.setting)
    if not steps:
        return error
    name = str(steps[0])
    in_tables = name in _TABLES
    if name.lower() in of_environ:
        return ConfigError(error.what, setting=name.upper())
    if not in_tables and name not in file.settings:
        steps, name = (name.lower(),), name.lower()
    if name in file.settings:
        return ConfigError(error.what, setting=f"{file.place(steps)}: {path_of(steps)}")
    return ConfigError(error.what, setting=error.setting.upper())


def ignored(environ: Mapping[str, str] | None = None) -> list[str]:
    """Returns a sentence for each setting that is given and has no effect.

    environ: None: the process's own.
    """
    environ = os.environ if environ is None else environ
    settings = read_file(environ).settings
    given = {name: environ[name.upper()] for name in _given(environ)}
    return [
        *ignored_variables(environ, setting_names(), _TABLES),
        *ignored_settings(settings, list(given)),
        *odd_addresses({**settings, **given}),
    ]


def _key_bytes(text: str) -> bytes:
    """Returns the 32 bytes of a key in hex or base64; b"" for anything else."""
    for decode in (bytes.fromhex, base64.b64decode, base64.urlsafe_b64decode):
        with suppress(ValueError):
            if len(key := decode(text)) == 32:
                return key
    return b""


def setting_names() -> list[str]:
    """Returns the settings that the environment can hold, in the order of the documentation."""
    return [name for name in Config.__struct_fields__ if name not in _TABLES]


def worker_number() -> int | None:
    """Returns the number that gunicorn_settings gave this worker; None outside gunicorn."""
    number = os.environ.get("GATEWAY_WORKER")
    return int(number) if number else None


def runtime_directory() -> str | None:
    """Returns the directory that the workers of one gunicorn share; None outside gunicorn."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR") or None


def workers_directory() -> Path | None:
    """Returns the directory of the sockets over which workers call each other.

    gunicorn_settings makes it; None outside gunicorn.
    """
    named = os.environ.get("GATEWAY_WORKERS_DIR")
    return Path(named) if named else None
