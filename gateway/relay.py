"""Joins the turns to the world: the only module that knows gevent.

Each open stream has a pump, a greenlet that reads the upstream, feeds the turn and appends to the
stream's log; the response reads the log. One sweeper a worker looks at all streams about once a
second: for time limits, heartbeats, and clients that have left or do not read. So no timer is
started per read.
"""

import fcntl
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import gevent
import gevent.event
import gevent.monkey

from gateway.choices import Choices
from gateway.config import Config
from gateway.dialects import Dialect
from gateway.errors import (
    ClientLeft,
    ClientStalled,
    Draining,
    Full,
    GatewayError,
    GatewayFault,
    UpstreamTimeout,
)
from gateway.events import Done, Event, Failed, Timings
from gateway.metrics import Metrics, Sent
from gateway.store import Log
from gateway.summarizers import Ask
from gateway.transport import Reply, Transport
from gateway.turn import Turn
from gateway.upstreams.chat import ChatUpstream
from gateway.upstreams.parts import Call
from gateway.writer import Writer

_MAX_SWEEP_S = 1.0
_REFUSAL_S = 1.0
"""So long the body of a refusal may take; its status is known already."""
_LINGER_S = 1.0
"""So long a finished answer may take to end its body."""
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
# The patched poll would switch greenlets to ask a question that never waits.
_poll = gevent.monkey.get_original("select", "poll")


class Stream:
    """One turn under way. Iterate it for its events, and close it whatever happens."""

    def __init__(
        self,
        relay: "Relay",
        id: str,
        turn: Turn | Choices,
        started: float,
        client: socket.socket | None,
        record: Mapping[str, Any],
        closed: Callable[[], None],
        sent: Sent,
    ) -> None:
        self.id = id
        self.record = record
        self.closed = closed
        self.sent = sent
        self.turn = turn
        self.started = started
        self.client = client
        self.log = Log(gevent.event.Event)
        self.answered = gevent.event.Event()
        """Set when the upstream has accepted the call, or will not."""
        self.refused: GatewayError | None = None
        self.pump: gevent.Greenlet | None = None
        self.writing: gevent.Greenlet | None = None
        """Waits for the summary model."""

        # Since when each side does what it does, None while it does not; the sweeper compares.
        self.calling_since: float | None = None
        self.reading_since: float | None = None
        self.waiting_since: float | None = None
        self.sending_since: float | None = None

        self.left: ClientLeft | None = None
        """Set when the client is gone, or was let go."""
        self.last: Done | Failed | None = None
        """The event that ended the stream, once it was sent."""
        self._relay = relay
        self._unsent = 0

    def wait_until_answered(self) -> None:
        """Returns when the upstream has accepted the call; raises what kept it from that."""
        self.answered.wait()
        if self.refused is not None:
            raise self.refused
        if self.left is not None:
            raise self.left

    def __iter__(self) -> Iterator[tuple[int, list[Event]]]:
        """The number of the first event and what has come; no events: a heartbeat is due."""
        while self.left is None:
            self.waiting_since = self._relay.clock()
            number, events = self.log.read()
            self.waiting_since = None
            if self.left is not None:
                return
            self.sending_since = self._relay.clock()
            yield number, events
            self.sending_since = None
            if events and isinstance(events[-1], Done | Failed):
                self.last = events[-1]
                self.close()  # before the client can see the end, so its place is free again
                return

    def looks_stalled(self, now: float, limit_s: float) -> bool:
        """Has the client taken nothing for so long? What it takes leaves the kernel's buffer."""
        if self.sending_since is None or self.client is None:
            return False
        if (unsent := _unsent_bytes(self.client)) != self._unsent:
            self._unsent = unsent
            self.sending_since = now
        return now - self.sending_since > limit_s

    def wrote(self, size: int) -> None:
        """So many bytes go to the client."""
        self.sent.write(size, self.sending_since or self._relay.clock())

    def elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return self.turn.elapsed_ms(self._relay.clock())

    def close(self) -> None:
        """Ends the turn if it has not ended, and with it the call to the upstream. Idempotent."""
        self._relay.close(self)


class Body:
    """A stream spelled in a dialect: what a WSGI server iterates and closes."""

    def __init__(self, stream: Stream, dialect: Dialect) -> None:
        self._stream = stream
        self._dialect = dialect

    def __iter__(self) -> Iterator[bytes]:
        stream = self._stream
        if first := self._dialect.begin():
            stream.wrote(len(first))
            yield first
        for number, events in stream:
            if events:
                frames = self._dialect.encode(number, events)
            else:
                frames = self._dialect.heartbeat(stream.elapsed_ms())
                stream.sent.heartbeat()
            if frames:
                stream.wrote(len(frames))
                yield frames

    def close(self) -> None:
        self._stream.close()


