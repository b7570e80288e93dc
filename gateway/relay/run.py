"""A run: one turn under way, as its upstream side sees it.

A run asks upstreams, feeds the turn and publishes events. It is not its connection: what a client
receives is a :class:`gateway.relay.delivery.Delivery`, which reads the run's queue. A client that
leaves ends its delivery; what becomes of the run is decided by the relay.
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
    """Where a request comes from; it goes with the run into the log, the metrics and the limits."""

    request_id: str
    started: float
    """When the request arrived, in monotonic seconds."""
    principal: Principal
    """The client, as its key names it."""
    client: socket.socket | None
    """The client's connection, to notice that the client has left."""
    caller: str = ""
    """Names the client for the breakers: by its key, or by its address where there are no keys."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """Headers of its trace, which the upstream gets as well."""


class Run:
    """One turn under way."""

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
        """log: where a kept run records its events. goes_on: it does not end with its client."""
        self.id = id
        self.request = request
        self.context = context
        self.turn = turn
        self.lease = lease
        """The right to ask the upstream that is asked now."""
        self.log = log
        self.goes_on = goes_on
        self.queue = EventQueue(gevent.event.Event, log, is_bounded=not goes_on)
        self.delivery: Delivery | None = None
        """To the client that opened it; None once that has left."""
        self.delivered: dict[str, Any] = {}
        """What that delivery wrote, for the log, once it is over."""
        self.failed_attempts: dict[str, str | None] = {}
        """The upstreams that failed before this one → the error code of each."""
        self.answered = gevent.event.Event()
        """Set while the upstream that is asked has answered with status 200."""
        self.accepted = gevent.event.Event()
        """Set when the model has begun to speak, or none will."""
        self.refused: GatewayError | None = None
        """What kept every upstream from accepting the call."""
        self.pump: gevent.Greenlet | None = None
        self.summary_call: gevent.Greenlet | None = None
        self.control_call: gevent.Greenlet | None = None
        """Tells the upstream to end the thinking."""
        self.ways_left: list[Way] = []
        """The ways to end the thinking that have not failed, in the order of preference."""
        self.way: Way | None = None
        """The way in which the thinking was ended."""
        self.continued_from: str | None = None
        """The upstream that has broken off in the middle of the answer, before another went on."""
        self.drops_budget = False
        """The upstream has refused the request while it held a budget in the upstream's member."""
        self.sent_budget = False
        """The upstream was sent a budget in its own member."""
        self.lost_thoughts_at: str | None = None
        """The upstream that has refused the request while thoughts of the model were missing."""
        self.thoughts_replaced = 0
        """Messages with a text in the place of thoughts that are gone."""
        self.is_armed = False
        """The upstream was asked to listen for control calls."""

        self.reply: Reply | None = None
        """The answer that is being read."""
        self._reads = 0
        # Since when the run has been at it, in monotonic seconds; None while it is not. The
        # sweeper compares them with the upstream's time limits.
        self.calling_since: float | None = None
        self.reading_since: float | None = None

    def wait_until_accepted(self) -> None:
        """Returns when an upstream has accepted the call. Raises what kept it from that.

        Some servers answer 200 and send a rate limit as the first event. So the model's first word,
        or an error, is awaited for a moment after the status.
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
        """The status of the response is decided: nothing waits for it any more."""
        self.accepted.set()
        self.answered.set()

    def on_attempt(self, now: float) -> None:
        """An upstream is asked."""
        self.answered.clear()
        self.calling_since, self.reading_since = now, None
        self.reply, self._reads = None, 0

    def on_read(self, now: float) -> None:
        """Something of the upstream's answer has arrived."""
        self.calling_since, self.reading_since = None, now

    def note_reads(self, now: float) -> None:
        """Notices reads that completed no line: a line may arrive in many pieces."""
        if self.reply is not None and self.reply.reads != self._reads:
            self._reads = self.reply.reads
            self.calling_since = None
            if self.reading_since is not None:
                self.reading_since = now

    def fail(self, error: GatewayError) -> None:
        """Ends the run from outside: its pump hands the error to the turn."""
        if self.pump is not None:
            # gevent 26.9: a greenlet that is killed before it has begun never runs its body. By
            # another greenlet, the kill comes after the start.
            gevent.spawn(self.pump.kill, error, block=False)

    def record(self) -> dict[str, Any]:
        """The log line of the run."""
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
        """How the run ended, for its client."""
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
    """How a stream ended, for the log."""
    match end:
        case Done(finish_reason):
            return {"end": "done", "finish_reason": finish_reason}
        case Failed(error):
            return {"end": "failed", "code": error.code, "blame": error.blame}


def why_left(client: socket.socket | None) -> ClientLeft:
    """Why a connection is gone. In a crowd the kernel may be the first to find a client stalled."""
    if client is not None and has_timed_out(client):
        return ClientStalled()
    return ClientLeft()
