"""One turn under way, as its response and its pump share it."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gevent
import gevent.event

from gateway.apis import Dialect
from gateway.core.choices import Choices
from gateway.core.events import Done, Event, Failed
from gateway.core.parts import Call
from gateway.core.turn import Turn
from gateway.errors import ClientLeft, GatewayError
from gateway.observe.metrics import WriteStats
from gateway.relay.event_queue import Log
from gateway.routing.pool import Lease
from gateway.server.response_socket import ResponseSocket
from gateway.server.sockets import close_connection, unsent_bytes
from gateway.transport.client import Reply
from gateway.upstreams.chat import ChatUpstream
from gateway.upstreams.lane import Lane, find_lane

_LAST = frozenset[type[Event]]([Done, Failed])
"""To look a type up takes an eighth of the time of an `isinstance` that is false."""


class Request(NamedTuple):
    """What a stream is opened for."""

    id: str
    model: str
    """As the client names it; "" if it names none."""
    call: Callable[[ChatUpstream, str], Call]
    """What to send to an upstream, for a model by the upstream's own name."""
    started: float
    client: socket.socket | None
    """The socket to watch for a client that leaves."""
    record: Callable[[Lease], Mapping[str, Any]]
    """What the log is to say of the turn beside counts and times, by the last lease."""
    closed: Callable[[Lease], None]
    """Called when the turn is over, however it ended."""


