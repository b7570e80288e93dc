"""Health checks: periodic calls, which find a dead upstream before a request fails on it."""

from collections.abc import Mapping
from typing import Any

import gevent

from gateway.config import Config
from gateway.errors import GatewayError, UpstreamTimeout
from gateway.routing.client import UpstreamClient
from gateway.routing.pool import Pool

_MAX_TIMEOUT_S = 5.0
"""Limit for a check, if the interval between two checks is not shorter."""


class HealthChecker:
    """The health checks of one worker."""

    def __init__(
        self, config: Config, pool: Pool, clients: Mapping[str, UpstreamClient], log: Any
    ) -> None:
        """clients: by the names of the upstreams."""
        self._names = [u.name for u in config.effective_upstreams if u.health_path]
        self._interval_s = config.health_interval_s
        self._pool = pool
        self._clients = clients
        self._log = log

    def start(self) -> None:
        """Starts a greenlet for each upstream that has a `health_path`."""
        for name in self._names:
            gevent.spawn(self._check_periodically, name)

    def check(self, name: str) -> None:
        """Calls one upstream and reports the result to the pool; logs it if it has changed."""
        limit_s = min(_MAX_TIMEOUT_S, self._interval_s)
        late = UpstreamTimeout("The upstream did not answer its health check in time.")
        fault: GatewayError | None = None
        try:
            with gevent.Timeout(limit_s, late):
                self._clients[name].check_health(limit_s)
        except GatewayError as error:
            fault = error
        if self._pool.set_healthy(name, fault is None, fault.message if fault else None):
            if fault is None:
                self._log.info("upstream is healthy again", upstream=name)
            else:
                self._log.warning("upstream is unhealthy", upstream=name, code=fault.code)

    def _check_periodically(self, name: str) -> None:
        while True:
            try:
                self.check(name)
            except Exception:  # a fault of the gateway must not end the checks
                self._log.exception("health check failed", upstream=name)
            gevent.sleep(self._interval_s)
