"""The kinds of model servers: how to ask each, and how to read what it streams.

To add a kind: one file with a class like :class:`gateway.upstreams.chat.ChatUpstream`, and one line
in the table UPSTREAMS.
"""

from gateway.upstreams.chat import ChatUpstream

UPSTREAMS = {"chat": ChatUpstream}
"""Kind → class."""
