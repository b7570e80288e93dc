"""The models that want their thoughts back with the conversation, and in which form.

DeepSeek, Kimi and Gemini 3 refuse a conversation in which they called a tool and their thoughts are
missing. GLM and MiniMax answer worse without them. Google's API takes no reasoning, only the
signatures of the calls.
"""

from fnmatch import fnmatchcase

from gateway.config import plain_name
from gateway.core.thoughts import ThoughtStyle

_TEXT = (
    *("deepseek-v3.2*", "deepseek-v4*", "kimi-k2*", "kimi-k3*"),
    *("glm-4.7*", "glm-5*", "minimax-m2*", "minimax-m3*"),
)
_SIGNATURES = ("gemini*",)


def reasoning_back(model: str) -> ThoughtStyle | None:
    """Returns the form in which a model wants its thoughts back; None: it does not.

    model: any form of its name.
    """
    name = plain_name(model)
    if any(fnmatchcase(name, glob) for glob in _TEXT):
        return "text"
    return "signatures" if any(fnmatchcase(name, glob) for glob in _SIGNATURES) else None
