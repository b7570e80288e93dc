"""The model servers: the requests to send, and how to read the answers. No I/O.

All servers speak OpenAI's `/chat/completions` with variations; :class:`.chat.ChatUpstream` reads
them all. The table KINDS lists what else each can do, such as limiting the thinking. To add a kind,
add a row to :mod:`.kinds` and its name to `gateway.config.UpstreamKind`.
"""

from gateway.upstreams.chat import ChatUpstream
from gateway.upstreams.kinds import CHAT, KINDS, Kind, Way

__all__ = ["CHAT", "KINDS", "ChatUpstream", "Kind", "Way"]
