"""The kinds of model servers: the requests to send, and how to read the answers. No I/O.

To add a kind, write a module with a class that does what :class:`gateway.upstreams.base.Upstream`
says, add a row to UPSTREAMS, and add the name to `gateway.config.UpstreamKind`.
"""

from collections.abc import Callable

from gateway.config import UpstreamConfig, UpstreamKind
from gateway.upstreams.base import Upstream
from gateway.upstreams.chat import ChatUpstream
from gateway.upstreams.error_bodies import Redact

UPSTREAMS: dict[UpstreamKind, Callable[[UpstreamConfig, Redact], Upstream]] = {
    "chat": ChatUpstream,
}
"""Kind → class. `chat` is any server with OpenAI's `/chat/completions`, whatever its variations."""
