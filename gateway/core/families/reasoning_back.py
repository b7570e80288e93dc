"""Which models want their reasoning back with the conversation.

DeepSeek and Kimi refuse a conversation in which they called a tool and it is missing; GLM and
MiniMax get worse without it.
"""

from fnmatch import fnmatchcase

from gateway.config import plain_name

_WANT_IT = (
    *("deepseek-v3.2*", "deepseek-v4*", "kimi-k2*", "kimi-k3*"),
    *("glm-4.7*", "glm-5*", "minimax-m2*", "minimax-m3*"),
)


def wants_reasoning_back(model: str) -> bool:
    """Returns whether a model wants its reasoning back, by any form of its name."""
    name = plain_name(model)
    return any(fnmatchcase(name, glob) for glob in _WANT_IT)
