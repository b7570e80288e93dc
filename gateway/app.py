"""Builds the application: the services once, then the blueprints that use them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask

import gateway
from gateway.apis import APIS, Api, dialects_of
from gateway.config import Config, UpstreamConfig, worker_number, workers_directory
from gateway.core.families import Families
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.observe.log import make_logger
from gateway.observe.metrics import Metrics
from gateway.relay.pump import Pump
from gateway.relay.relay import Relay
from gateway.relay.streams import Streams
from gateway.relay.summary_writer import SummaryWriter
from gateway.relay.thinking import ThinkingControl
from gateway.relay.thoughts import ThoughtMemory
from gateway.relay.turns import TurnFactory
from gateway.routing.client import UpstreamClient
from gateway.routing.health_checks import HealthChecker
from gateway.routing.kinds import KnownKinds
from gateway.routing.models import ModelList
from gateway.routing.pool import Pool
from gateway.routing.redact import redactor
from gateway.server.channel import Channel
from gateway.server.waiting import WaitingRequests
from gateway.transport.client import Transport
from gateway.transport.session import Session, make_session
from gateway.upstreams import ChatUpstream
from gateway.web import api, ops, page
from gateway.web.inference import Inference
from gateway.web.refusals import register_error_handlers
from gateway.web.request import GatewayRequest


class _App(Flask):
    request_class = GatewayRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is asynchronous, and Flask would look four times a request."""
        return func


def create_app(
    config: Config,
    *,
    apis: Sequence[Api] = APIS,
    session: Session | None = None,
    clock: Callable[[], float] = time.monotonic,
    log: Any = None,
    metrics: Metrics | None = None,
) -> Flask:
    """The WSGI application. Raises ConfigError for what only the tables can check.

    apis: the client APIs to serve. session, clock (seconds, monotonic), log and metrics are for
    tests; the services that the server needs are in `app.extensions`.
    """
    app = _App("gateway", static_folder=None)
    log = log or make_logger(config)
    metrics = metrics or Metrics(
        worker_number(), lambda error: log.error("metrics can't be written", error=error.strerror)
    )
    families = Families(config)
    pool = Pool(
        config.effective_upstreams,
        breaker_failures=config.breaker_failures,
        breaker_open_s=config.breaker_open_s,
        slow_start_s=config.breaker_open_s,
    )
    make_client = _client_maker(config, session)
    upstreams = {upstream.name: make_client(upstream) for upstream in config.effective_upstreams}
    kinds = KnownKinds(config.effective_upstreams, upstreams, clock, log)
    summarizers = Summarizers(config, SUMMARIZERS)
    server = config.summarizer_server
    writer = SummaryWriter(config, *make_client(server), families, clock) if server else None
    turns = TurnFactory(upstreams, families, summarizers, metrics, log, ThoughtMemory(clock))
    thinking = ThinkingControl(config, kinds, families)
    pump = Pump(config, pool, upstreams, thinking, kinds, writer, clock, log, metrics)
    relay = Relay(config, pool, pump, thinking, clock, log, metrics, turns.learn)
    dialects = dialects_of(apis)
    waiting = WaitingRequests(config.max_waiting)
    model_list = ModelList(config.effective_upstreams, upstreams, kinds, clock, log)
    channel = Channel(workers_directory(), worker_number() or 0, log)
    streams = Streams(relay, channel)
    inference = Inference(config, dialects, turns, relay, streams, model_list, waiting)
    app.extensions["gateway"] = relay
    app.extensions["gateway.metrics"] = metrics
    app.extensions["gateway.waiting"] = waiting
    app.extensions["gateway.channel"] = channel
    app.extensions["gateway.health_checks"] = HealthChecker(config, pool, upstreams, log)

    app.register_blueprint(
        api.make_blueprint(config, apis, inference, model_list, kinds, families, streams, clock)
    )
    app.register_blueprint(
        ops.make_blueprint(apis, relay, pool, kinds, metrics, clock, gateway.__version__)
    )
    app.register_blueprint(page.make_blueprint(apis, gateway.__version__, summarizers.per_request))
    register_error_handlers(app, dialects, log, metrics)
    return app


def _client_maker(
    config: Config, session: Session | None
) -> Callable[[UpstreamConfig], UpstreamClient]:
    """Returns a function that makes a client with its own session. Its errors show no key."""
    hide = redactor(config.secrets)

    def make(upstream: UpstreamConfig) -> UpstreamClient:
        connections = session or make_session(
            upstream.max_streams or config.max_streams, config.upstream_certificates
        )
        return UpstreamClient(
            ChatUpstream(upstream, hide),
            Transport(connections, upstream.connect_timeout_s),
        )

    return make
