"""Asks the upstreams now and then whether they are well, so that a dead one is known before a user
finds it."""

from collections.abc import Mapping
from typing import Any

import gevent

from gateway.config import Config
from gateway.errors import GatewayError, UpstreamTimeout
from gateway.routing.client import Endpoint
from gateway.routing.pool import Pool

_PATIENCE_S = 5.0


class Checkup:
    """The health checks of one worker. Nothing is asked until it is started."""

    def __init__(
        self, config: Config, pool: Pool, endpoints: Mapping[str, Endpoint], log: Any
    ) -> None:
        self._names = [upstream.name for upstream in config.served if upstream.health_path]
        self._every_s = config.health_interval_s
        self._pool = pool
        self._endpoints = endpoints
        self._log = log

    def start(self) -> None:
        """From now on the upstreams that have a `health_path` are asked."""
        for name in self._names:
            gevent.spawn(self._watch, name)

    def _watch(self, name: str) -> None:
        while True:
            self.check(name)
            gevent.sleep(self._every_s)

    def check(self, name: str) -> None:
        """Asks an upstream, and tells the pool what came of it."""
        limit_s = min(_PATIENCE_S, self._every_s)
        late = UpstreamTimeout("The upstream did not answer its health check in time.")
        fault: GatewayError | None = None
        try:
            with gevent.Timeout(limit_s, late):
                self._endpoints[name].check(limit_s)
        except GatewayError as error:
            fault = error
        if self._pool.mark(name, healthy=fault is None):
            if fault is None:
                self._log.info("upstream is well again", upstream=name)
            else:
                self._log.warning("upstream is not well", upstream=name, code=fault.code)
