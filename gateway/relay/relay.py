"""All runs of one worker, and its kept streams: opens them, counts them, ends them."""

import socket
from collections.abc import Callable, Mapping
from typing import Any, cast

import gevent

from gateway.apis import ChatRequest
from gateway.apis.kept import StreamInfo
from gateway.config import Config, Principal
from gateway.core.choices import Choices
from gateway.core.turn import Turn
from gateway.errors import (
    AlreadyAnswering,
    CannotAnswerNow,
    Draining,
    Full,
    KeyLimit,
    ModelNotAllowed,
)
from gateway.observe.metrics import Metrics, WriteStats
from gateway.observe.worker_views import WorkerViews
from gateway.relay.delivery import Delivery
from gateway.relay.event_queue import EventSource
from gateway.relay.ids import shown_id
from gateway.relay.kept import KeptStreams
from gateway.relay.pump import Pump
from gateway.relay.reporter import Reporter
from gateway.relay.run import RequestContext, Run
from gateway.relay.sweeper import Sweeper
from gateway.relay.thinking import ThinkingControl
from gateway.routing.pool import Pool
from gateway.server.response_socket import ResponseSocket, socket_for_direct_writes
from gateway.store.base import StreamStore

_OUR_SIDE = ("gateway", "upstream")
"""The sides whose faults are logged as warnings, for the operator."""
_LINGER_S = 1.0
"""Seconds that an upstream may take to end the body of a finished answer."""


