"""Makes the clients of upstreams, each with its own connections."""

from collections.abc import Callable

from gateway.config import Config, UpstreamConfig
from gateway.routing.client import UpstreamClient
from gateway.routing.redact import redactor
from gateway.transport.client import Transport
from gateway.transport.session import Session, make_session
from gateway.upstreams import ChatUpstream


def client_maker(
    config: Config, session: Session | None = None
) -> Callable[[UpstreamConfig], UpstreamClient]:
    """Returns a function that makes the client of an upstream.

    Each client has a session of its own, unless a test gives one. Its errors contain no key.
    """
    hide = redactor(config.secrets)

    def make(upstream: UpstreamConfig) -> UpstreamClient:
        connections = session or make_session(
            upstream.max_streams or config.max_streams, config.upstream_certificates
        )
        return UpstreamClient(
            ChatUpstream(upstream, hide),
            Transport(connections, upstream.connect_timeout_s),
        )

    return make
