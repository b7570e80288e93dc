"""Calls the summary model: performs the effect AskSummaryModel.

This is the model at SUMMARIZER_URL or, without that setting, the model of the turn itself.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

import gevent

from gateway.config import Config, plain_name
from gateway.core.effects import AskSummaryModel, SummaryReply
from gateway.core.families import FAMILIES, Families, SegmentKind, TextReading
from gateway.core.parts import Content, Fault, Part, Reasoning, Usage
from gateway.core.summarizers.replies import thinks_aloud
from gateway.errors import GatewayError, UpstreamError, UpstreamRefused
from gateway.relay.run import Run
from gateway.relay.thinking import is_about_the_request
from gateway.routing.breaker import Breaker
from gateway.routing.client import UpstreamClient
from gateway.routing.kinds import KnownKinds
from gateway.upstreams.thinking import without_thinking

_NO_REPLY = SummaryReply(None)
_STOPPED = SummaryReply("")
_NOT_MADE = SummaryReply(None, was_made=False)
_MAX_MODELS = 1000
"""Models that are remembered; a new one replaces the oldest."""


class SummaryStopped(Exception):
    """Thrown into a call that is not needed any more, or has to make room for a stream."""


class SummaryWriter(Protocol):
    """The interface for the pump. A failed call has no effect on streams and their breakers."""

    timeout_s: float

    def write(self, ask: AskSummaryModel, run: Run) -> SummaryReply:
        """Returns the model's reply, or one without a text. May wait.

        While it waits, SummaryStopped may be thrown into the greenlet.
        """


class ServerWriter:
    """Calls the model at SUMMARIZER_URL, with a separate breaker."""

    def __init__(
        self,
        config: Config,
        client: UpstreamClient,
        families: Families,
        clock: Callable[[], float],
    ) -> None:
        """client: the server of the summary model."""
        self.timeout_s = config.summarizer_timeout_s
        self._model = config.summarizer_model or ""
        self._client = client
        self._families = families
        self._clock = clock
        self._breaker = Breaker(config.breaker_failures, config.breaker_open_s)

    def write(self, ask: AskSummaryModel, run: Run) -> SummaryReply:
        """See SummaryWriter."""
        breaker = self._breaker
        if not breaker.allows(self._clock()):
            return _NOT_MADE
        generation = breaker.begin()
        try:
            reading = self._families.reading(self._client.upstream.name, self._model)
            parts = _parts(self._client, _body(ask), self._model, run.id)
            reply, _ = _read(reading, parts)
        except GatewayError:
            breaker.fail(generation, self._clock())
            return _NO_REPLY
        except SummaryStopped:
            breaker.drop(generation)
            return _STOPPED
        except BaseException:  # the stream has ended, and with it this greenlet
            breaker.drop(generation)
            raise
        breaker.succeed(generation)
        return reply


class UpstreamWriter:
    """Calls the turn's own model at the turn's own upstream, with thinking turned off.

    A call is only made if the upstream has a free place. After a failed call, the model is not
    called for a while. A model whose thinking can't be turned off is never called again.
    """

    def __init__(
        self,
        config: Config,
        clients: Mapping[str, UpstreamClient],
        kinds: KnownKinds,
        families: Families,
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        """clients: by the names of the upstreams."""
        self.timeout_s = config.summarizer_timeout_s
        self._rest_s = config.breaker_open_s
        self._clients = clients
        self._kinds = kinds
        self._families = families
        self._clock = clock
        self._log = log
        self._rests_until: dict[tuple[str, str], float] = {}
        """Upstream and model → the time of the next call, in monotonic seconds."""
        self._has_written: dict[tuple[str, str], None] = {}
        """Upstream and model of successful calls."""

    def write(self, ask: AskSummaryModel, run: Run) -> SummaryReply:
        """See SummaryWriter."""
        lease, now = run.lease, self._clock()
        model = lease.model or run.request.model
        key = (lease.upstream, model)
        if now < self._rests_until.get(key, 0):
            return _NOT_MADE
        if self._always_thinks(model):
            self._give_up(key, "the model can't be told not to think")
            return _NOT_MADE
        stop = partial(gevent.getcurrent().kill, SummaryStopped, block=False)
        place = lease.spare(now, stop)
        if place is None:
            return _NOT_MADE
        try:
            with place:
                return self._call(ask, key, run.id)
        except GatewayError as error:
            if is_about_the_request(error) and key not in self._has_written:
                self._give_up(key, "the server refuses a request with thinking turned off")
            else:
                self._rest(key, error)
            return _NO_REPLY
        except SummaryStopped:
            return _STOPPED

    def _call(self, ask: AskSummaryModel, key: tuple[str, str], request_id: str) -> SummaryReply:
        upstream, model = key
        body = without_thinking(self._kinds.find(upstream), _body(ask))
        reading = self._families.reading(upstream, model, body)
        parts = _parts(self._clients[upstream], body, model, request_id)
        reply, has_thought = _read(reading, parts, stops_at_thoughts=True)
        if has_thought or thinks_aloud(reply.text or ""):
            self._give_up(key, "the model thinks although it is told not to")
            return SummaryReply("", reply.usage)
        self._note(self._has_written, key, None)
        return reply

    def _always_thinks(self, model: str) -> bool:
        family = self._families.find(model)
        is_listed = family in FAMILIES  # an operator's own family only describes the markers
        return is_listed and (family.name == "harmony" or family.thinks_always(plain_name(model)))

    def _rest(self, key: tuple[str, str], error: GatewayError) -> None:
        asked = error.retry_after_s if isinstance(error, UpstreamRefused) else None
        self._note(self._rests_until, key, self._clock() + max(asked or 0, self._rest_s))
        self._log.debug("summary not written", upstream=key[0], model=key[1], code=error.code)

    def _give_up(self, key: tuple[str, str], why: str) -> None:
        self._note(self._rests_until, key, float("inf"))
        self._log.warning("summaries stay extractive", upstream=key[0], model=key[1], why=why)

    def _note(self, notes: dict[tuple[str, str], Any], key: tuple[str, str], value: Any) -> None:
        notes.pop(key, None)
        if len(notes) >= _MAX_MODELS:
            del notes[next(iter(notes))]
        notes[key] = value


def _body(ask: AskSummaryModel) -> dict[str, Any]:
    return {"messages": ask.messages, "max_tokens": ask.max_tokens, "temperature": 0}


def _parts(
    client: UpstreamClient, body: Mapping[str, Any], model: str, request_id: str
) -> Iterator[Part]:
    """Yields the parts of an answer as they arrive. Raises GatewayError."""
    upstream, transport = client
    reader = upstream.reader()
    with transport.send(upstream.completion(body, model, request_id)) as answer:
        if not 200 <= answer.status < 300:
            raise upstream.refusal(answer.status, answer.headers, b"".join(answer.error_body()))
        for lines in answer.batches():
            yield from reader.feed(lines)
    yield from reader.close()


def _read(
    reading: TextReading, parts: Iterator[Part], *, stops_at_thoughts: bool = False
) -> tuple[SummaryReply, bool]:
    """Returns the answer without its reasoning, and whether there was any reasoning.

    stops_at_thoughts: reads no further after the first reasoning.
    """
    segments = []
    usage: dict[str, Any] | None = None
    has_thought = False
    for part in parts:
        match part:
            case Content(text):
                segments += reading.splitter.feed(text)
            case Reasoning(text):
                has_thought = has_thought or bool(text.strip())
            case Usage(counts):
                usage = counts
            case Fault(message, code):
                raise UpstreamError(message, code=code)
        if has_thought and stops_at_thoughts:
            return _STOPPED, True
    segments += reading.close(stopped=True, stop_sequence=None, usage=None)
    thoughts = [text for kind, text in segments if kind is SegmentKind.REASONING]
    text = "".join(text for kind, text in segments if kind is not SegmentKind.REASONING)
    return SummaryReply(text, usage), has_thought or bool("".join(thoughts).strip())
