"""Builds the application: the services once, then the blueprints that use them."""

import time
from collections.abc import Callable
from typing import Any

import requests
from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

import gateway
from gateway import errors
from gateway.apis import DIALECTS, Dialect
from gateway.config import Config, UpstreamConfig, worker_number
from gateway.core.families import Families
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.observe.log import make_logger
from gateway.observe.metrics import Metrics
from gateway.relay.relay import Relay
from gateway.relay.summary_writer import Writer
from gateway.relay.turns import Turns
from gateway.routing.client import UpstreamClient
from gateway.routing.health_checks import HealthChecker
from gateway.routing.models import ModelList
from gateway.routing.pool import Pool
from gateway.routing.redact import redactor
from gateway.transport.client import Transport
from gateway.transport.session import make_session
from gateway.upstreams import UPSTREAMS
from gateway.web import api, ops, page
from gateway.web.request import Incoming, incoming


class _App(Flask):
    request_class = Incoming

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is asynchronous, and Flask would look four times a request."""
        return func


def create_app(
    config: Config,
    *,
    session: requests.Session | None = None,
    clock: Callable[[], float] = time.monotonic,
    log: Any = None,
    metrics: Metrics | None = None,
) -> Flask:
    """The WSGI application. Raises ConfigError for what only the tables can check.

    session, clock (seconds, monotonic), log and metrics are for tests; the relay, the metrics and
    the health checks are in `app.extensions` for the server.
    """
    app = _App("gateway", static_folder=None)
    log = log or make_logger(config)
    metrics = metrics or Metrics(worker_number())
    families = Families(config)
    pool = Pool(
        config.effective_upstreams,
        breaker_failures=config.breaker_failures,
        breaker_open_s=config.breaker_open_s,
    )
    make_client = _client_maker(config, session)
    upstreams = {upstream.name: make_client(upstream) for upstream in config.effective_upstreams}
    summarizers = Summarizers(config, SUMMARIZERS)
    server = config.summarizer_server
    writer = Writer(config, *make_client(server), families, clock) if server else None
    relay = Relay(config, pool, upstreams, writer, clock, log, metrics)
    turns = Turns(relay, upstreams, families, summarizers, metrics, log)
    model_list = ModelList(config.effective_upstreams, upstreams, clock, log)
    app.extensions["gateway"] = relay
    app.extensions["gateway.metrics"] = metrics
    app.extensions["gateway.health_checks"] = HealthChecker(config, pool, upstreams, log)

    app.register_blueprint(api.make_blueprint(config, turns, relay, model_list, families, clock))
    app.register_blueprint(ops.make_blueprint(relay, pool, metrics, clock, gateway.__version__))
    app.register_blueprint(page.make_blueprint(gateway.__version__, summarizers.per_request))
    _register_error_handlers(app, log, metrics)
    return app


def _client_maker(
    config: Config, session: requests.Session | None
) -> Callable[[UpstreamConfig], UpstreamClient]:
    """Returns a function that makes a client with a session of its own. It shows no key."""
    hide = redactor(config.secrets)

    def make(upstream: UpstreamConfig) -> UpstreamClient:
        connections = session or make_session(
            upstream.max_streams or config.max_streams, config.upstream_certificates
        )
        return UpstreamClient(
            UPSTREAMS[upstream.kind](upstream, hide),
            Transport(connections, upstream.connect_timeout_s),
        )

    return make


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
        log.error("request failed", request=incoming().id, exc_info=error)
        return refuse(errors.GatewayFault("The gateway failed; its log says why."))


def _refusal(error: errors.GatewayError) -> Response:
    request = incoming()
    dialect = DIALECTS.get(request.dialect or "", Dialect)
    content_type, body = dialect.refuse(error, request.id)
    response = Response(body, status=error.status, content_type=content_type)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.model_ran:
        response.headers["x-should-retry"] = "false"
    return response


def _from_http(error: HTTPException) -> errors.GatewayError:
    if isinstance(error, MethodNotAllowed):
        return errors.MethodNotAllowed("This path does not know this method; see the Allow header.")
    if error.code == 404:
        return errors.NotFound(
            "There is nothing at this path; /openapi.json lists those there are."
        )
    return errors.BadRequest(f"The request could not be read: {error.description}")
