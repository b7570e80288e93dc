"""The kinds of model servers: the requests to send, and how to read the answers. No I/O.

To add a kind, write a module with a class like :class:`gateway.upstreams.chat.ChatUpstream`, add a
row to UPSTREAMS, and add the name to `gateway.config.UpstreamKind`.
"""

from gateway.config import UpstreamKind
from gateway.upstreams.chat import ChatUpstream

UPSTREAMS: dict[UpstreamKind, type[ChatUpstream]] = {"chat": ChatUpstream}
"""Kind → class. `chat` is any server with OpenAI's `/chat/completions`, whatever its variations."""
