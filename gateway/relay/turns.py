"""From a request that has been read to a stream under way."""

from collections.abc import Mapping
from socket import socket
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.apis import ChatRequest
from gateway.config import ReasoningMode
from gateway.core.choices import Choices
from gateway.core.families import Families, Splitter
from gateway.core.parts import Call
from gateway.core.summarizers import BUDGET_WORDS, MODEL, OFF, Prompt, Summarizers, prompt_of
from gateway.core.turn import Reader, Turn
from gateway.observe.metrics import Metrics
from gateway.relay.relay import Relay
from gateway.relay.stream import Request, Stream
from gateway.routing.client import UpstreamClient
from gateway.routing.pool import Lease
from gateway.upstreams.chat import ChatUpstream

_MAX_LOGGED_NAME = 200
_UNSUMMARIZED: dict[ReasoningMode, ReasoningMode] = {
    "summary": "none",
    "raw": "raw",
    "both": "raw",
    "none": "none",
}


class Caller(NamedTuple):
    """Who asks, and since when."""

    request_id: str
    started: float
    """Monotonic seconds."""
    socket: socket | None
    """The client's connection, to be watched."""


class Turns:
    """Opens turns over the services that they use."""

    def __init__(
        self,
        relay: Relay,
        upstreams: Mapping[str, UpstreamClient],
        families: Families,
        summarizers: Summarizers,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._relay = relay
        self._upstreams = upstreams
        self._families = families
        self._summarizers = summarizers
        self._metrics = metrics
        self._log = log

    def settle(self, asked: ChatRequest) -> ChatRequest:
        """The request with its summarizer chosen; without one there is no summary to show.

        Raises BadRequest when it names one that is not offered.
        """
        options = asked.options
        name = self._summarizers.name(asked.model, options.summarizer)
        if name == MODEL and asked.choices > 1:
            name = "extractive"  # a call for each of them would be too many
        reasoning = _UNSUMMARIZED[options.reasoning] if name == OFF else options.reasoning
        settled = replace(options, summarizer=name, reasoning=reasoning)
        return replace(asked, options=settled)

    def open(self, stream_id: str, asked: ChatRequest, caller: Caller) -> Stream:
        """Starts the turn, or a turn for each choice, and the call to the upstream."""
        prompt = prompt_of(asked.body["messages"])
        turns = [self._turn(asked, prompt, caller, choice) for choice in range(asked.choices)]
        turn = turns[0] if len(turns) == 1 else Choices(turns)
        model = asked.model[:_MAX_LOGGED_NAME]

        def call(upstream: ChatUpstream, own_name: str) -> Call:
            return upstream.completion(asked.body, own_name, caller.request_id)

        def record(lease: Lease) -> dict[str, str]:
            family = self._families.find(lease.model).name
            ids = {"request": caller.request_id, "format": asked.dialect}
            return {**ids, "family": family, "model": model}

        def closed(lease: Lease) -> None:
            if turn.lone_end and asked.options.starts_inside is None:
                self._learn(stream_id, model, lease)

        return self._relay.open(
            Request(stream_id, asked.model, call, caller.started, caller.socket, record, closed),
            turn,
        )

    def _turn(self, asked: ChatRequest, prompt: Prompt, caller: Caller, choice: int) -> Turn:
        options = asked.options

        def source(upstream: str, model: str) -> tuple[Reader, Splitter]:
            return (
                self._upstreams[upstream].upstream.reader(choice),
                self._families.splitter(upstream, model, asked.body, options.starts_inside),
            )

        return Turn(
            started=caller.started,
            prompt_summary=prompt.summary,
            reasoning=options.reasoning,
            source=source,
            summarizer=self._summarizers.make(
                options.summarizer, prompt.text, BUDGET_WORDS[options.detail]
            ),
        )

    def _learn(self, stream_id: str, model: str, lease: Lease) -> None:
        """A model whose reasoning turned out to be opened by its template is remembered."""
        if self._families.learn_that_it_starts_inside(lease.upstream, lease.model):
            self._metrics.learned(lease.upstream)
            self._log.warning(
                "model starts inside its reasoning",
                stream=stream_id,
                model=model,
                upstream=lease.upstream,
            )
