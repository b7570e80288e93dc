"""A request as Flask has it, with what is known of it before its body is read."""

from typing import Any, cast

import flask


class Incoming(flask.Request):
    """What the routes and the error handlers work with; the application names it to Flask."""

    started = 0.0
    """When it arrived, in monotonic seconds."""
    id = ""
    """The client's own, if it sent one that will do, else a new one."""
    dialect: str | None = None
    """In which an answer or a refusal leaves; None: as OpenAI does."""


def incoming() -> Incoming:
    """The request that is being answered.

    Not Flask's proxy of it, which takes three calls to find it for each attribute.
    """
    return cast(Incoming, cast(Any, flask.request)._get_current_object())
