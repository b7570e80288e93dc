"""Looks at all open streams about once a second: for time limits, heartbeats, and clients that have
left or do not read. So no timer is started per read."""

import select
import socket
from collections.abc import Callable, Mapping

import gevent

from gateway.config import Config
from gateway.errors import (
    ClientLeft,
    ClientStalled,
    GatewayError,
    UpstreamTimeout,
    UpstreamTotalTimeout,
)
from gateway.relay.stream import Stream
from gateway.transport.session import poll

_MAX_SWEEP_S = 1.0
_CATCH_UP_S = 0.05
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class Sweeper:
    """Runs while streams are open."""

    def __init__(
        self,
        config: Config,
        streams: Mapping[str, Stream],
        clock: Callable[[], float],
        count: Callable[[], None],
    ) -> None:
        """count: called at each look, for what is counted now and then."""
        self._config = config
        self._count = count
        self._streams = streams
        self._clock = clock
        self._sweeping: gevent.Greenlet | None = None
        limits = [config.heartbeat_s, config.stall_timeout_s]
        for upstream in config.effective_upstreams:
            limits += [
                upstream.first_byte_timeout_s,
                upstream.idle_timeout_s,
                upstream.total_timeout_s,
            ]
        self._every_s = min(_MAX_SWEEP_S, min(limits) / 4)

    def wake(self) -> None:
        """A stream was opened."""
        if not self._sweeping:
            self._sweeping = gevent.spawn(self._sweep_while_open)

    def _sweep_while_open(self) -> None:
        config = self._config
        while self._streams:
            self._sleep()
            self._count()
            now = self._clock()
            gone = self._hung_up()
            for stream in list(self._streams.values()):
                stream.hears(now)
                if stream.request.client in gone:
                    stream.let_go(ClientLeft("The client closed the connection."))
                elif stream.looks_stalled(now, config.stall_timeout_s):
                    stream.let_go(ClientStalled("The client does not read."))
                elif (error := _overdue(stream, now)) is not None:
                    stream.fail(error)
                elif _since(stream.waiting_since, now) > config.heartbeat_s - self._every_s / 2:
                    stream.log.nudge()

    def _sleep(self) -> None:
        """Until the next look. Nobody is judged by the time in which the process stood still."""
        began = self._clock()
        gevent.sleep(self._every_s)
        if self._clock() - began > 2 * self._every_s:
            gevent.sleep(_CATCH_UP_S)  # in which what has come meanwhile is read

    def _hung_up(self) -> set[socket.socket]:
        """The clients that have closed their connection, also while nothing is sent to them."""
        asked = poll()
        sockets = (stream.request.client for stream in self._streams.values())
        clients = {client.fileno(): client for client in sockets if client}
        for descriptor in clients:
            if descriptor >= 0:
                asked.register(descriptor, _HUNG_UP)
        return {clients[descriptor] for descriptor, _ in asked.poll(0)}


def _overdue(stream: Stream, now: float) -> GatewayError | None:
    """The time limit of its upstream that a stream has passed, if any."""
    limits = stream.lease.config
    if now - stream.request.started > limits.total_timeout_s:
        return UpstreamTotalTimeout("The answer took longer than the gateway allows.")
    if _since(stream.calling_since, now) > limits.first_byte_timeout_s:
        return UpstreamTimeout(
            "The upstream did not begin to answer in time.", code="upstream_first_byte_timeout"
        )
    if stream.calling_since is None and _since(stream.reading_since, now) > limits.idle_timeout_s:
        return UpstreamTimeout(
            "The upstream fell silent in the middle of its answer.", code="upstream_idle_timeout"
        )
    return None


def _since(moment: float | None, now: float) -> float:
    return 0.0 if moment is None else now - moment
