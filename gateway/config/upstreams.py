"""The model servers: `[[upstreams]]`."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from gateway.config.values import Count, Seconds, check_address, is_field_text, is_glob
from gateway.errors import ConfigError

UpstreamKind = Literal["chat"]
UPSTREAM_LIMITS = (
    "connect_timeout_s",
    "first_byte_timeout_s",
    "idle_timeout_s",
    "total_timeout_s",
)
"""What an upstream may set for itself."""


class UpstreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[upstreams]]` table: a model server, and what is asked of it."""

    name: Annotated[str, Meta(min_length=1)]
    url: str
    """Base, `…/v1` or full `…/chat/completions`."""
    kind: UpstreamKind = "chat"
    """What it speaks; see gateway.upstreams."""
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
        check_address("url", self.url)
        for name in self.rename:
            if is_glob(name):
                raise ValueError(f"rename: {name!r} must be a name without wildcards")
        for header in [*self.headers.items(), ("api_key", self.api_key or "")]:
            if not all(map(is_field_text, header)) or not header[0]:
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


def completed(
    where: str,
    upstream: UpstreamConfig,
    given: set[str],
    limits: Mapping[str, Any],
    environ: Mapping[str, str],
) -> UpstreamConfig:
    """With its key, and the gateway's own limits where its table (`given`) has none."""
    changes = {name: limit for name, limit in limits.items() if name not in given}
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
