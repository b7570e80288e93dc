"""Builds the application: the services once, then the blueprints that use them."""

import time
from collections.abc import Callable
from typing import Any

import requests
from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

import gateway
from gateway import api, errors, ops, page
from gateway.config import Config, worker_number
from gateway.dialects import DIALECTS, Dialect
from gateway.families import Families
from gateway.logs import make_logger
from gateway.metrics import Metrics
from gateway.relay import Relay
from gateway.summarizers import SUMMARIZERS, Summarizers
from gateway.transport import Transport, make_session
from gateway.upstreams.chat import ChatUpstream
from gateway.writer import Writer


def create_app(
    config: Config,
    *,
    session: requests.Session | None = None,
    clock: Callable[[], float] = time.monotonic,
    log: Any = None,
    metrics: Metrics | None = None,
) -> Flask:
    """The WSGI application. Raises ConfigError for what only the tables can check.

    session, clock (seconds, monotonic), log and metrics are for tests; the relay is in
    `app.extensions["gateway"]` for the server's hooks.
    """
    app = Flask("gateway")
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes
    log = log or make_logger(config)
    metrics = metrics or Metrics(worker_number())
    families = Families(config)
    transport = Transport(session or make_session(config.max_streams), config.connect_timeout_s)
    upstream = ChatUpstream(config.upstream_url, config.upstream_api_key)
    summarizers = Summarizers(config, SUMMARIZERS)
    writer = Writer(config, transport, families, clock) if config.summarizer_url else None
    relay = Relay(config, transport, writer, clock, log, metrics)
    app.extensions["gateway"] = relay

    app.register_blueprint(
        api.make_blueprint(
            config, relay, transport, upstream, families, summarizers, clock, log, metrics
        )
    )
    app.register_blueprint(ops.make_blueprint(relay, upstream, metrics, clock, gateway.__version__))
    app.register_blueprint(page.make_blueprint(gateway.__version__, summarizers.per_request))
    _register_error_handlers(app, log, metrics)
    return app


def _register_error_handlers(app: Flask, log: Any, metrics: Metrics) -> None:
    """Every error leaves in the form of the dialect that the caller speaks."""

    def refuse(error: errors.GatewayError) -> Response:
        metrics.refused(error)
        return _refusal(error)

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
        # Only a body can be deep enough; where it is noticed depends on the stack.
        return refuse(errors.BadRequest("The body is nested too deeply."))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("request failed", request=g.request_id, exc_info=error)
        return refuse(errors.GatewayFault("The gateway failed; its log says why."))


def _refusal(error: errors.GatewayError) -> Response:
    dialect = DIALECTS.get(g.get("dialect") or "", Dialect)
    content_type, body = dialect.refuse(error, g.request_id)
    response = Response(body, status=error.status, content_type=content_type)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.model_ran:
        response.headers["x-should-retry"] = "false"
    return response


def _from_http(error: HTTPException) -> errors.GatewayError:
    if isinstance(error, RequestEntityTooLarge):
        return errors.BodyTooLarge("The body is larger than the gateway takes (MAX_BODY_BYTES).")
    if isinstance(error, MethodNotAllowed):
        return errors.MethodNotAllowed("This path does not know this method; see the Allow header.")
    if error.code == 404:
        return errors.NotFound("There is nothing at this path; the API is at /v1/chat/completions.")
    return errors.BadRequest(f"The request could not be read: {error.description}")
