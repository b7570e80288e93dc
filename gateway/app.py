"""Builds the application: the services once, then the blueprints that use them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask

import gateway
from gateway.apis import APIS, Api, dialects_of
from gateway.apis.seal import sealer
from gateway.config import (
    Config,
    runtime_directory,
    worker_number,
    workers_directory,
)
from gateway.core.families import Families
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.observe.log import make_logger
from gateway.observe.metrics import Metrics
from gateway.observe.worker_views import WorkerViews
from gateway.relay.ids import Place, new_life
from gateway.relay.kept import KeptStreams
from gateway.relay.pump import Pump
from gateway.relay.relay import Relay
from gateway.relay.shared_thoughts import SharedThoughts
from gateway.relay.streams import Streams
from gateway.relay.summary_writer import ServerWriter, SummaryWriter, UpstreamWriter
from gateway.relay.thinking import ThinkingControl
from gateway.relay.thoughts import ThoughtMemory
from gateway.relay.turns import TurnFactory
from gateway.routing.clients import client_maker
from gateway.routing.health_checks import HealthChecker
from gateway.routing.kinds import KnownKinds
from gateway.routing.models import ModelList
from gateway.routing.pool import Pool
from gateway.routing.startup import StartupCheck
from gateway.server.channel import Channel
from gateway.server.waiting import WaitingRequests
from gateway.store.base import StreamStore
from gateway.transport.session import Session
from gateway.web import api, ops, page
from gateway.web.inference import Inference
from gateway.web.refusals import register_error_handlers
from gateway.web.request import GatewayRequest
from gateway.web.streams import StreamReader


class _App(Flask):
    request_class = GatewayRequest

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function as it is, since none here is asynchronous.

        Flask 3.1 would check that four times a request.
        """
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
    """Returns the WSGI application, with the services that the server needs in `app.extensions`.

    apis: the client APIs to serve. session, clock (monotonic seconds), log and metrics: for tests.

    Raises ConfigError if a setting names a family or a summarizer that does not exist.
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
    make_client = client_maker(config, session)
    upstreams = {upstream.name: make_client(upstream) for upstream in config.effective_upstreams}
    kinds = KnownKinds(config.effective_upstreams, upstreams, clock, log)
    summarizers = Summarizers(config, SUMMARIZERS)
    writer: SummaryWriter
    if (server := config.summarizer_server) is not None:
        writer = ServerWriter(config, make_client(server), families, clock)
    else:
        writer = UpstreamWriter(config, upstreams, kinds, families, clock, log)
    channel = Channel(workers_directory(), worker_number() or 0, log)
    thoughts = SharedThoughts(ThoughtMemory(clock), channel, config.effective_upstreams, log)
    turns = TurnFactory(
        upstreams,
        families,
        summarizers,
        metrics,
        log,
        thoughts,
        configs=config.effective_upstreams,
        keeps_answers=config.continue_broken,
    )
    thinking = ThinkingControl(config, kinds, families)
    pump = Pump(config, pool, upstreams, thinking, kinds, writer, clock, log, metrics)
    views = WorkerViews(worker_number(), runtime_directory())
    place = Place(channel.worker, new_life())
    kept, store = _make_kept_streams(config, place, clock, log)
    relay = Relay(
        config, pool, pump, thinking, clock, log, metrics, views, turns.learn, kept, store
    )
    dialects = dialects_of(apis)
    waiting = WaitingRequests(config.max_waiting)
    model_list = ModelList(config.effective_upstreams, upstreams, kinds, clock, log)
    streams = Streams(relay, channel, place, store)
    inference = Inference(config, dialects, turns, relay, streams, model_list, waiting)
    reader = StreamReader(dialects, relay, streams, inference.seal)
    app.extensions["gateway.relay"] = relay
    app.extensions["gateway.metrics"] = metrics
    app.extensions["gateway.waiting"] = waiting
    app.extensions["gateway.channel"] = channel
    app.extensions["gateway.store"] = store
    app.extensions["gateway.health_checks"] = HealthChecker(config, pool, upstreams, log)
    app.extensions["gateway.startup_check"] = StartupCheck(
        config.effective_upstreams, upstreams, kinds, log
    )

    app.register_blueprint(
        api.make_blueprint(
            config, apis, inference, model_list, kinds, families, streams, reader, clock
        )
    )
    has_admin = config.admin_bind is not None
    app.register_blueprint(
        ops.make_blueprint(
            apis, relay, pool, kinds, metrics, views, clock, gateway.__version__, has_admin
        )
    )
    app.register_blueprint(page.make_blueprint(apis, gateway.__version__, summarizers.per_request))
    register_error_handlers(app, dialects, log, metrics)
    return app


def _make_kept_streams(
    config: Config, place: Place, clock: Callable[[], float], log: Any
) -> tuple[KeptStreams, StreamStore | None]:
    """Returns this worker's kept streams, and their store if STREAM_STORE names a server."""

    def make(store: StreamStore | None) -> KeptStreams:
        return KeptStreams(
            config.max_kept_bytes, config.keep_s, config.detached_timeout_s, clock, store
        )

    if config.store_url is None:
        return make(None), None
    # Imported here because redis-py is a fifth of what a worker loads.
    from gateway.store.connection import Connections
    from gateway.store.layout import Codec
    from gateway.store.redis_store import RedisStore

    seals = sealer(config.seal_keys)
    store = RedisStore(
        Connections(config.store_url, config.upstream_certificates),
        Codec(seals.seal, seals.open),
        str(place),
        config.keep_s,
        clock,
        log,
        # `kept` is set below: each of the two needs the other.
        on_lost=lambda id: kept.lost(id),
        on_read=lambda ids: kept.note_read(ids),
    )
    kept = make(store)
    return kept, store
