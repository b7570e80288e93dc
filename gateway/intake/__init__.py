"""A body in, a typed request out, or an error that names the path of the fault. No I/O.

One file for each kind of request; whatever its kind, what comes out is a :class:`ChatRequest`,
whose body is the chat completion request that the upstream gets.
"""

from gateway.intake.body import read_json
from gateway.intake.chat import format_of, read_chat
from gateway.intake.messages import count_tokens, read_messages
from gateway.intake.request import ChatRequest, Options
from gateway.intake.responses import read_responses

__all__ = [
    "ChatRequest",
    "Options",
    "count_tokens",
    "format_of",
    "read_chat",
    "read_json",
    "read_messages",
    "read_responses",
]