class Relay:
    """All runs of one worker."""

    def __init__(
        self,
        config: Config,
        pool: Pool,
        pump: Pump,
        thinking: ThinkingControl,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
        views: WorkerViews,
        on_run_ended: Callable[[Run], None],
        kept: KeptStreams,
        store: StreamStore | None = None,
    ) -> None:
        """clock: monotonic seconds. on_run_ended: called with each run after its end."""
        self.draining = False
        """The worker accepts no new connections, but serves requests on its open ones."""
        self._stopped = False
        self._config = config
        self._pool = pool
        self._pump = pump
        self._thinking = thinking
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._on_run_ended = on_run_ended
        metrics.set_stream_limit(config.max_streams)
        self._runs: dict[str, Run] = {}
        self._deliveries: set[Delivery] = set()
        self.kept = kept
        self.reporter = Reporter(pool, self._runs, self.kept, clock, log, metrics, views, store)
        self._sweeper = Sweeper(
            config, self._runs, self._deliveries, self.kept, clock, self.reporter.update
        )
        self.reporter.update()

    @property
    def drain_timeout_s(self) -> float:
        """The seconds that open streams may go on while the gateway is being stopped."""
        return self._config.drain_timeout_s

    @property
    def open_streams(self) -> int:
        """The number of runs in progress."""
        return len(self._runs)

    def open(
        self,
        id: str,
        request: ChatRequest,
        context: RequestContext,
        turn: Turn | Choices,
        info: StreamInfo | None = None,
    ) -> Delivery:
        """Starts a run and its delivery, with the first event in the queue.

        info: keeps the stream, with this description; None: the stream is not kept.

        Raises Full, Draining, ModelNotAllowed, KeyLimit, or the errors of Pool.pick.
        """
        if self._stopped:
            raise Draining("The gateway is being stopped; try again in a moment.")
        if len(self._runs) >= self._config.max_streams:
            raise Full("The gateway serves as many streams as it can; try again in a moment.")
        self._check_limits(context.principal, request.model)
        lease = self._pool.pick(request.model, self._clock(), caller=context.caller)
        try:
            turn.call(lease.upstream, lease.model)
            kept = self.kept.add(info) if info is not None else None
            goes_on = info is not None and info.keep != "ended"
            run = Run(
                id,
                request,
                context,
                turn,
                lease,
                kept.log if kept is not None else None,
                goes_on=goes_on,
            )
            now = self._clock()
            run.queue.publish(turn.start(now), now)
        except BaseException:
            lease.drop()
            self.kept.forget(id)
            raise
        run.delivery = self._deliver(run.queue, context.client, context.started, run)
        self._runs[run.id] = run
        pump = self._pump.start(run)
        if kept is not None:
            kept.run = run
            pump.link(lambda _: self._pump_ended(run))
        return run.delivery

    def read(self, source: EventSource, client: socket.socket | None, started: float) -> Delivery:
        """Starts a delivery of a kept stream.

        client: the client's connection. started: when its request arrived, in monotonic seconds.

        Raises Full or Draining.
        """
        if self._stopped:
            raise Draining("The gateway is being stopped; try again in a moment.")
        if len(self._deliveries) >= self._config.max_streams:
            raise Full("The gateway serves as many streams as it can; try again in a moment.")
        return self._deliver(source, client, started)

    def _deliver(
        self,
        source: EventSource,
        client: socket.socket | None,
        started: float,
        run: Run | None = None,
    ) -> Delivery:
        stats = WriteStats(self._metrics.writes)
        delivery = Delivery(source, client, started, stats, self._clock, self._delivery_ended, run)
        self._deliveries.add(delivery)
        self._sweeper.wake()
        return delivery

    def find(self, id: str, principal: str) -> Run | None:
        """Returns a run in progress by its id, if it was opened with the key of this name."""
        run = self._runs.get(id)
        return run if run is not None and run.context.principal.name == principal else None

    def answer_now(self, run: Run) -> None:
        """Makes a run end its thinking. Idempotent. Raises AlreadyAnswering or CannotAnswerNow."""
        turn = run.turn
        if isinstance(turn, Choices):
            raise CannotAnswerNow("The stream has several choices, which think by themselves.")
        if turn.limit.why is None and turn.thinks:
            self._thinking.refresh_ways(run)
        if not turn.thinks:
            if turn.waits_for_answer:
                return
            raise AlreadyAnswering
        if not run.ways_left:
            raise CannotAnswerNow("The upstream has refused every way to end the thinking.")
        turn.limit.request()
        self._pump.look_for_effect(run)

    def served_name(self, model: str, principal: Principal) -> str:
        """See Pool.served_name."""
        return self._pool.served_name(model, principal.may_use)

    def check_served(self, model: str, principal: Principal) -> None:
        """Raises ModelNotAllowed or UnknownModel if a request for the model would."""
        self._check_allowed(model, principal)
        self._pool.check_served(model)

    def _check_allowed(self, model: str, principal: Principal) -> None:
        if not principal.may_use(model):
            raise ModelNotAllowed(model, principal.models)

    def _check_limits(self, principal: Principal, model: str) -> None:
        self._check_allowed(model, principal)
        limit = principal.max_streams
        if limit is not None:
            own = sum(run.context.principal.name == principal.name for run in self._runs.values())
            if own >= limit:
                raise KeyLimit(f"This key may have {limit} open streams; wait until one ends.")

    def _delivery_ended(self, delivery: Delivery) -> None:
        """A client has its answer or has left. Ends the run, unless it goes on. Idempotent."""
        if delivery not in self._deliveries:
            return
        self._deliveries.discard(delivery)
        delivery.source.close()
        run = delivery.run
        if run is None:
            return
        run.delivered = delivery.stats.record()
        if run.goes_on and not run.turn.ended and run.pump:
            run.delivery = None
        else:
            self._end(run)

    def _pump_ended(self, run: Run) -> None:
        """The pump of a kept run has ended. The delivery ends the run, if there still is one."""
        if run.delivery is None:
            self._end(run)

    def _end(self, run: Run) -> None:
        """Ends a run in any state. Idempotent."""
        if self._runs.pop(run.id, None) is None:
            return
        run.lease.drop()
        if run.turn.ended and run.pump:
            # The body is about to end. If it is read to its end, the connection can be used again.
            gevent.spawn_later(_LINGER_S, run.pump.kill, block=False)
        elif run.pump is not None:
            run.pump.kill(block=False)
        for call in (run.summary_call, run.control_call):
            if call is not None:
                call.kill(block=False)
        record = run.record() | run.delivered
        run.delivery = None  # a reference cycle, which only the garbage collector would find
        is_fault = record["end"] in ("failed", "refused") and record["blame"] in _OUR_SIDE
        log = self._log.warning if is_fault else self._log.info
        log("turn", stream=shown_id(run.id), **record)
        self._metrics.count_turn(record)
        self.kept.run_ended(run)
        if not self._runs:
            self.reporter.update()  # the sweeper may have stopped
        self._on_run_ended(run)

    def stop(self) -> None:
        """Fails every run, and refuses new ones."""
        self._stopped = True
        for run in list(self._runs.values()):
            run.fail(Draining("The gateway was stopped; send the request again."))

    def response_socket(self, environ: Mapping[str, Any]) -> ResponseSocket | None:
        """Returns the socket for direct writes of a response; None: there can be no such writes."""
        return socket_for_direct_writes(environ) if self._config.relay_driver == "auto" else None

    def run_in_thread(self, work: Callable[[], bytes]) -> bytes:
        """Runs a long computation in a thread, so that streams go on, and returns its result."""
        return cast(bytes, gevent.get_hub().threadpool.apply(work))
