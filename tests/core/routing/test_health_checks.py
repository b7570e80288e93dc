"""What the health checks do when something is wrong."""

from collections.abc import Mapping
from typing import Any

import gevent

from gateway.config import Config, UpstreamConfig
from gateway.routing.client import UpstreamClient
from gateway.routing.health_checks import HealthChecker
from gateway.routing.pool import Pool


class Faulty:
    """A client with a fault of its own, which no error of the gateway describes."""

    def __init__(self) -> None:
        self.checks = 0

    def check_health(self, timeout_s: float) -> None:
        self.checks += 1
        if self.checks == 3:
            raise gevent.GreenletExit  # ends the checks of this test
        raise ZeroDivisionError


class Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def exception(self, event: str, **_: Any) -> None:
        self.lines.append(event)


def test_a_fault_of_the_gateway_does_not_end_the_checks() -> None:
    config = Config(
        upstreams=(UpstreamConfig(name="a", url="http://a.test", health_path="/health"),),
        health_interval_s=0.01,
    )
    faulty, log = Faulty(), Log()
    clients: Mapping[str, UpstreamClient] = {"a": faulty}  # type: ignore[dict-item]
    pool = Pool(config.upstreams, breaker_failures=3, breaker_open_s=30)
    HealthChecker(config, pool, clients, log).start()
    with gevent.Timeout(20):
        while faulty.checks < 3:
            gevent.sleep(0.01)
    assert log.lines[:2] == ["health check failed", "health check failed"]
