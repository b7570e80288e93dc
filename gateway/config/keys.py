"""The keys of clients: `[[keys]]` tables, each with a name and with what its holder may use."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.config.values import HEADER_VALUE, Count, is_header_value
from gateway.errors import ConfigError

Globs = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]


_HASH = "sha256:"
_WHOLE_HASH = re.compile(r"sha256:[0-9a-f]{64}\Z")


def hash_of(key: str) -> str:
    """Returns the hash of a key, which can replace the key in the settings.

    A fast hash is enough: unlike a password, a random key can't be guessed.
    """
    return _HASH + sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def as_hash(key: str) -> str:
    """Returns the hash of a key in the settings, which may be a hash already."""
    return key if key.startswith(_HASH) else hash_of(key)


def check_key(setting: str, key: str) -> None:
    """Raises ConfigError if no client can send the key, or if a hash is malformed."""
    if not is_header_value(key):
        raise ConfigError(f"the key can't be sent in a header: {HEADER_VALUE}", setting=setting)
    if key.startswith(_HASH) and not _WHOLE_HASH.match(key):
        raise ConfigError("a hash is sha256: and 64 hexadecimal digits", setting=setting)


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A client, identified by its key. The log, the metrics and the limits refer to it."""

    name: str = "anonymous"
    models: tuple[str, ...] = ("*",)
    """Globs over the names of the models that it may ask for, in any case."""
    max_streams: int | None = None
    """Limit of open streams per worker; None: no limit."""

    def may_use(self, model: str) -> bool:
        """Whether the client may ask for a model by this name."""
        return any(fnmatchcase(model.lower(), glob.lower()) for glob in self.models)


ANONYMOUS = Principal()
"""Every client, where the gateway asks for no key."""


class KeyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[keys]]` table."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    """The client's name in the log and the metrics."""
    key: str | None = None
    """The key, or its hash."""
    key_env: str | None = None
    """The environment variable that holds the key."""
    models: Globs = ("*",)
    max_streams: Count | None = None

    @property
    def principal(self) -> Principal:
        """The client that has this key."""
        return Principal(name=self.name, models=self.models, max_streams=self.max_streams)

    def completed(self, where: str, environ: Mapping[str, str]) -> "KeyConfig":
        """Returns the table with its key. Raises ConfigError if the key is missing or malformed.

        where: the table's name in an error.
        """
        if self.key is not None and self.key_env is not None:
            raise ConfigError("give this or key, not both", setting=f"{where}.key_env")
        if self.key is None and self.key_env is None:
            raise ConfigError("key or key_env is missing", setting=where)
        setting = f"{where}.{'key' if self.key_env is None else 'key_env'}"
        key = self.key if self.key_env is None else environ.get(self.key_env, "")
        key = (key or "").strip()
        if not key:
            missing = f"the environment has no {self.key_env}" if self.key_env else "it is empty"
            raise ConfigError(missing, setting=setting)
        check_key(setting, key)
        return msgspec.structs.replace(self, key=key)
