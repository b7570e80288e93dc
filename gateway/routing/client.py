"""Calls to one upstream: completions by its transport, its list of models, its health check."""

import uuid
from typing import NamedTuple

from gateway.errors import UpstreamBroke
from gateway.transport.client import Transport
from gateway.upstreams.base import Upstream


class UpstreamClient(NamedTuple):
    """What an upstream speaks, and the connections to it."""

    upstream: Upstream
    transport: Transport

    def list_models(self, timeout_s: float) -> list[tuple[str, str]]:
        """Returns id and owner of each model that the upstream lists. Raises UpstreamError.

        timeout_s: limit between two reads.
        """
        upstream = self.upstream
        with self.transport.send(upstream.models(_request_id()), timeout_s) as reply:
            if not 200 <= reply.status < 300:
                body = b"".join(reply.error_body())
                raise upstream.refusal(reply.status, reply.headers, body)
            models = upstream.model_ids(reply.read())
        if models is None:
            raise UpstreamBroke("The upstream's list of models could not be read.")
        return models

    def check_health(self, timeout_s: float) -> None:
        """Calls the health path, if the upstream has one. Raises UpstreamError if it is unhealthy.

        timeout_s: limit between two reads.
        """
        upstream = self.upstream
        if call := upstream.health(_request_id()):
            with self.transport.send(call, timeout_s) as reply:
                body = b"".join(reply.error_body())  # read, so that the connection is reused
                if not 200 <= reply.status < 300:
                    raise upstream.refusal(reply.status, reply.headers, body)


def _request_id() -> str:
    """Returns an id for the gateway's own calls. A UUID: some servers refuse anything else."""
    return str(uuid.uuid4())
