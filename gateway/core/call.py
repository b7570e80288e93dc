"""A request to an upstream as a value: gateway.upstreams builds it, gateway.transport sends it."""

from collections.abc import Mapping

import msgspec


class Call(msgspec.Struct, frozen=True):
    """One HTTP request to an upstream."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    """None: a GET."""
