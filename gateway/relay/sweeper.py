"""Looks at all runs and deliveries about once a second. So no read has to start a timer.

The sweeper enforces the time limits, sends heartbeats and the lines of the summary that are due,
disconnects clients that have left or do not read, and forgets kept streams that are too old.
"""

import socket
from collections.abc import Callable, Collection, Mapping

import gevent

from gateway.config import Config
from gateway.errors import (
    ClientStalled,
    GatewayError,
    UpstreamTimeout,
    UpstreamTotalTimeout,
)
from gateway.relay.delivery import Delivery
from gateway.relay.kept import KeptStreams
from gateway.relay.run import Run, why_left
from gateway.server.sockets import hung_up

_MAX_INTERVAL_S = 1.0
_CATCH_UP_S = 0.05
"""Seconds for other greenlets after the process stood still; see Sweeper._sleep."""


class Sweeper:
    """Sweeps while there are runs, deliveries or kept streams."""

    def __init__(
        self,
        config: Config,
        runs: Mapping[str, Run],
        deliveries: Collection[Delivery],
        kept: KeptStreams,
        clock: Callable[[], float],
        on_sweep: Callable[[], None],
    ) -> None:
        """clock: monotonic seconds. on_sweep: called at each sweep, for the metrics."""
        self._config = config
        self._on_sweep = on_sweep
        self._runs = runs
        self._deliveries = deliveries
        self._kept = kept
        self._clock = clock
        self._greenlet: gevent.Greenlet | None = None
        limits = [config.heartbeat_s, config.stall_timeout_s]
        for upstream in config.effective_upstreams:
            limits += [
                upstream.first_byte_timeout_s,
                upstream.idle_timeout_s,
                upstream.total_timeout_s,
            ]
        self._interval_s = min(_MAX_INTERVAL_S, min(limits) / 4)

    def wake(self) -> None:
        """A run or a delivery was opened."""
        if not self._greenlet:
            self._greenlet = gevent.spawn(self._sweep_while_open)

    def _sweep_while_open(self) -> None:
        while self._runs or self._deliveries or self._kept:
            self._sleep()
            self._on_sweep()
            now = self._clock()
            self._kept.sweep(now)
            clients = (delivery.client for delivery in self._deliveries)
            gone = hung_up(client for client in clients if client)
            for delivery in list(self._deliveries):
                self._check_client(delivery, gone, now)
            for run in list(self._runs.values()):
                run.note_reads(now)
                if run.delivery is not None and run.delivery.left is not None:
                    continue
                if (error := _overdue(run, now)) is not None:
                    run.fail(error)
                elif events := run.turn.tick(now):
                    run.queue.publish(events, now)
            for delivery in list(self._deliveries):
                if delivery.left is None:
                    self._send_heartbeat(delivery, now)

    def _check_client(self, delivery: Delivery, gone: set[socket.socket], now: float) -> None:
        """Disconnects a client that is gone or does not read."""
        if delivery.client in gone:
            delivery.disconnect(why_left(delivery.client))
        elif delivery.has_stalled(now, self._config.stall_timeout_s):
            delivery.disconnect(ClientStalled())

    def _send_heartbeat(self, delivery: Delivery, now: float) -> None:
        due_after_s = self._config.heartbeat_s - self._interval_s / 2
        if _since(delivery.waiting_since, now) > due_after_s:
            delivery.source.wake()  # a reader that wakes up without events sends a heartbeat

    def _sleep(self) -> None:
        """Waits for the next sweep. A time in which the process stood still is no silence."""
        began = self._clock()
        gevent.sleep(self._interval_s)
        if self._clock() - began > 2 * self._interval_s:
            gevent.sleep(_CATCH_UP_S)  # lets the greenlets read the data that has arrived meanwhile


def _overdue(run: Run, now: float) -> GatewayError | None:
    """Returns the error if a run has exceeded one of its upstream's time limits."""
    limits = run.lease.config
    if now - run.context.started > limits.total_timeout_s:
        return UpstreamTotalTimeout("The answer took longer than the gateway allows.")
    if _since(run.calling_since, now) > limits.first_byte_timeout_s:
        return UpstreamTimeout(
            "The upstream did not begin to answer in time.", code="upstream_first_byte_timeout"
        )
    if run.calling_since is None and _since(run.reading_since, now) > limits.idle_timeout_s:
        return UpstreamTimeout(
            "The upstream fell silent in the middle of its answer.", code="upstream_idle_timeout"
        )
    return None


def _since(moment: float | None, now: float) -> float:
    return 0.0 if moment is None else now - moment
