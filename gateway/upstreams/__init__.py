"""The kinds of model servers: what is sent to each, and how what it streams is read. No I/O.

To add a kind: one file with a class like :class:`gateway.upstreams.chat.ChatUpstream`, one line in
the table UPSTREAMS, and its name in `gateway.config.UpstreamKind`.
"""

from gateway.config import UpstreamKind
from gateway.upstreams.chat import ChatUpstream

UPSTREAMS: dict[UpstreamKind, type[ChatUpstream]] = {"chat": ChatUpstream}
"""Kind → class. `chat` is every server that speaks `/chat/completions`, in whichever shape."""
