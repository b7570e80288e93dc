"""Asks the summary model for its part of a summary: performs the effect AskSummaryModel."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.config import Config
from gateway.core.effects import AskSummaryModel, SummaryReply
from gateway.core.families import Families, SegmentKind
from gateway.core.parts import Content, Fault, Part, Usage
from gateway.errors import GatewayError, UpstreamError
from gateway.routing.breaker import Breaker
from gateway.transport.client import Transport
from gateway.upstreams.base import Upstream

_NO_REPLY = SummaryReply(None)


class SummaryWriter:
    """The summary model of one worker, with a breaker of its own."""

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        transport: Transport,
        families: Families,
        clock: Callable[[], float],
    ) -> None:
        """upstream, transport: the server of the summary model, and the connections to it."""
        self.timeout_s = config.summarizer_timeout_s
        self._model = config.summarizer_model or ""
        self._upstream = upstream
        self._transport = transport
        self._families = families
        self._clock = clock
        self._breaker = Breaker(config.breaker_failures, config.breaker_open_s)

    def write(self, ask: AskSummaryModel, request_id: str) -> SummaryReply:
        """The model's reply, or none: a failure concerns the breaker, not the stream."""
        breaker = self._breaker
        if not breaker.allows(self._clock()):
            return _NO_REPLY
        generation = breaker.begin()
        try:
            reply = self._call(ask, request_id)
        except GatewayError:
            breaker.fail(generation, self._clock())
            return _NO_REPLY
        except BaseException:  # the stream has ended meanwhile
            breaker.drop(generation)
            raise
        breaker.succeed(generation)
        return reply

    def _call(self, ask: AskSummaryModel, request_id: str) -> SummaryReply:
        body = {
            "messages": ask.messages,
            "max_tokens": ask.max_tokens,
            "temperature": 0,
        }
        reader = self._upstream.reader()
        parts: list[Part] = []
        with self._transport.send(
            self._upstream.completion(body, self._model, request_id)
        ) as answer:
            if not 200 <= answer.status < 300:
                raise self._upstream.refusal(answer.status, answer.headers, b"")
            for lines in answer.batches():
                parts += reader.feed(lines)
        return self._read(parts + reader.close())

    def _read(self, parts: Iterable[Part]) -> SummaryReply:
        """The answer without its reasoning: a summary model may think as well."""
        reading = self._families.reading(self._upstream.name, self._model)
        segments = []
        usage: dict[str, Any] | None = None
        for part in parts:
            match part:
                case Content(text):
                    segments += reading.splitter.feed(text)
                case Usage(counts):
                    usage = counts
                case Fault(message, code):
                    raise UpstreamError(message, code=code)
        segments += reading.close(stopped=True, stop_sequence=None, usage=None)
        text = "".join(text for kind, text in segments if kind is not SegmentKind.REASONING)
        return SummaryReply(text, usage)
