"""The ways to the upstreams, and what is asked of them beside answers."""

import uuid
from typing import NamedTuple

from gateway.errors import UpstreamBroke
from gateway.transport.client import Transport
from gateway.upstreams.chat import ChatUpstream


class Endpoint(NamedTuple):
    """An upstream, and the way to it."""

    upstream: ChatUpstream
    transport: Transport

    def list_models(self, timeout_s: float) -> list[tuple[str, str]]:
        """Id and owner of each model that it says it has. Raises UpstreamError.

        timeout_s: between two reads.
        """
        upstream = self.upstream
        with self.transport.send(upstream.models(_request_id()), timeout_s) as reply:
            if reply.status != 200:
                raise upstream.refusal(reply.status, reply.headers, b"".join(reply.refusal()))
            listed = upstream.model_ids(reply.json())
        if listed is None:
            raise UpstreamBroke("The upstream's list of models could not be read.")
        return listed

    def check(self, timeout_s: float) -> None:
        """Asks whether it is well, where it has a path for that. Raises UpstreamError if not."""
        upstream = self.upstream
        if call := upstream.health(_request_id()):
            with self.transport.send(call, timeout_s) as reply:
                body = b"".join(reply.refusal())  # read, so that the connection can be used again
                if not 200 <= reply.status < 300:
                    raise upstream.refusal(reply.status, reply.headers, body)


def _request_id() -> str:
    """For what no client has asked for. A UUID, because some servers refuse anything else."""
    return str(uuid.uuid4())
