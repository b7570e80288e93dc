"""For operators: is it alive, should it get traffic, what has it done; and what it can be asked."""

from collections.abc import Callable, Sequence
from functools import cache

from flask import Blueprint, Response, jsonify

from gateway.apis import Api
from gateway.core.sse import dumps
from gateway.observe.metrics import CONTENT_TYPE, Metrics
from gateway.relay.relay import Relay
from gateway.routing.kinds import KnownKinds
from gateway.routing.pool import Pool
from gateway.upstreams.kinds import described
from gateway.web.openapi.document import document


def make_blueprint(
    apis: Sequence[Api],
    relay: Relay,
    pool: Pool,
    kinds: KnownKinds,
    metrics: Metrics,
    clock: Callable[[], float],
    version: str,
) -> Blueprint:
    """The routes, bound to the services they report on."""
    ops = Blueprint("ops", __name__)
    started = clock()

    @cache
    def openapi_document() -> str:
        """Building it takes 10 ms."""
        return dumps(document(version, apis))

    @ops.get("/health")
    def health() -> Response:
        kinds.start_finding()
        return jsonify(
            status="ok",
            version=version,
            uptime_s=round(clock() - started, 3),
            open_streams=relay.open_streams,
            upstreams=[
                status._asdict() | {"server": described(kinds.known(status.name))}
                for status in pool.statuses(clock())
            ],
        )

    @ops.get("/ready")
    def ready() -> tuple[Response, int]:
        if relay.draining:
            return jsonify(status="draining"), 503
        if not pool.has_usable(clock()):
            return jsonify(status="no upstream"), 503
        return jsonify(status="ready"), 200

    @ops.get("/metrics")
    def read_metrics() -> Response:
        relay.update_metrics()
        return Response(relay.run_in_thread(metrics.text), content_type=CONTENT_TYPE)

    @ops.get("/openapi.json")
    def openapi() -> Response:
        return Response(openapi_document(), content_type="application/json")

    return ops
