"""What each kind of client reads: events to bytes. One table, DIALECTS.

To add a dialect: one file with a class like those here, one line in the table. Its contract tests
come with it. No dialect knows an upstream, and none decides what happens: they only spell events.
"""

from gateway.apis.base import Answer, ChatRequest, Dialect, Options, Whole
from gateway.apis.chat.completion import Completion
from gateway.apis.chat.events import EventsDialect
from gateway.apis.chat.openai import OpenAIDialect
from gateway.apis.chat.phased import PhasedDialect
from gateway.apis.chat.plain import PlainDialect
from gateway.apis.messages.stream import MessagesDialect
from gateway.apis.responses.stream import ResponsesDialect

__all__ = ["DIALECTS", "Answer", "ChatRequest", "Completion", "Dialect", "Options", "Whole"]

DIALECTS: dict[str, type[Dialect]] = {
    "phased": PhasedDialect,
    "events": EventsDialect,
    "openai": OpenAIDialect,
    "plain": PlainDialect,
    "messages": MessagesDialect,
    "responses": ResponsesDialect,
}
"""Format → class; for a path of its own its name: `/v1/messages`."""
