"""Who may ask: the keys of clients."""

from collections.abc import Iterable
from hmac import compare_digest

from gateway.errors import InvalidKey

_HOW = "as `Authorization: Bearer` or as `x-api-key`"


class Keys:
    """The keys that let a client in, one of which is enough."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def check(self, authorization: str, api_key: str) -> None:
        """Raises InvalidKey if neither of the headers `Authorization` and `x-api-key` has one."""
        scheme, _, token = authorization.partition(" ")
        bearer = token if scheme.lower() == "bearer" else ""
        sent = [key for header in (bearer, api_key) if (key := header.strip().encode())]
        if not sent:
            raise InvalidKey(f"Send a key of this gateway {_HOW}.")
        if not any(map(self._knows, sent)):
            raise InvalidKey(f"The gateway does not know this key; send another {_HOW}.")

    def _knows(self, key: bytes) -> bool:
        """Compares with each, equal or not, so that the time taken tells nothing of any."""
        return sum(compare_digest(key, known) for known in self._keys) > 0
