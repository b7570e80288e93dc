"""Reports this worker's view of the upstreams to the metrics, the log and the other workers."""

from collections.abc import Callable, Sized
from typing import Any

import gevent

from gateway.observe.metrics import Metrics
from gateway.observe.worker_views import WorkerViews
from gateway.relay.kept import KeptStreams
from gateway.routing.pool import Pool, UpstreamStatus
from gateway.store.base import StreamStore

_INTERVAL_S = 0.25


class Reporter:
    """Reports for one worker."""

    def __init__(
        self,
        pool: Pool,
        runs: Sized,
        kept: KeptStreams,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
        views: WorkerViews,
        store: StreamStore | None = None,
    ) -> None:
        """runs: the runs in progress. clock: monotonic seconds."""
        self._store = store
        self._pool = pool
        self._runs = runs
        self._kept = kept
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._views = views
        self._known: dict[str, UpstreamStatus] = {}

    def start(self) -> None:
        """Starts a greenlet that publishes regularly, because breakers also change by time."""
        gevent.spawn(self._publish_periodically)

    def update(self) -> None:
        """Flushes the metrics, and publishes."""
        self._metrics.flush(len(self._runs), len(self._kept), self._kept.size_bytes)
        self._metrics.set_store(up=self._store is None or self._store.status().up)
        self.publish()

    def publish(self) -> None:
        """Publishes the changes of the upstreams' states, and this worker's view."""
        now = self._clock()
        statuses = self._pool.statuses(now)
        for status in statuses:
            known = self._known.get(status.name)
            if known == status:
                continue
            self._known[status.name] = status
            self._metrics.set_upstream(
                status.name,
                breaker=status.breaker,
                in_order=status.healthy and status.reachable and not status.key_refused,
                open_streams=status.open_streams,
                models_out=len(status.models),
            )
            if known is not None and known.breaker != status.breaker:
                self._log.warning("breaker", upstream=status.name, state=status.breaker)
        view: dict[str, Any] = {
            "open_streams": len(self._runs),
            "kept_streams": len(self._kept),
            "kept_bytes": self._kept.size_bytes,
            "upstreams": [status.as_dict() for status in statuses],
        }
        if self._store is not None:
            up, error = self._store.status()
            view["stream_store"] = "reached" if up else f"away: {error}"
        self._views.publish(view, now)

    def _publish_periodically(self) -> None:
        while True:
            try:
                self.publish()
            except Exception:
                self._log.exception("report failed")
            gevent.sleep(_INTERVAL_S)