class Relay:
    """All open streams of one worker."""

    def __init__(
        self,
        config: Config,
        transport: Transport,
        writer: Writer | None,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
    ) -> None:
        self.clock = clock
        self.draining = False
        """Its worker takes no more connections; what comes on those that stand is still served."""
        self._stopped = False
        self._config = config
        self._transport = transport
        self._log = log
        self._metrics = metrics
        metrics.has_places(config.max_streams)
        self._writer = writer
        self._streams: dict[str, Stream] = {}
        self._sweeper: gevent.Greenlet | None = None
        shortest = min(
            config.heartbeat_s,
            config.first_byte_timeout_s,
            config.idle_timeout_s,
            config.total_timeout_s,
            config.stall_timeout_s,
        )
        self._sweep_s = min(_MAX_SWEEP_S, shortest / 4)

    @property
    def drain_timeout_s(self) -> float:
        """How long open streams may run on when the gateway is stopped."""
        return self._config.drain_timeout_s

    @property
    def open_streams(self) -> int:
        """How many streams are under way."""
        return len(self._streams)

    def open(
        self,
        id: str,
        turn: Turn | Choices,
        upstream: ChatUpstream,
        call: Call,
        *,
        started: float,
        client: socket.socket | None,
        record: Mapping[str, Any],
        closed: Callable[[], None],
    ) -> Stream:
        """Starts a turn: its first event is in the log when this returns.

        client: the socket to watch for a client that leaves. record: what the log is to say of the
        turn beside counts and times. closed: is called when the turn is over, however it ended.
        Raises Full or Draining.
        """
        if self._stopped:
            raise Draining("The gateway is being stopped; try again in a moment.")
        if len(self._streams) >= self._config.max_streams:
            raise Full("The gateway serves as many streams as it can; try again in a moment.")
        sent = Sent(self._metrics.written)
        stream = Stream(self, id, turn, started, client, record, closed, sent)
        stream.log.append(turn.start(self.clock()))
        self._streams[id] = stream
        stream.pump = gevent.spawn(self._pump, stream, upstream, call)
        if not self._sweeper:
            self._sweeper = gevent.spawn(self._sweep_while_open)
        return stream

    def close(self, stream: Stream) -> None:
        """Forgets a stream and stops its pump."""
        if self._streams.pop(stream.id, None) is None:
            return
        if stream.turn.ended and stream.pump:
            # The body's own end is about to come; read to it, the connection can be used again.
            gevent.spawn_later(_LINGER_S, stream.pump.kill, block=False)
        elif stream.pump is not None:
            stream.pump.kill(block=False)
        if stream.writing is not None:
            stream.writing.kill(block=False)
        record = {
            **stream.record,
            **_outcome(stream),
            **stream.turn.record(),
            **stream.sent.record(),
        }
        self._log.info("turn", stream=stream.id, **record)
        self._metrics.turn_ended(record)
        self._metrics.carry_over(len(self._streams))
        stream.closed()

    def stop(self) -> None:
        """Ends what is open with a failure, and takes no more."""
        self._stopped = True
        for stream in list(self._streams.values()):
            self._fail(stream, Draining("The gateway was stopped; send the request again."))

    def _pump(self, stream: Stream, upstream: ChatUpstream, call: Call) -> None:
        """Reads the upstream until the turn or its body has ended."""
        turn = stream.turn
        try:
            stream.calling_since = self.clock()
            with self._transport.send(call) as reply:
                if reply.status != 200:
                    raise upstream.refusal(reply.status, reply.headers, _beginning(reply))
                stream.answered.set()
                self._metrics.attempted(upstream.name, None)
                for lines in self._reads(stream, reply.batches()):
                    stream.log.append(turn.feed(lines, self.clock()))
                    if (ask := turn.ask(self.clock())) is not None:
                        stream.writing = gevent.spawn(self._write, stream, ask)
                stream.log.append(turn.close(self.clock()))
        except GatewayError as error:
            self._end(stream, error)
        except Exception:
            self._log.exception("pump failed", stream=stream.id)
            self._end(stream, GatewayFault("The gateway failed; its log says why."))
        finally:
            stream.calling_since = stream.reading_since = None
            stream.answered.set()

    def _write(self, stream: Stream, ask: Ask) -> None:
        """Asks the summary model, within its time, and tells the turn."""
        assert self._writer is not None, "only a summarizer with a writer asks"
        late = UpstreamTimeout("The summary model took too long.")
        with gevent.Timeout(self._writer.timeout_s, late):
            written = self._writer.write(ask, stream.id)
        stream.log.append(stream.turn.answer(written, self.clock()))

    def _end(self, stream: Stream, error: GatewayError) -> None:
        """The pump met an error: before the upstream accepted the call, or in the stream."""
        if not stream.answered.is_set():
            stream.refused = error
            self._metrics.attempted(stream.record["upstream"], error)
        try:
            events = stream.turn.fail(error, self.clock())
        except Exception:  # whatever state the turn is in, its reader must see an end
            self._log.exception("turn failed to fail", stream=stream.id)
            events = [Failed(error, Timings())]
        stream.log.append(events)

    def _reads(self, stream: Stream, batches: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
        """The batches, at the pace of the reader and with a turn for everybody else after each."""
        stream.reading_since = self.clock()
        for lines in batches:
            stream.calling_since = stream.reading_since = None
            yield lines
            stream.log.wait_for_room()
            gevent.sleep(0)
            stream.reading_since = self.clock()

    def _fail(self, stream: Stream, error: GatewayError) -> None:
        """Ends a stream from outside; its pump hands the error to the turn."""
        if stream.pump is not None:
            stream.pump.kill(error, block=False)

    def _sweep_while_open(self) -> None:
        while self._streams:
            gevent.sleep(self._sweep_s)
            self._metrics.carry_over(len(self._streams))
            now = self.clock()
            gone = self._hung_up()
            for stream in list(self._streams.values()):
                if stream.client in gone:
                    self._let_go(stream, ClientLeft("The client closed the connection."))
                elif stream.looks_stalled(now, self._config.stall_timeout_s):
                    self._let_go(stream, ClientStalled("The client does not read."))
                elif (error := self._overdue(stream, now)) is not None:
                    self._fail(stream, error)
                elif (
                    _since(stream.waiting_since, now) > self._config.heartbeat_s - self._sweep_s / 2
                ):
                    stream.log.nudge()

    def _overdue(self, stream: Stream, now: float) -> GatewayError | None:
        """The time limit that a stream has passed, if any."""
        config = self._config
        if now - stream.started > config.total_timeout_s:
            return UpstreamTimeout(
                "The answer took longer than the gateway allows.", code="upstream_total_timeout"
            )
        if _since(stream.calling_since, now) > config.first_byte_timeout_s:
            return UpstreamTimeout(
                "The upstream did not begin to answer in time.", code="upstream_first_byte_timeout"
            )
        if (
            stream.calling_since is None
            and _since(stream.reading_since, now) > config.idle_timeout_s
        ):
            return UpstreamTimeout(
                "The upstream fell silent in the middle of its answer.",
                code="upstream_idle_timeout",
            )
        return None

    def _hung_up(self) -> set[socket.socket]:
        """The clients that have closed their connection, also while nothing is sent to them."""
        poll = _poll()
        clients = {s.client.fileno(): s.client for s in self._streams.values() if s.client}
        for descriptor in clients:
            if descriptor >= 0:
                poll.register(descriptor, _HUNG_UP)
        return {clients[descriptor] for descriptor, _ in poll.poll(0)}

    def _let_go(self, stream: Stream, why: ClientLeft) -> None:
        """The client has left or does not read: what waits for it is woken and ends."""
        stream.left = why
        if stream.client is not None:
            # gevent's own shutdown would wake a waiting send with an error that gunicorn logs; the
            # plain socket's lets it end like any connection that was closed.
            plain = getattr(stream.client, "_sock", stream.client)
            with suppress(OSError):  # it may be gone already
                plain.shutdown(socket.SHUT_RDWR)
        stream.answered.set()
        stream.log.nudge()


def _unsent_bytes(client: socket.socket) -> int:
    """How much the kernel still holds for a client; 0 when that can't be told."""
    try:
        return int.from_bytes(
            fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, b"\0" * 4), sys.byteorder
        )
    except (OSError, ValueError):
        return 0


def _beginning(reply: Reply) -> bytes:
    """As much of a refusal's body as comes soon."""
    body = b""
    if reply.status < 400:
        return body
    with gevent.Timeout(_REFUSAL_S, False):
        for piece in reply.refusal():
            body += piece
    return body


def _since(moment: float | None, now: float) -> float:
    return 0.0 if moment is None else now - moment


def _outcome(stream: Stream) -> dict[str, Any]:
    """How a turn ended and, if not well, whose fault it was."""
    match stream.last:
        case Done(finish_reason):
            return {"end": "done", "finish_reason": finish_reason}
        case Failed(error):
            return {"end": "failed", "code": error.code, "blame": error.blame}
    if stream.refused is not None:
        return {"end": "refused", "code": stream.refused.code, "blame": stream.refused.blame}
    left = stream.left or ClientLeft("The client closed the connection.")
    return {"end": "left", "code": left.code, "blame": left.blame}
