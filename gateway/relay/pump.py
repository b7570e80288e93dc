"""The pump of a run: a greenlet that asks upstreams until one answers, and feeds the turn.

    upstream's socket → transport/lines → upstreams/chat_reader → core/turn → the run's queue

Two drivers read the body. The plain one, here, iterates requests' `iter_lines` and serves
everything; the callback driver takes over where both sockets are plain ones.
"""

from collections.abc import Callable, Mapping
from typing import Any

import gevent

from gateway.config import Config
from gateway.core.effects import AskSummaryModel, Effect
from gateway.core.events import Done, Event, Failed, Timings
from gateway.errors import (
    AnswerTooLong,
    GatewayError,
    GatewayFault,
    UpstreamRefused,
    UpstreamTimeout,
)
from gateway.observe.metrics import Metrics
from gateway.relay.callback_driver import read_body
from gateway.relay.run import Run
from gateway.relay.summary_writer import SummaryWriter
from gateway.relay.thoughts import body_for
from gateway.routing.client import UpstreamClient
from gateway.routing.pool import Pool, may_retry
from gateway.transport.client import Reply

_REFUSAL_S = 1.0
"""Seconds that the body of a refusal may take; its status is known already."""


class Pump:
    """Drives runs, each in a greenlet of its own."""

    def __init__(
        self,
        config: Config,
        pool: Pool,
        upstreams: Mapping[str, UpstreamClient],
        summary_writer: SummaryWriter | None,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
    ) -> None:
        """upstreams: by their names in the pool."""
        self._max_attempts = config.max_attempts
        self._max_answer_bytes = config.max_answer_bytes
        self._uses_callbacks = config.relay_driver == "auto"
        self._pool = pool
        self._upstreams = upstreams
        self._summary_writer = summary_writer
        self._clock = clock
        self._log = log
        self._metrics = metrics

    def start(self, run: Run) -> None:
        """Starts the run's greenlet."""
        run.pump = gevent.spawn(self._drive, run)

    def _drive(self, run: Run) -> None:
        """Asks upstreams until the turn has ended."""
        try:
            while (error := self._attempt(run)) is not None:
                if not self._fail_over(run, error):
                    self._end(run, error)
                    break
        except Exception:
            self._log.exception("pump failed", stream=run.id)
            self._end(run, GatewayFault("The gateway failed; its log says why."))
        finally:
            run.lease.drop()
            run.calling_since = run.reading_since = None
            run.accept()

    def _attempt(self, run: Run) -> GatewayError | None:
        """Asks the leased upstream and reads its answer; returns what went wrong."""
        turn = run.turn
        accepted = False
        upstream, transport = self._upstreams[run.lease.upstream]
        run.on_attempt(self._clock())
        body = body_for(run.request, run.lease.config, run.lease.model)
        call = upstream.completion(body, run.lease.model, run.context.request_id)
        try:
            with transport.send(call) as reply:
                if not 200 <= reply.status < 300:
                    raise upstream.refusal(reply.status, reply.headers, _refusal_body(reply))
                accepted = True
                self._metrics.count_attempt(upstream.name, None)
                run.answered.set()
                try:
                    self._read(run, reply)
                except GatewayError:
                    now = self._clock()
                    run.queue.publish(turn.feed(reply.partial_line(), now), now)
                    raise
                now = self._clock()
                self.on_events(run, turn.close(now), now)
        except GatewayError as error:
            if not accepted:
                self._metrics.count_attempt(upstream.name, error)
            if _refuses_key(error):
                self._log.error(
                    "upstream refused the gateway's key",
                    upstream=run.lease.upstream,
                    stream=run.id,
                    hint=error.message,
                )
            return error
        return None

    def _read(self, run: Run, reply: Reply) -> None:
        """Feeds the turn until the body has ended, at the client's pace."""
        run.reply, run.reading_since = reply, self._clock()
        for lines in reply.batches():
            now = self._clock()
            run.on_read(now)
            self.on_events(run, run.turn.feed(lines, now), now)
            if self._uses_callbacks and (body := reply.chunked_socket()) is not None:
                while not body.ended:
                    self._wait_for_room(run)
                    read_body(run, body, self, self._clock)
                return
            self._wait_for_room(run)
            gevent.sleep(0)  # a socket that always has data never lets other greenlets run

    def on_events(self, run: Run, events: list[Event], now: float) -> bool:
        """Hands on what the turn made of a read; False: the client is too far behind for more.

        Raises what broke in the stream.
        """
        turn = run.turn
        if turn.ended:
            run.lease.succeed()
        elif turn.model_ran and not run.lease.has_output:
            run.lease.note_output()
            run.accept()
        run.queue.publish(events, now)
        if turn.fault is not None:
            raise turn.fault
        if turn.answer_bytes > self._max_answer_bytes and not turn.ended:
            raise AnswerTooLong(self._max_answer_bytes)
        if (effect := turn.next_effect(now)) is not None:
            self._perform(run, effect)
        return run.queue.has_room

    def _perform(self, run: Run, effect: Effect) -> None:
        match effect:
            case AskSummaryModel():
                run.summary_call = gevent.spawn(self._ask_summary_model, run, effect)

    def _ask_summary_model(self, run: Run, ask: AskSummaryModel) -> None:
        """Asks the summary model, within its time limit, and hands the turn its reply."""
        writer = self._summary_writer
        assert writer is not None, "only a summarizer that has a model asks"
        late = UpstreamTimeout("The summary model took too long.")
        with gevent.Timeout(writer.timeout_s, late):
            reply = writer.write(ask, run.id)
        now = self._clock()
        run.queue.publish(run.turn.take_summary_reply(reply, now), now)

    def _wait_for_room(self, run: Run) -> None:
        """Waits while the client is too far behind."""
        if not run.queue.has_room:
            run.reading_since = None
            run.queue.wait_for_room()
            run.reading_since = self._clock()

    def _fail_over(self, run: Run, error: GatewayError) -> bool:
        """Leases the next upstream, if the run may go to another one and there is one."""
        tried = [*run.failed_attempts, run.lease.upstream]
        turn = run.turn
        if turn.model_ran or turn.ended or len(tried) >= self._max_attempts:
            return False
        if not may_retry(error):
            return False
        if _refuses_key(error):
            tried += self._pool.sharing_key(run.lease.upstream)
        now = self._clock()
        run.lease.fail(error, now)
        try:
            lease = self._pool.pick(run.request.model, now, tried)
        except GatewayError:
            return False  # the error itself says more than that no upstream is left
        run.failed_attempts[run.lease.upstream] = error.code
        run.lease = lease
        turn.call(lease.upstream, lease.model)
        return True

    def _end(self, run: Run, error: GatewayError) -> None:
        """Fails the turn, before an upstream accepted the call or in the stream."""
        # Behind a status 200, only an error that names a status of its own becomes one.
        has_status = not run.answered.is_set() or isinstance(error, UpstreamRefused)
        if has_status and not run.accepted.is_set():
            run.refused = error
        now = self._clock()
        try:
            events = run.turn.fail(error, now)
        except Exception:  # whatever state the turn is in, the client must see an end
            self._log.exception("turn failed to fail", stream=run.id)
            events = [Failed(error.info, Timings())]
        if events and isinstance(events[-1], Done):
            run.lease.succeed()
        else:
            run.lease.fail(error, now)
        run.queue.publish(events, now)


def _refuses_key(error: GatewayError) -> bool:
    return isinstance(error, UpstreamRefused) and error.cause == "key"


def _refusal_body(reply: Reply) -> bytes:
    """As much of a refusal's body as comes soon."""
    body = b""
    if reply.status < 400:
        return body
    with gevent.Timeout(_REFUSAL_S, False):
        for piece in reply.error_body():
            body += piece
    return body
