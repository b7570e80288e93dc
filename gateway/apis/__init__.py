"""The client APIs: a request in, an answer out. One table, APIS.

To add an API, add a folder here with its request and its dialect, and one row to the table. Routes,
refusals, the OpenAPI document, the page's list of formats and the contract tests follow from the
row. No API knows an upstream, and none has an effect on a turn: dialects only encode events.
"""

from collections.abc import Iterable

from gateway.apis.base import (
    Answer,
    Api,
    ChatRequest,
    Dialect,
    NonStreamedAnswer,
    Options,
    StreamFormat,
)
from gateway.apis.chat import CHAT
from gateway.apis.chat.completion import Completion
from gateway.apis.messages import MESSAGES
from gateway.apis.ollama import OLLAMA
from gateway.apis.responses import RESPONSES

__all__ = [
    "APIS",
    "DIALECTS",
    "Answer",
    "Api",
    "ChatRequest",
    "Completion",
    "Dialect",
    "NonStreamedAnswer",
    "Options",
    "StreamFormat",
    "dialects_of",
]

APIS = (CHAT, RESPONSES, MESSAGES, OLLAMA)
"""All client APIs, in the order of the documentation."""


def dialects_of(apis: Iterable[Api]) -> dict[str, type[Dialect]]:
    """Format → dialect, for all formats of these APIs."""
    return {name: format.dialect for api in apis for name, format in api.formats.items()}


DIALECTS = dialects_of(APIS)
