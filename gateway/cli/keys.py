"""`reasoning-gateway key`: makes keys for clients."""

import secrets

_PREFIX = "gw-"
_RANDOM_BYTES = 32


def new_key() -> str:
    """Returns a key with 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
