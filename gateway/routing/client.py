"""Calls to one upstream: its list of models, its kind, its health check."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from gateway.core.call import Call
from gateway.errors import UpstreamBroke, UpstreamError
from gateway.transport.client import Transport
from gateway.upstreams import KINDS, Kind
from gateway.upstreams.base import Upstream
from gateway.upstreams.kinds import kind_of_headers, kind_of_owners


class ModelListing(NamedTuple):
    """An upstream's list of models."""

    models: list[tuple[str, str]]
    """Id and owner of each."""
    kind: Kind | None
    """The kind of server that gave the list; None: the list does not show it."""


class UpstreamClient(NamedTuple):
    """An upstream's protocol, and the connections to it."""

    upstream: Upstream
    transport: Transport

    def list_models(self, timeout_s: float, *, keeps_connection: bool = True) -> ModelListing:
        """Returns the models that the upstream lists. Raises UpstreamError.

        timeout_s: limit between two reads. keeps_connection: False: closes it after the answer.
        """
        upstream = self.upstream
        call = upstream.models(_request_id())
        with self.transport.send(call if keeps_connection else _alone(call), timeout_s) as reply:
            if not 200 <= reply.status < 300:
                body = b"".join(reply.error_body())
                raise upstream.refusal(reply.status, reply.headers, body, call.url)
            models = upstream.model_ids(reply.read())
        if models is None:
            raise UpstreamBroke("The upstream's list of models could not be read.")
        kind = kind_of_headers(reply.headers) or kind_of_owners(owner for _, owner in models)
        return ModelListing(models, kind)

    def find_kind(self, timeout_s: float) -> Kind | None:
        """Returns the kind of server, or None if the gateway does not recognize it.

        timeout_s: limit between two reads. Raises UpstreamError if the server can't be reached.
        """
        with suppress(UpstreamBroke):
            if (kind := self.list_models(timeout_s, keeps_connection=False).kind) is not None:
                return kind
        for kind in KINDS.values():
            if kind.probe is not None and self._has(*kind.probe, timeout_s):
                return kind
        return None

    def _has(self, path: str, steps: Sequence[str | int], timeout_s: float) -> bool:
        """Whether the server answers at a path with JSON that has a value at these steps."""
        with suppress(UpstreamError, ValueError, LookupError, TypeError):
            call = _alone(self.upstream.probe(path, _request_id()))
            with self.transport.send(call, timeout_s) as reply:
                if reply.status != 200:
                    return False
                found = msgspec.json.decode(reply.read())
                for step in steps:
                    found = found[step]
                return True
        return False

    def check_health(self, timeout_s: float) -> None:
        """Calls the health path, if the upstream has one. Raises UpstreamError if it is unhealthy.

        timeout_s: limit between two reads.
        """
        upstream = self.upstream
        if call := upstream.health(_request_id()):
            with self.transport.send(call, timeout_s) as reply:
                body = b"".join(reply.error_body())  # read, so that the connection is reused
                if not 200 <= reply.status < 300:
                    raise upstream.refusal(reply.status, reply.headers, body, call.url)


def _alone(call: Call) -> Call:
    """Returns the call with a header that closes the connection after the answer."""
    return replace(call, headers={**call.headers, "Connection": "close"})


def _request_id() -> str:
    """Returns an id for the gateway's own calls: a UUID, because some servers refuse all else."""
    return str(uuid.uuid4())
