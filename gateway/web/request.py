"""The current request: Flask's, with the gateway's own attributes."""

from typing import Any, cast

import flask

from gateway.config import ANONYMOUS, Principal


class GatewayRequest(flask.Request):
    """The application's request class, for routes and error handlers."""

    started = 0.0
    """When it arrived, in monotonic seconds."""
    id = ""
    """The client's X-Request-Id if it is a valid one, else a new one."""
    principal: Principal = ANONYMOUS
    """The client, identified by its key."""
    dialect: str | None = None
    """The dialect of the answer or the refusal; None: OpenAI's."""


def current_request() -> GatewayRequest:
    """Returns the request that is being answered.

    Werkzeug 3.1's proxy, flask.request, takes three calls to find it for each attribute.
    """
    return cast(GatewayRequest, cast(Any, flask.request)._get_current_object())
