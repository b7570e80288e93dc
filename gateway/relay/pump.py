"""The pump of a run: a greenlet that calls upstreams until one answers, and feeds the turn.

    upstream's socket → transport/lines → upstreams/chat_reader → core/turn → the run's queue

Two drivers read the body. The plain one, in this module, iterates requests' `iter_lines` and works
with every connection. The callback driver takes over if both sockets are plain ones.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import gevent
import msgspec
from msgspec.structs import replace

from gateway.config import Config
from gateway.core.call import Call
from gateway.core.effects import AskSummaryModel, Effect, EndThinking, StopSummaryModel
from gateway.core.events import Done, Event, Failed, Timings
from gateway.core.turn import Turn
from gateway.errors import (
    AnswerTooLong,
    GatewayError,
    GatewayFault,
    UpstreamRefused,
    UpstreamTimeout,
)
from gateway.observe.metrics import Metrics
from gateway.relay.callback_driver import read_body
from gateway.relay.ids import shown_id
from gateway.relay.run import Run
from gateway.relay.summary_writer import SummaryStopped, SummaryWriter
from gateway.relay.thinking import CutThinking, ThinkingControl, is_about_the_request
from gateway.routing.client import UpstreamClient
from gateway.routing.kinds import KnownKinds
from gateway.routing.pool import Lease, Pool, may_retry
from gateway.transport.client import Reply
from gateway.upstreams import Way

_CONTROL_S = 2.0
"""Seconds that a server has to begin its answer after a control call."""
_REFUSAL_S = 1.0
"""Seconds that the body of a refusal may take; its status is known already."""


class Pump:
    """Drives runs, each in its own greenlet."""

    def __init__(
        self,
        config: Config,
        pool: Pool,
        upstreams: Mapping[str, UpstreamClient],
        thinking: ThinkingControl,
        kinds: KnownKinds,
        summary_writer: SummaryWriter,
        clock: Callable[[], float],
        log: Any,
        metrics: Metrics,
    ) -> None:
        """upstreams: by their names in the pool."""
        self._max_attempts = config.max_attempts
        self._max_answer_bytes = config.max_answer_bytes
        self._continues_broken = config.continue_broken
        self._uses_callbacks = config.relay_driver == "auto"
        self._pool = pool
        self._upstreams = upstreams
        self._thinking = thinking
        self._kinds = kinds
        self._summary_writer = summary_writer
        self._clock = clock
        self._log = log
        self._metrics = metrics

    def start(self, run: Run) -> gevent.Greenlet:
        """Starts the run's greenlet, and returns it."""
        run.pump = gevent.spawn(self._drive, run)
        return run.pump

    def _drive(self, run: Run) -> None:
        """Calls upstreams until the turn has ended."""
        try:
            problem = self._attempt(run, self._thinking.first_call_body(run))
            while problem is not None:
                if isinstance(problem, CutThinking):
                    problem = self._answer_now(run)
                elif run.sent_budget and is_about_the_request(problem) and not run.turn.model_ran:
                    problem = self._attempt_without_budget(run)
                elif self._may_lack_thoughts(run, problem):
                    problem = self._attempt_with_stand_ins(run)
                elif self._fail_over(run, problem):
                    problem = self._attempt(run, self._thinking.first_call_body(run))
                elif self._take_over(run, problem):
                    problem = self._go_on(run, problem)
                else:
                    self._end(run, problem)
                    break
        except Exception:
            self._log.exception("pump failed", stream=shown_id(run.id))
            self._end(run, GatewayFault())
        finally:
            run.lease.drop()
            run.calling_since = run.reading_since = None
            run.accept()

    def _attempt_without_budget(self, run: Run) -> GatewayError | CutThinking | None:
        """Calls the same upstream again without the budget, because some refuse its member."""
        run.drops_budget = True
        run.turn.call(run.lease.upstream, run.lease.model)
        problem = self._attempt(run, self._thinking.first_call_body(run))
        if run.answered.is_set():
            self._thinking.note_budget_refused(run)
        return problem

    def _may_lack_thoughts(self, run: Run, problem: GatewayError) -> bool:
        is_refusal = is_about_the_request(problem) and not run.turn.model_ran
        return is_refusal and self._thinking.can_replace_thoughts(run)

    def _attempt_with_stand_ins(self, run: Run) -> GatewayError | CutThinking | None:
        """Calls the same upstream again, with stand-ins for lost thoughts."""
        run.lost_thoughts_at = run.lease.upstream
        run.turn.call(run.lease.upstream, run.lease.model)
        problem = self._attempt(run, self._thinking.first_call_body(run))
        if run.answered.is_set():
            self._thinking.note_thoughts_needed(run)
        return problem

    def _answer_now(self, run: Run) -> GatewayError | CutThinking | None:
        """Cuts the thinking, and asks the same upstream for the answer in the remaining ways.

        The connection of the first answer is closed already, so its slot at the server is free.
        """
        turn, lease = run.turn, run.lease
        assert isinstance(turn, Turn), "several choices are never cut"
        now = self._clock()
        ways = [way for way in run.ways_left if way != "control"]
        run.queue.publish(turn.cut(now, is_prefill=ways[0] == "prefill"), now)
        while True:
            run.way = ways.pop(0)
            bytes_before = turn.answer_bytes
            turn.continue_with(lease.upstream, lease.model, is_prefill=run.way == "prefill")
            problem = self._attempt(run, self._thinking.second_body(run, run.way), run.way)
            if not isinstance(problem, UpstreamRefused) or not is_about_the_request(problem):
                return problem
            if turn.answer_bytes > bytes_before:
                return problem
            self._thinking.note_way_refused(run, run.way)
            if not ways:
                return problem

    def _attempt(
        self, run: Run, body: Mapping[str, Any], way: Way | None = None
    ) -> GatewayError | CutThinking | None:
        """Calls the leased upstream and reads its answer.

        Returns None if the answer is complete, else its error or its cut. way: the way of a second
        answer; None for a first one.
        """
        turn = run.turn
        accepted = False
        upstream, transport = self._upstreams[run.lease.upstream]
        run.on_attempt(self._clock())
        try:
            # No variable refers to the call, so that its body is freed once it is sent.
            with transport.send(self._call(run, body, way)) as reply:
                if not 200 <= reply.status < 300:
                    raise upstream.refusal(reply.status, reply.headers, _refusal_body(reply))
                accepted = True
                self._metrics.count_attempt(upstream.name, None)
                self._kinds.note_headers(upstream.name, reply.headers)
                run.answered.set()
                try:
                    self._read(run, reply)
                except GatewayError:
                    now = self._clock()
                    run.queue.publish(turn.feed(reply.partial_line(), now), now)
                    raise
                now = self._clock()
                self.on_events(run, turn.close(now), now)
        except CutThinking as cut:
            return cut
        except GatewayError as error:
            if not accepted:
                self._metrics.count_attempt(upstream.name, error)
            if _refuses_key(error):
                self._log.error(
                    "upstream refused the gateway's key",
                    upstream=run.lease.upstream,
                    stream=shown_id(run.id),
                    hint=error.message,
                )
            return error
        return None

    def _call(self, run: Run, body: Mapping[str, Any], way: Way | None) -> Call:
        """Returns the request to the leased upstream."""
        upstream = self._upstreams[run.lease.upstream].upstream
        call = upstream.completion(body, run.lease.model, run.context.request_id)
        call = call if way is None else self._thinking.second_call(run, way, call)
        if not run.context.trace:
            return call
        return replace(call, headers={**call.headers, **run.context.trace})

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
            # gevent 26.9: a socket that always has data never lets other greenlets run.
            gevent.sleep(0)

    def on_events(self, run: Run, events: list[Event], now: float) -> bool:
        """Publishes the events of a read. Returns False if the client is too far behind for more.

        Raises the fault of the turn, AnswerTooLong or CutThinking.
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
            case StopSummaryModel():
                if run.summary_call is not None:
                    run.summary_call.kill(SummaryStopped, block=False)
            case EndThinking():
                self._end_thinking(run)

    def _end_thinking(self, run: Run) -> None:
        """Ends the thinking in the first remaining way. Raises CutThinking if that is a cut."""
        match run.ways_left:
            case []:
                assert isinstance(run.turn, Turn), "several choices have no limit"
                run.turn.limit.give_up()
            case ["control", *_]:
                run.control_call = gevent.spawn(self._call_control, run)
            case _:
                raise CutThinking

    def look_for_effect(self, run: Run) -> None:
        """Performs the turn's effect soon, without waiting for the next read."""
        gevent.get_hub().loop.run_callback(self._look_in_hub, run)

    def _look_in_hub(self, run: Run) -> None:
        """Performs the turn's effect. In the hub, no other greenlet runs before the cut."""
        effect = run.turn.next_effect(self._clock())
        if effect is None or not run.pump:
            return
        try:
            self._perform(run, effect)
        except CutThinking as cut:
            run.pump.throw(cut)

    def _call_control(self, run: Run) -> None:
        """Calls the upstream to end the thinking. If the thinking goes on, tries the next way."""
        turn = run.turn
        assert isinstance(turn, Turn), "several choices have no limit"
        lease = run.lease
        upstream, transport = self._upstreams[lease.upstream]
        call = upstream.control(turn.answer_id, lease.model, run.id)
        run.way = "control"
        with suppress(GatewayError, ValueError):
            with transport.send(call, _CONTROL_S) as reply:
                done = reply.status == 200 and msgspec.json.decode(reply.read())
            if isinstance(done, dict) and done.get("success") is True:
                gevent.sleep(_CONTROL_S)
        if turn.thinks and not turn.ended:
            if run.lease is lease:  # another upstream may have continued the answer meanwhile
                run.ways_left = [way for way in run.ways_left if way != "control"]
            turn.limit.ask_again()
            self.look_for_effect(run)

    def _ask_summary_model(self, run: Run, ask: AskSummaryModel) -> None:
        """Calls the summary model, within its time limit, and feeds its reply to the turn."""
        writer = self._summary_writer
        late = UpstreamTimeout("The summary model took too long.")
        with gevent.Timeout(writer.timeout_s, late):
            reply = writer.write(ask, run)
        now = self._clock()
        run.queue.publish(run.turn.take_summary_reply(reply, now), now)

    def _wait_for_room(self, run: Run) -> None:
        """Waits while the client is too far behind."""
        if not run.queue.has_room:
            run.reading_since = None
            run.queue.wait_for_room()
            run.reading_since = self._clock()

    def _fail_over(self, run: Run, error: GatewayError) -> bool:
        """Leases the next upstream, if another one may be tried and there is one."""
        tried = [*run.failed_attempts, run.lease.upstream]
        turn = run.turn
        if turn.model_ran or turn.ended or len(tried) >= self._max_attempts:
            return False
        if not may_retry(error):
            return False
        if _refuses_key(error):
            tried += self._pool.sharing_key(run.lease.upstream)
        lease = self._lease_next(run, error, tried)
        if lease is None:
            return False
        run.failed_attempts[run.lease.upstream] = error.code
        run.lease = lease
        turn.call(lease.upstream, lease.model)
        return True

    def _lease_next(
        self,
        run: Run,
        error: GatewayError,
        tried: list[str],
        is_able: Callable[[Lease], bool] = lambda lease: True,
    ) -> Lease | None:
        """Fails the run's lease, and returns the lease of another upstream; None: none is left.

        In that case the client gets `error`, which says more than the error of Pool.pick. is_able:
        whether an upstream can take this run.
        """
        now = self._clock()
        run.lease.fail(error, now)
        while True:
            try:
                lease = self._pool.pick(run.request.model, now, tried, run.context.caller)
            except GatewayError:
                return None
            if is_able(lease):
                return lease
            lease.drop()
            tried.append(lease.upstream)

    def _take_over(self, run: Run, error: GatewayError) -> bool:
        """Leases an upstream that can continue where this one has broken off, if there is one."""
        turn = run.turn
        may = self._continues_broken and run.continued_from is None and may_retry(error)
        if not may or isinstance(error, AnswerTooLong) or not isinstance(turn, Turn):
            return False
        broken_in = turn.broken_in
        if broken_in is None:
            return False
        tried = [*run.failed_attempts, run.lease.upstream]
        lease = self._lease_next(
            run, error, tried, lambda lease: self._thinking.can_take_over(run, lease, broken_in)
        )
        if lease is None:
            return False
        now = self._clock()
        run.queue.publish(turn.break_off(now), now)
        if turn.broken_in != broken_in:  # the held text has ended the thinking
            lease.drop()
            return False
        run.failed_attempts[run.lease.upstream] = error.code
        run.continued_from, run.lease = run.lease.upstream, lease
        turn.take_over(lease.upstream, lease.model, broken_in)
        return True

    def _go_on(self, run: Run, broke: GatewayError) -> GatewayError | CutThinking | None:
        """Calls the upstream that takes over. If that refuses, returns the first one's error."""
        turn = run.turn
        bytes_before = turn.answer_bytes
        problem = self._attempt(run, self._thinking.taken_over_body(run), "prefill")
        if isinstance(problem, UpstreamRefused) and turn.answer_bytes == bytes_before:
            if is_about_the_request(problem):
                self._thinking.note_way_refused(run, "prefill")
            return broke
        return problem

    def _end(self, run: Run, error: GatewayError) -> None:
        """Fails the turn, before an upstream has accepted the call or later."""
        # After a status 200, only an error with a status can still set the response's status.
        has_status = not run.answered.is_set() or isinstance(error, UpstreamRefused)
        if has_status and not run.accepted.is_set():
            run.refused = error
        now = self._clock()
        try:
            events = run.turn.fail(error, now)
        except Exception:  # the client must see an end, even if the turn has a bug
            self._log.exception("turn failed to fail", stream=shown_id(run.id))
            events = [Failed(error.info, Timings())]
        if events and isinstance(events[-1], Done):
            run.lease.succeed()
        else:
            run.lease.fail(error, now)
        run.queue.publish(events, now)


def _refuses_key(error: GatewayError) -> bool:
    return isinstance(error, UpstreamRefused) and error.cause == "key"


def _refusal_body(reply: Reply) -> bytes:
    """Returns the part of a refusal's body that arrives within a second; b"" below status 400."""
    body = b""
    if reply.status < 400:
        return body
    with gevent.Timeout(_REFUSAL_S, False):
        for piece in reply.error_body():
            body += piece
    return body
