"""The request that is being answered, as Flask has it, with what the gateway adds."""

from typing import Any, cast

import flask

from gateway.config import ANONYMOUS, Principal


class GatewayRequest(flask.Request):
    """The application's request class: what routes and error handlers work with."""

    started = 0.0
    """When it arrived, in monotonic seconds."""
    id = ""
    """The client's X-Request-Id if it is a valid one, else a new one."""
    principal: Principal = ANONYMOUS
    """The client, as its key names it."""
    dialect: str | None = None
    """The dialect of the answer or the refusal; None: OpenAI's."""


def current_request() -> GatewayRequest:
    """The request that is being answered.

    Flask's proxy of it takes three calls to find the request, for each attribute.
    """
    return cast(GatewayRequest, cast(Any, flask.request)._get_current_object())
