"""Turns errors into responses, each in the dialect of the client's API."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from gateway import errors
from gateway.apis import Dialect
from gateway.observe.metrics import Metrics
from gateway.web.request import current_request


def register_error_handlers(
    app: Flask, dialects: Mapping[str, type[Dialect]], log: Any, metrics: Metrics
) -> None:
    """Makes the application answer every error in the dialect of the client's API.

    dialects: by the names of their formats.
    """

    def refuse(error: errors.GatewayError) -> Response:
        metrics.count_error_response(error)
        return _refusal(error, dialects)

    @app.errorhandler(errors.GatewayError)
    def known(error: errors.GatewayError) -> Response:
        return refuse(error)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        response = refuse(_from_http(error))
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(RecursionError)
    def nested(error: RecursionError) -> Response:
        # Only a body can be nested deeply enough. Any function that walks it may raise this.
        return refuse(errors.BadRequest("The body is nested too deeply."))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("request failed", request=current_request().id, exc_info=error)
        return refuse(errors.GatewayFault())


def _refusal(error: errors.GatewayError, dialects: Mapping[str, type[Dialect]]) -> Response:
    request = current_request()
    dialect = dialects.get(request.dialect or "", Dialect)
    content_type, body = dialect.refuse(error.info, request.id)
    response = Response(body, status=error.status, content_type=content_type)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.model_ran or error.is_final:
        response.headers["x-should-retry"] = "false"
    return response


def _from_http(error: HTTPException) -> errors.GatewayError:
    if isinstance(error, MethodNotAllowed):
        if current_request().headers.get("Upgrade", "").lower() == "websocket":
            # After 426, Codex uses HTTP at once; after another status it repeats the handshake.
            return errors.NoWebSocket()
        return errors.MethodNotAllowed("This path does not know this method; see the Allow header.")
    if error.code == 404:
        return errors.NotFound(
            "There is nothing at this path; /openapi.json lists those there are."
        )
    return errors.BadRequest(f"The request could not be read: {error.description}")