class Stream:
    """One turn under way. Iterate it for its events, and close it whatever happens."""

    def __init__(
        self,
        request: Request,
        turn: Turn | Choices,
        lease: Lease,
        sent: WriteStats,
        clock: Callable[[], float],
        close: Callable[["Stream"], None],
    ) -> None:
        self.id = request.id
        self.request = request
        self.turn = turn
        self.lease = lease
        self.sent = sent
        self.given_up: dict[str, str | None] = {}
        """The upstreams that were asked before, and the code of what each came to."""
        self.log = Log(gevent.event.Event)
        self.answered = gevent.event.Event()
        """Set when an upstream has accepted the call, or none will."""
        self.refused: GatewayError | None = None
        self.pump: gevent.Greenlet | None = None
        self.writing: gevent.Greenlet | None = None
        """Waits for the summary model."""

        self.reply: Reply | None = None
        """Of the upstream that is being read."""
        self._reads = 0

        # Since when each side does what it does, None while it does not; the sweeper compares.
        self.calling_since: float | None = None
        self.reading_since: float | None = None
        self.waiting_since: float | None = None
        self.sending_since: float | None = None

        self.left: ClientLeft | None = None
        """Set when the client is gone, or was let go."""
        self.last: Done | Failed | None = None
        """The event that ended the stream, once it was sent."""
        self._clock = clock
        self._close = close
        self._unsent = 0
        self._outlet: ResponseSocket | None = None
        self._dialect: Dialect
        self.lane: Lane | None = None
        """The short way for what comes next."""

    def wait_until_answered(self) -> None:
        """Returns when an upstream has accepted the call; raises what kept it from that."""
        self.answered.wait()
        if self.refused is not None:
            raise self.refused
        if self.left is not None:
            raise self.left

    def go_past_the_server(self, outlet: ResponseSocket, dialect: Dialect) -> None:
        """From now on, what happens while the reader waits is written to the client at once."""
        self._outlet, self._dialect = outlet, dialect

    @property
    def is_clear(self) -> bool:
        """Nothing stands between what is sent now and the client."""
        outlet = self._outlet
        return outlet is not None and self.log.is_taken and not outlet.has_unsent

    def tell(self, events: Sequence[Event], now: float) -> None:
        """What has happened: for the client at once, if nothing stands before it, or the log."""
        if not events:
            return
        if not self.is_clear or type(events[-1]) in _LAST:
            self.log.append(events)
        elif frames := self._dialect.encode(self.log.next, events):
            self.pass_on(frames, len(events), now)
        else:
            self.log.next += len(events)

    def pass_on(self, frames: bytes, count: int, now: float) -> None:
        """What so many events became is sent to the client at once; the way is clear."""
        outlet = self._outlet
        assert outlet is not None, "else the way is not clear"
        self.log.next += count
        self.waiting_since = now
        self.sent.write(len(frames), now)
        outlet.write_chunk_now(frames)
        if outlet.has_unsent:
            self.log.nudge()

    def find_lane(self, is_between_frames: bool) -> None:
        """Looks for the short way for what comes next, after something went the long one."""
        steady = self.turn.steady() if is_between_frames and self.is_clear else None
        self.lane = find_lane(self.lane, steady, self._dialect.around) if steady else None

    def __iter__(self) -> Iterator[tuple[int, list[Event]]]:
        """The number of the first event and what has come; no events: a heartbeat is due."""
        while self.left is None:
            self.waiting_since = self._clock()
            number, events = self.log.read()
            self.waiting_since = None
            if self.left is not None:
                return
            self.sending_since = self._clock()
            yield number, events
            self.sending_since = None
            if events and isinstance(events[-1], Done | Failed):
                self.last = events[-1]
                self.close()  # before the client can see the end, so its place is free again
                return

    def calls(self, now: float) -> None:
        """An upstream is asked."""
        self.calling_since, self.reading_since = now, None
        self.reply, self._reads = None, 0

    def hears(self, now: float) -> None:
        """Looks whether something has arrived: a line may come in many pieces."""
        if self.reply is not None and self.reply.reads != self._reads:
            self._reads = self.reply.reads
            self.calling_since = None
            if self.reading_since is not None:
                self.reading_since = now

    def looks_stalled(self, now: float, limit_s: float) -> bool:
        """Has the client taken nothing for so long? What it takes leaves the kernel's buffer."""
        client = self.request.client
        if self.sending_since is None or client is None:
            return False
        if (unsent := unsent_bytes(client)) != self._unsent:
            self._unsent = unsent
            self.sending_since = now
        return now - self.sending_since > limit_s

    def wrote(self, size: int) -> None:
        """So many bytes go to the client."""
        self.sent.write(size, self.sending_since or self._clock())

    def elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return self.turn.elapsed_ms(self._clock())

    def let_go(self, why: ClientLeft) -> None:
        """The client has left or does not read: what waits for it is woken and ends."""
        self.left = why
        if self.request.client is not None:
            close_connection(self.request.client)
        self.answered.set()
        self.log.nudge()

    def fail(self, error: GatewayError) -> None:
        """Ends the stream from outside; its pump hands the error to the turn."""
        if self.pump is not None:
            # By another greenlet: a pump that is killed before it began tells nobody.
            gevent.spawn(self.pump.kill, error, block=False)

    def close(self) -> None:
        """Ends the turn if it has not ended, and with it the call to the upstream. Idempotent."""
        self._close(self)

    def record(self) -> dict[str, Any]:
        """What the log says of the turn."""
        attempts: dict[str, Any] = {"attempts": len(self.given_up) + 1}
        if self.given_up:
            attempts["given_up"] = self.given_up
        return {
            **self.request.record(self.lease),
            "upstream": self.lease.upstream,
            **attempts,
            **self._outcome(),
            **self.turn.record(),
            **self.sent.record(),
        }

    def _outcome(self) -> dict[str, Any]:
        """How the turn ended and, if not well, whose fault it was."""
        match self.last:
            case Done(finish_reason):
                return {"end": "done", "finish_reason": finish_reason}
            case Failed(error):
                return {"end": "failed", "code": error.code, "blame": error.blame}
        if self.refused is not None:
            return {"end": "refused", "code": self.refused.code, "blame": self.refused.blame}
        left = self.left or ClientLeft("The client closed the connection.")
        return {"end": "left", "code": left.code, "blame": left.blame}


class Body:
    """A stream spelled in a dialect: what a WSGI server iterates and closes."""

    def __init__(self, stream: Stream, dialect: Dialect, outlet: ResponseSocket | None) -> None:
        """outlet: how the answer may go past the server once it has begun, if it may."""
        self._stream = stream
        self._dialect = dialect
        self._outlet = outlet

    def __iter__(self) -> Iterator[bytes]:
        stream, outlet = self._stream, self._outlet
        if first := self._dialect.begin():
            stream.wrote(len(first))
            yield first
        for number, events in stream:
            if outlet is not None and outlet.has_unsent:
                outlet.flush()
                if not events:
                    continue
            if events:
                frames = self._dialect.encode(number, events)
            else:
                frames = self._dialect.heartbeat(stream.elapsed_ms())
                stream.sent.heartbeat()
            if frames:
                stream.wrote(len(frames))
                yield frames
                if outlet is not None:
                    stream.go_past_the_server(outlet, self._dialect)

    def close(self) -> None:
        self._stream.close()
