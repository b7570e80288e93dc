"""Authentication: finds the principal to whom a request's key belongs."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Protocol

from gateway.config import Principal
from gateway.config.keys import as_hash, hash_of
from gateway.errors import InvalidKey


class Headers(Protocol):
    """The headers of a request; the case of their names does not matter."""

    def get(self, name: str, default: str, /) -> str: ...


class Authenticator:
    """Knows the keys of all clients."""

    def __init__(self, principals: Sequence[tuple[str, Principal]]) -> None:
        """principals: each key, or its hash, with its client."""
        self._principals = [(as_hash(key), principal) for key, principal in principals]

    def authenticate(self, headers: Headers, key_headers: Sequence[str]) -> Principal:
        """Returns the client whose key is in one of these headers. Raises InvalidKey.

        `Authorization` has the key as a bearer token, every other header has the bare key.
        """
        sent = [key for name in key_headers if (key := _key_in(name, headers.get(name, "")))]
        how = " or ".join(
            f"`{name}: Bearer`" if name == "Authorization" else f"`{name}`" for name in key_headers
        )
        if not sent:
            raise InvalidKey(f"Send a key of this gateway as {how}.")
        for key in sent:
            if (principal := self._find(key)) is not None:
                return principal
        raise InvalidKey(f"The gateway does not know this key; send another as {how}.")

    def _find(self, key: str) -> Principal | None:
        """Compares with all keys, even after a match, so that the time reveals none of them."""
        sent = hash_of(key)
        found = [client for known, client in self._principals if compare_digest(sent, known)]
        return found[0] if found else None


def _key_in(name: str, header: str) -> str:
    if name == "Authorization":
        scheme, _, header = header.partition(" ")
        if scheme.lower() != "bearer":
            return ""
    return header.strip()
