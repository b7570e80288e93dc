"""Asks a model for its part of a summary: the I/O behind an Ask."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.config import Config
from gateway.core.families import Families, Kind
from gateway.core.parts import Content, Fault, Part, Usage
from gateway.core.summarizers import Ask, Written
from gateway.errors import GatewayError, UpstreamError
from gateway.routing.breaker import Breaker
from gateway.transport.client import Transport
from gateway.upstreams.chat import ChatUpstream

UNWRITTEN = Written(None)


class Writer:
    """The summary model of one worker, with a breaker of its own."""

    def __init__(
        self,
        config: Config,
        upstream: ChatUpstream,
        transport: Transport,
        families: Families,
        clock: Callable[[], float],
    ) -> None:
        """upstream, transport: the server of the summary model, and the way to it."""
        self.timeout_s = config.summarizer_timeout_s
        self._model = config.summarizer_model or ""
        self._upstream = upstream
        self._transport = transport
        self._families = families
        self._clock = clock
        self._breaker = Breaker(config.breaker_failures, config.breaker_open_s)

    def write(self, ask: Ask, request_id: str) -> Written:
        """The answer, or none: a failure is the breaker's affair, not the stream's."""
        breaker = self._breaker
        if not breaker.allows(self._clock()):
            return UNWRITTEN
        generation = breaker.begin()
        try:
            written = self._call(ask, request_id)
        except GatewayError:
            breaker.fail(generation, self._clock())
            return UNWRITTEN
        except BaseException:  # the stream has ended meanwhile
            breaker.drop(generation)
            raise
        breaker.succeed(generation)
        return written

    def _call(self, ask: Ask, request_id: str) -> Written:
        body = {
            "messages": ask.messages,
            "max_tokens": ask.max_tokens,
            "temperature": 0,
        }
        reader = self._upstream.reader()
        parts: list[Part] = []
        with self._transport.send(
            self._upstream.completion(body, self._model, request_id)
        ) as reply:
            if reply.status != 200:
                raise self._upstream.refusal(reply.status, reply.headers, b"")
            for lines in reply.batches():
                parts += reader.feed(lines)
        return self._read(parts + reader.close())

    def _read(self, parts: Iterable[Part]) -> Written:
        """What a model that may think as well has answered."""
        splitter = self._families.splitter(self._upstream.name, self._model, {}, None)
        segments = []
        usage: dict[str, Any] | None = None
        for part in parts:
            match part:
                case Content(text):
                    segments += splitter.feed(text)
                case Usage(counts):
                    usage = counts
                case Fault(message, code):
                    raise UpstreamError(message, code=code)
        segments += splitter.close(stopped=True)
        return Written(
            "".join(text for kind, text in segments if kind is not Kind.REASONING), usage
        )
