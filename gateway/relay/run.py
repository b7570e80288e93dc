"""A run: the upstream's half of a turn in progress.

A run calls upstreams, feeds the turn and publishes events. It is not bound to the client's
connection: a :class:`gateway.relay.delivery.Delivery` reads the run's queue and writes to the
client. If the client leaves, its delivery ends, and the relay decides whether the run ends.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent
import gevent.event

from gateway.apis import ChatRequest
from gateway.config import Principal
from gateway.core.choices import Choices
from gateway.core.events import Done, Failed
from gateway.core.turn import Turn
from gateway.errors import ClientLeft, ClientStalled, GatewayError
from gateway.relay.event_log import EventLog
from gateway.relay.event_queue import EventQueue
from gateway.routing.pool import Lease
from gateway.server.sockets import has_timed_out
from gateway.transport.client import Reply
from gateway.upstreams import Way

if TYPE_CHECKING:
    from gateway.relay.delivery import Delivery

_MAX_LOGGED_NAME = 200
_FIRST_WORD_S = 0.25
"""Seconds after status 200 in which an error can still become the status of the response."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The origin of a request. Log, metrics and limits use it."""

    request_id: str
    started: float
    """When the request arrived, in monotonic seconds."""
    principal: Principal
    """The client, identified by its key."""
    client: socket.socket | None
    """The client's connection, to notice that the client has left."""
    caller: str = ""
    """The client's name for the breakers: its key's, or its address if there are no keys."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """The headers of the client's trace, which are sent to the upstream too."""


class Run:
    """One turn in progress: its upstream's half."""

    def __init__(
        self,
        id: str,
        request: ChatRequest,
        context: RequestContext,
        turn: Turn | Choices,
        lease: Lease,
        log: EventLog | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        """log: records the events of a kept run. goes_on: the run goes on if its client leaves."""
        self.id = id
        self.request = request
        self.context = context
        self.turn = turn
        self.lease = lease
        """The right to call the present upstream."""
        self.log = log
        self.goes_on = goes_on
        self.queue = EventQueue(gevent.event.Event, log, is_bounded=not goes_on)
        self.delivery: Delivery | None = None
        """The delivery to the client that opened the run; None once it has ended."""
        self.delivered: dict[str, Any] = {}
        """The figures of that delivery for the log, once it has ended."""
        self.failed_attempts: dict[str, str | None] = {}
        """Name of an upstream that failed before → its error code."""
        self.answered = gevent.event.Event()
        """Set while the present upstream has answered with a status 2xx."""
        self.accepted = gevent.event.Event()
        """Set when the model has begun to write, or when it is certain that no model will."""
        self.refused: GatewayError | None = None
        """The last upstream's error, if no upstream has accepted the call."""
        self.pump: gevent.Greenlet | None = None
        self.summary_call: gevent.Greenlet | None = None
        self.control_call: gevent.Greenlet | None = None
        """The greenlet that calls the upstream to end the thinking."""
        self.ways_left: list[Way] = []
        """The ways to end the thinking that have not failed, in the order of preference."""
        self.way: Way | None = None
        """The way in which the thinking was ended."""
        self.continued_from: str | None = None
        """The name of the upstream that has broken off, if another one has continued the answer."""
        self.drops_budget = False
        """The upstream has refused the request with the budget, so it is sent without."""
        self.sent_budget = False
        """The present request has the budget in the upstream's own member."""
        self.lost_thoughts_at: str | None = None
        """The name of the upstream that has refused the request without the model's thoughts."""
        self.thoughts_replaced = 0
        """The number of messages with a stand-in for lost thoughts."""
        self.is_armed = False
        """The request has asked the upstream to accept control calls."""

        self.reply: Reply | None = None
        """The answer that is being read."""
        self._reads = 0
        # The start of the present call or read, in monotonic seconds; None if there is none. The
        # sweeper compares them with the upstream's time limits.
        self.calling_since: float | None = None
        self.reading_since: float | None = None

    def wait_until_accepted(self) -> None:
        """Waits until an upstream has accepted the call. Raises the error if none has.

        Some servers answer 200 and send a rate limit as the first event. So after the status, it
        waits a moment for the model's first word or an error.
        """
        while not self.accepted.is_set():
            self.answered.wait()
            if not self.accepted.wait(_FIRST_WORD_S) and self.answered.is_set():
                self.accepted.set()
        if self.refused is not None:
            raise self.refused
        if self.delivery is not None and self.delivery.left is not None:
            raise self.delivery.left

    def accept(self) -> None:
        """The status of the response is certain now: ends :meth:`wait_until_accepted`."""
        self.accepted.set()
        self.answered.set()

    def on_attempt(self, now: float) -> None:
        """The pump calls an upstream."""
        self.answered.clear()
        self.calling_since, self.reading_since = now, None
        self.reply, self._reads = None, 0

    def on_read(self, now: float) -> None:
        """A piece of the upstream's answer has arrived."""
        self.calling_since, self.reading_since = None, now

    def note_reads(self, now: float) -> None:
        """Counts reads that completed no line as signs of life: a line may come in many pieces."""
        if self.reply is not None and self.reply.reads != self._reads:
            self._reads = self.reply.reads
            self.calling_since = None
            if self.reading_since is not None:
                self.reading_since = now

    def fail(self, error: GatewayError) -> None:
        """Ends the run from outside: its pump hands the error to the turn."""
        if self.pump is not None:
            # gevent 26.9: a greenlet that is killed before it has begun never runs its body. The
            # new greenlet runs after the pump has begun.
            gevent.spawn(self.pump.kill, error, block=False)

    def record(self) -> dict[str, Any]:
        """Returns the fields of the run's log line."""
        record: dict[str, Any] = {
            "request": self.context.request_id,
            "key": self.context.principal.name,
            "format": self.request.dialect,
            "model": self.request.model[:_MAX_LOGGED_NAME],
            "upstream": self.lease.upstream,
            "attempts": len(self.failed_attempts) + 1,
        }
        if self.failed_attempts:
            record["given_up"] = self.failed_attempts
        if self.way is not None:
            record["way"] = self.way
        if self.thoughts_replaced:
            record["thoughts_replaced"] = self.thoughts_replaced
        if self.continued_from is not None:
            record["continued_from"] = self.continued_from
        return record | self._outcome() | self.turn.record()

    def _outcome(self) -> dict[str, Any]:
        """Returns the end of the run as its client has seen it, for the log."""
        if self.delivery is not None and (outcome := self.delivery.outcome()):
            return outcome
        if self.goes_on and self.log is not None and self.log.end is not None:
            return outcome_of(self.log.end)
        if self.refused is not None:
            refused = self.refused
            return {
                "end": "refused",
                "status": refused.status,
                "code": refused.code,
                "blame": refused.blame,
            }
        left = (self.delivery and self.delivery.left) or why_left(self.context.client)
        return {"end": "left", "code": left.code, "blame": left.blame}


def outcome_of(end: Done | Failed) -> dict[str, Any]:
    """Returns the end of a stream, for the log."""
    match end:
        case Done(finish_reason):
            return {"end": "done", "finish_reason": finish_reason}
        case Failed(error):
            return {"end": "failed", "code": error.code, "blame": error.blame}


def why_left(client: socket.socket | None) -> ClientLeft:
    """Returns the reason why a connection is closed.

    With many clients, the kernel may notice a stalled one before the gateway does.
    """
    if client is not None and has_timed_out(client):
        return ClientStalled()
    return ClientLeft()
