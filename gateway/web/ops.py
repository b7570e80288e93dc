"""Routes for operators: health, readiness and metrics; and the OpenAPI document."""

from collections.abc import Callable, Sequence
from functools import cache

from flask import Blueprint, Response, jsonify

from gateway.apis import Api
from gateway.core.sse import dumps
from gateway.errors import NotFound
from gateway.observe.metrics import CONTENT_TYPE, Metrics
from gateway.observe.worker_views import WorkerViews
from gateway.relay.relay import Relay
from gateway.routing.kinds import KnownKinds
from gateway.routing.pool import Pool
from gateway.server.admin import is_admin
from gateway.upstreams.kinds import described
from gateway.web.openapi.document import document
from gateway.web.request import current_request

_ADMIN_PATHS = ("/health", "/ready", "/metrics")


def make_blueprint(
    apis: Sequence[Api],
    relay: Relay,
    pool: Pool,
    kinds: KnownKinds,
    metrics: Metrics,
    views: WorkerViews,
    clock: Callable[[], float],
    version: str,
    has_admin: bool,
) -> Blueprint:
    """Returns the routes, bound to the services they report on.

    clock: monotonic seconds. has_admin: operators have a listener of their own (ADMIN_BIND).
    """
    ops = Blueprint("ops", __name__)
    started = clock()

    @cache
    def openapi_document() -> str:
        """Cached because building it takes 10 ms."""
        return dumps(document(version, apis))

    def is_for_operators() -> bool:
        return not has_admin or is_admin(current_request().environ)

    @ops.before_app_request
    def check_listener() -> None:
        """The operators' listener serves only their paths; only it serves the metrics."""
        request = current_request()
        if is_admin(request.environ):
            if request.path not in _ADMIN_PATHS:
                raise NotFound("This listener serves only /health, /ready and /metrics.")
        elif has_admin and request.path == "/metrics":
            raise NotFound("The metrics are at the address of ADMIN_BIND.")

    @ops.get("/health")
    def health() -> Response:
        kinds.start_finding()
        if not is_for_operators():
            return jsonify(status="ok")
        relay.reporter.publish()
        return jsonify(
            status="ok",
            version=version,
            uptime_s=round(clock() - started, 3),
            open_streams=relay.open_streams,
            upstreams=[
                status.as_dict() | {"server": described(kinds.known(status.name))}
                for status in pool.statuses(clock())
            ],
            workers=views.all(),
        )

    @ops.get("/ready")
    def ready() -> tuple[Response, int]:
        if relay.draining:
            return jsonify(status="draining"), 503
        if not pool.has_usable(clock()):
            causes = {status.name: status.cause for status in pool.statuses(clock())}
            shown = {"causes": causes} if is_for_operators() else {}
            return jsonify(status="no upstream", **shown), 503
        return jsonify(status="ready"), 200

    @ops.get("/metrics")
    def read_metrics() -> Response:
        relay.reporter.update()
        return Response(relay.run_in_thread(metrics.text), content_type=CONTENT_TYPE)

    @ops.get("/openapi.json")
    def openapi() -> Response:
        return Response(openapi_document(), content_type="application/json")

    return ops
