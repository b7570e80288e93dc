"""Joins the turns to the world.

Each open stream has a pump, a greenlet that asks one upstream after the other until one answers,
feeds the turn and appends to the stream's log; the response reads the log.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gevent

from gateway.config import Config
from gateway.core.choices import Choices
from gateway.core.events import Done, Event, Failed, Timings
from gateway.core.summarizers import Ask
from gateway.core.turn import Turn
from gateway.errors import Draining, Full, GatewayError, GatewayFault, UpstreamTimeout
from gateway.observe.metrics import Metrics, Sent
from gateway.relay import callback_driver
from gateway.relay.stream import Request, Stream
from gateway.relay.summary_writer import Writer
from gateway.relay.sweeper import Sweeper
from gateway.routing.breaker import State
from gateway.routing.client import UpstreamClient
from gateway.routing.pool import Pool, may_retry
from gateway.server.response_socket import Outlet, outlet
from gateway.transport.client import Reply

_REFUSAL_S = 1.0
"""So long the body of a refusal may take; its status is known already."""
_LINGER_S = 1.0
"""So long a finished answer may take to end its body."""


class Relay:
    """All open streams of one worker."""

    def __init__(
        self,
        config: Config,
        pool: Pool,
        upstreams: Mapping[str, UpstreamClient],
        writer: Writer | None,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
    ) -> None:
        """upstreams: by the names of the upstreams in the pool."""
        self.draining = False
        """Its worker takes no more connections; what comes on those that stand is still served."""
        self._stopped = False
        self._clock = clock
        self._config = config
        self._pool = pool
        self._upstreams = upstreams
        self._writer = writer
        self._is_direct = config.relay_driver == "auto"
        self._log = log
        self._metrics = metrics
        metrics.has_places(config.max_streams)
        self._streams: dict[str, Stream] = {}
        self._breakers: dict[str, State] = {}
        self._sweeper = Sweeper(config, self._streams, clock, self.count)
        self.count()

    @property
    def drain_timeout_s(self) -> float:
        """How long open streams may run on when the gateway is stopped."""
        return self._config.drain_timeout_s

    @property
    def open_streams(self) -> int:
        """How many streams are under way."""
        return len(self._streams)

    def open(self, request: Request, turn: Turn | Choices) -> Stream:
        """Starts a turn: its first event is in the log when this returns.

        Raises Full, Draining, or what Pool.pick raises.
        """
        if self._stopped:
            raise Draining("The gateway is being stopped; try again in a moment.")
        if len(self._streams) >= self._config.max_streams:
            raise Full("The gateway serves as many streams as it can; try again in a moment.")
        lease = self._pool.pick(request.model, self._clock())
        try:
            turn.call(lease.upstream, lease.model)
            sent = Sent(self._metrics.written)
            stream = Stream(request, turn, lease, sent, self._clock, self.close)
            stream.log.append(turn.start(self._clock()))
        except BaseException:
            lease.drop()
            raise
        self._streams[stream.id] = stream
        stream.pump = gevent.spawn(self._pump, stream)
        self._sweeper.wake()
        return stream

    def outlet(self, environ: Mapping[str, Any]) -> Outlet | None:
        """How the answer to a request may go past the server, if it may."""
        return outlet(environ) if self._is_direct else None

    def aside(self, work: Callable[[], bytes]) -> bytes:
        """Does what computes for long in a thread, so that the streams go on."""
        return cast(bytes, gevent.get_hub().threadpool.apply(work))

    def close(self, stream: Stream) -> None:
        """Forgets a stream and stops its pump."""
        if self._streams.pop(stream.id, None) is None:
            return
        stream.lease.drop()
        if stream.turn.ended and stream.pump:
            # The body's own end is about to come; read to it, the connection can be used again.
            gevent.spawn_later(_LINGER_S, stream.pump.kill, block=False)
        elif stream.pump is not None:
            stream.pump.kill(block=False)
        if stream.writing is not None:
            stream.writing.kill(block=False)
        record = stream.record()
        self._log.info("turn", stream=stream.id, **record)
        self._metrics.turn_ended(record)
        if not self._streams:
            self.count()  # nobody sweeps any more
        stream.request.closed(stream.lease)

    def stop(self) -> None:
        """Ends what is open with a failure, and takes no more."""
        self._stopped = True
        for stream in list(self._streams.values()):
            stream.fail(Draining("The gateway was stopped; send the request again."))

    def _pump(self, stream: Stream) -> None:
        """Asks upstreams until the turn has ended."""
        try:
            while (error := self._attempt(stream)) is not None:
                if not self._move_on(stream, error):
                    self._end(stream, error)
                    break
        except Exception:
            self._log.exception("pump failed", stream=stream.id)
            self._end(stream, GatewayFault("The gateway failed; its log says why."))
        finally:
            stream.lease.drop()
            stream.calling_since = stream.reading_since = None
            stream.answered.set()

    def _attempt(self, stream: Stream) -> GatewayError | None:
        """Asks the upstream that is leased and reads its answer; gives what went wrong."""
        turn = stream.turn
        accepted = False
        upstream, transport = self._upstreams[stream.lease.upstream]
        stream.calls(self._clock())
        try:
            with transport.send(stream.request.call(upstream, stream.lease.model)) as reply:
                if reply.status != 200:
                    raise upstream.refusal(reply.status, reply.headers, _beginning(reply))
                accepted = True
                self._metrics.attempted(upstream.name, None)
                stream.answered.set()
                try:
                    self._read(stream, reply)
                except GatewayError:
                    now = self._clock()
                    stream.tell(turn.feed(reply.partial_line(), now), now)
                    raise
                now = self._clock()
                self.tell(stream, turn.close(now), now)
        except GatewayError as error:
            if not accepted:
                self._metrics.attempted(upstream.name, error)
            return error
        return None

    def _write(self, stream: Stream, ask: Ask) -> None:
        """Asks the summary model, within its time, and tells the turn."""
        assert self._writer is not None, "only a summarizer with a writer asks"
        late = UpstreamTimeout("The summary model took too long.")
        with gevent.Timeout(self._writer.timeout_s, late):
            written = self._writer.write(ask, stream.id)
        now = self._clock()
        stream.tell(stream.turn.answer(written, now), now)

    def tell(self, stream: Stream, events: Sequence[Event], now: float) -> None:
        """Hands on what the turn made of a read. Raises what broke in it."""
        turn = stream.turn
        if turn.ended:
            stream.lease.succeed()
        elif turn.model_ran and not stream.lease.has_output:
            stream.lease.note_output()
        stream.tell(events, now)
        if turn.fault is not None:
            raise turn.fault

    def _move_on(self, stream: Stream, error: GatewayError) -> bool:
        """Leases the next upstream, if the turn may still go to another and there is one."""
        tried = [*stream.given_up, stream.lease.upstream]
        turn = stream.turn
        if turn.model_ran or turn.ended or len(tried) >= self._config.max_attempts:
            return False
        if not may_retry(error):
            return False
        now = self._clock()
        stream.lease.fail(error, now)
        try:
            lease = self._pool.pick(stream.request.model, now, tried)
        except GatewayError:
            return False  # what went wrong says more than that nobody is left
        stream.given_up[stream.lease.upstream] = error.code
        stream.lease = lease
        turn.call(lease.upstream, lease.model)
        return True

    def _end(self, stream: Stream, error: GatewayError) -> None:
        """The pump met an error: before an upstream accepted the call, or in the stream."""
        if not stream.answered.is_set():
            stream.refused = error
        now = self._clock()
        try:
            events = stream.turn.fail(error, now)
        except Exception:  # whatever state the turn is in, its reader must see an end
            self._log.exception("turn failed to fail", stream=stream.id)
            events = [Failed(error, Timings())]
        if events and isinstance(events[-1], Done):
            stream.lease.succeed()
        else:
            stream.lease.fail(error, now)
        stream.log.append(events)

    def count(self) -> None:
        """Tells the metrics what is not counted as it happens."""
        self._metrics.carry_over(len(self._streams))
        for status in self._pool.statuses(self._clock()):
            name, state = status.name, status.breaker
            if (known := self._breakers.get(name)) != state:
                self._breakers[name] = state
                self._metrics.breaker(name, state)
                if known is not None:
                    self._log.warning("breaker", upstream=name, state=state)

    def _read(self, stream: Stream, reply: Reply) -> None:
        """Feeds the turn until the body has ended, at the pace of its reader."""
        stream.reply, stream.reading_since = reply, self._clock()
        for lines in reply.batches():
            self.take(stream, lines)
            if self._is_direct and (wire := reply.chunked_socket()) is not None:
                while not wire.ended:
                    self._wait_for_room(stream)
                    callback_driver.read(stream, wire, self, self._clock)
                return
            self._wait_for_room(stream)
            gevent.sleep(0)  # a socket that always has something never lets others run

    def take(self, stream: Stream, lines: list[bytes]) -> bool:
        """Feeds the turn with one read; false: its reader is too far behind for more."""
        now = self._clock()
        stream.calling_since, stream.reading_since = None, now
        self.tell(stream, stream.turn.feed(lines, now), now)
        self.ask(stream, now)
        return stream.log.has_room

    def ask(self, stream: Stream, now: float) -> None:
        """Asks the summary model what the turn wants to know of it, if anything."""
        if (ask := stream.turn.ask(now)) is not None:
            stream.writing = gevent.spawn(self._write, stream, ask)

    def _wait_for_room(self, stream: Stream) -> None:
        """Until the reader is near enough."""
        if not stream.log.has_room:
            stream.reading_since = None
            stream.log.wait_for_room()
            stream.reading_since = self._clock()


def _beginning(reply: Reply) -> bytes:
    """As much of a refusal's body as comes soon."""
    body = b""
    if reply.status < 400:
        return body
    with gevent.Timeout(_REFUSAL_S, False):
        for piece in reply.error_body():
            body += piece
    return body
