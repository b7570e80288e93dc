"""Who asks: the principal behind a client's key."""

from collections.abc import Sequence
from hmac import compare_digest
from typing import Protocol

from gateway.config import Principal
from gateway.config.keys import as_hash, hash_of
from gateway.errors import InvalidKey


class Headers(Protocol):
    """The headers of a request, whatever their case."""

    def get(self, name: str, default: str, /) -> str: ...


class Authenticator:
    """Knows the keys that let a client in."""

    def __init__(self, principals: Sequence[tuple[str, Principal]]) -> None:
        """principals: each key, or its hash, with its holder."""
        self._principals = [(as_hash(key), principal) for key, principal in principals]

    def authenticate(self, headers: Headers, key_headers: Sequence[str]) -> Principal:
        """The holder of the key in one of these headers. Raises InvalidKey.

        `Authorization` holds its key as a bearer token, every other header holds it as it is.
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
        """Compares with every key, whichever fits, so that the time taken tells nothing of any."""
        sent = hash_of(key)
        found = [holder for known, holder in self._principals if compare_digest(sent, known)]
        return found[0] if found else None


def _key_in(name: str, header: str) -> str:
    if name == "Authorization":
        scheme, _, header = header.partition(" ")
        if scheme.lower() != "bearer":
            return ""
    return header.strip()
