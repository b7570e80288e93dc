"""The `[[upstreams]]` tables: the model servers."""

import re
from base64 import b64encode
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Meta

from gateway.config.values import (
    HEADER_VALUE,
    LOGIN,
    Count,
    Seconds,
    check_address,
    is_glob,
    is_header_name,
    is_header_value,
)
from gateway.errors import ConfigError

UpstreamKind = Literal[
    "vllm",
    "sglang",
    "llama.cpp",
    "ollama",
    "lmstudio",
    "deepseek",
    "dashscope",
    "openrouter",
    "chat",
]
"""The model servers that the gateway knows; `chat` is any other."""
_HOLDS_SECRET = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
"""Names of headers whose values are secret. The values of others (`X-Team: search`) may be common
words, which must not be blanked in every text."""
TIME_LIMITS = (
    "connect_timeout_s",
    "first_byte_timeout_s",
    "idle_timeout_s",
    "total_timeout_s",
)
"""Settings that an upstream may override for itself."""


class UpstreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[upstreams]]` table: a model server."""

    name: Annotated[str, Meta(min_length=1)]
    url: str
    """Base, `…/v1` or full `…/chat/completions`."""
    kind: UpstreamKind | None = None
    """The kind of server; None: the gateway finds out. See gateway.upstreams.kinds."""
    api_key: str | None = None
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    models: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)] = ("*",)
    """Globs over the names of the models that it serves; case is ignored."""
    rename: dict[str, Annotated[str, Meta(min_length=1)]] = {}
    """Name that clients use → the upstream's own name."""
    priority: int = 1
    """Lower comes first."""
    weight: Count = 1
    """Share of the load among upstreams of the same priority."""
    max_streams: Count | None = None
    """Open streams for each worker; None: limited only by the gateway's MAX_STREAMS."""
    headers: dict[str, str] = {}
    reasoning_back: Literal["auto", "always", "never"] = "auto"
    """Whether the model gets its own reasoning back with a conversation; `auto`: if its family
    wants it or its server has signed it."""
    stream_options: bool = True
    """Whether it takes `stream_options`; without it, a stream may have no usage."""
    max_completion_tokens: bool = False
    """Whether it wants `max_tokens` by that name, as OpenAI's reasoning models do."""
    health_path: Annotated[str, Meta(pattern="^/")] | None = None
    """The path of the health check, called every HEALTH_INTERVAL_S; None: no health checks."""
    connect_timeout_s: Seconds = 5
    first_byte_timeout_s: Seconds = 120
    idle_timeout_s: Seconds = 120
    total_timeout_s: Seconds = 1800

    def __post_init__(self) -> None:
        check_address("url", self.url)
        for name in self.rename:
            if is_glob(name):
                what = f"{name!r} is not a name without wildcards"
                raise ConfigError(what, setting="rename")
        for name, value in self.headers.items():
            if not is_header_name(name):
                raise ConfigError(f"{name!r} is not a header's name", setting="headers")
            if not is_header_value(value):
                what = f"the value of {name!r} can't be sent in a header: {HEADER_VALUE}"
                raise ConfigError(what, setting="headers")
        if not is_header_value(self.api_key or ""):
            setting = "api_key" if self.api_key_env is None else "api_key_env"
            raise ConfigError(f"the key can't be sent in a header: {HEADER_VALUE}", setting=setting)

    @property
    def names(self) -> tuple[str, ...]:
        """Globs and names of all models that it serves."""
        return (*self.models, *self.rename)

    def own_name(self, model: str) -> str:
        """Returns its own name for a model as clients name it; case is ignored."""
        names = {public.lower(): own for public, own in self.rename.items()}
        return names.get(model.lower(), model)

    def public_names(self, own_name: str) -> list[str]:
        """Returns the names by which clients ask for one of its models; [] if they can't."""
        renamed = [public for public, own in self.rename.items() if own == own_name]
        served = any(fnmatchcase(own_name.lower(), glob.lower()) for glob in self.models)
        return renamed or [own_name] * served

    @property
    def shown_url(self) -> str:
        """The address without its login, for people."""
        return LOGIN.sub("//", self.url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, and the parts of the address and the headers that may hold one.

        A password is in the address percent-encoded, and is sent in Base64 with the user's name.
        """
        parts = urlsplit(self.url)
        found = [self.api_key or ""]
        if parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password)
            login = b64encode(f"{user}:{password}".encode()).decode()
            found += [parts.password, password, login]
        for name, value in self.headers.items():
            if _HOLDS_SECRET.search(name):
                found += [value, value.rpartition(" ")[2]]  # of `Basic …`, the login alone
        return tuple(found)


def with_defaults(
    upstream: UpstreamConfig,
    given: set[str],
    limits: Mapping[str, Any],
    environ: Mapping[str, str],
    where: str,
) -> UpstreamConfig:
    """Returns the upstream with its key from the environment and the gateway's time limits.

    given: the keys of its table. limits: the gateway's time limits, for those that the table does
    not give. where: the table's name in an error. Raises ConfigError.
    """
    changes = {name: limit for name, limit in limits.items() if name not in given}
    if upstream.api_key_env is not None:
        if upstream.api_key is not None:
            raise ConfigError("give this or api_key, not both", setting=f"{where}.api_key_env")
        key = environ.get(upstream.api_key_env, "").strip()
        if not key:
            what = f"the environment has no {upstream.api_key_env}"
            raise ConfigError(what, setting=f"{where}.api_key_env")
        changes["api_key"] = key
    try:
        return msgspec.structs.replace(upstream, **changes)
    except ConfigError as error:
        raise ConfigError(error.what, setting=f"{where}.{error.setting}") from None
