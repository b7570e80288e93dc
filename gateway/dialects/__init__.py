"""What each kind of client reads: events to bytes. One table, DIALECTS.

To add a dialect: one file with a class like those here, one line in the table. Its contract tests
come with it. No dialect knows an upstream, and none decides what happens: they only spell events.
"""

from gateway.dialects.base import Answer, Dialect, Whole
from gateway.dialects.completion import Completion
from gateway.dialects.events import EventsDialect
from gateway.dialects.messages import MessagesDialect
from gateway.dialects.openai import OpenAIDialect
from gateway.dialects.phased import PhasedDialect
from gateway.dialects.plain import PlainDialect
from gateway.dialects.responses import ResponsesDialect

__all__ = ["DIALECTS", "Answer", "Completion", "Dialect", "Whole"]

DIALECTS: dict[str, type[Dialect]] = {
    "phased": PhasedDialect,
    "events": EventsDialect,
    "openai": OpenAIDialect,
    "plain": PlainDialect,
    "messages": MessagesDialect,
    "responses": ResponsesDialect,
}
"""Format → class; for a path of its own its name: `/v1/messages`."""
