"""The thoughts that the workers of one host remember, asked of each other.

A worker keeps what it heard. Where a conversation goes on at another worker, that one asks, once
for each id that it does not know, and keeps the answer.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.apis import ChatRequest
from gateway.config import UpstreamConfig
from gateway.core.thoughts import decode_record, encode_record
from gateway.errors import GatewayError
from gateway.relay.handed_back import wanted_back
from gateway.relay.thoughts import ThoughtMemory, ids_without_thoughts
from gateway.server.channel import Channel, WorkerGone

_PATIENCE_S = 0.5
_MAX_IDS = 200
"""Of the newest calls of a conversation."""


class SharedThoughts:
    """The memory of this worker, which knows what the others know."""

    def __init__(
        self,
        memory: ThoughtMemory,
        channel: Channel,
        upstreams: Sequence[UpstreamConfig],
        log: Any,
    ) -> None:
        self.keep = memory.keep
        self._memory = memory
        self._channel = channel
        self._upstreams = upstreams
        self._log = log
        channel.add("thoughts", self._answer)

    def recall(self, request: ChatRequest, principal: str) -> ChatRequest:
        """Returns the request with the thoughts that its client did not hand back. May wait."""
        request = self._memory.recall(request, principal)
        missing = [id for _, ids in ids_without_thoughts(request) for id in ids][-_MAX_IDS:]
        if not missing or not self._may_want(request.model):
            return request
        for worker in self._channel.others():
            missing = self._ask(worker, request.model, principal, missing)
            if not missing:
                break
        return self._memory.recall(request, principal)

    def _ask(self, worker: int, model: str, principal: str, ids: list[str]) -> list[str]:
        """Asks another worker, and keeps what it knows. Returns the ids that it does not know."""
        asked = {"model": model, "principal": principal, "ids": ids}
        try:
            found = dict(self._channel.call(worker, "thoughts", patience_s=_PATIENCE_S, **asked))
        except (WorkerGone, GatewayError) as error:
            self._log.debug("worker does not answer", worker=worker, error=repr(error))
            return ids
        for id, thoughts in found.items():
            self._memory.keep(model, principal, [id], decode_record(thoughts))
        return [id for id in ids if id not in found]

    def _answer(self, model: str, principal: str, ids: list[str]) -> Iterator[tuple[str, str]]:
        for id, thoughts in self._memory.find(model, principal, ids).items():
            yield id, encode_record(thoughts)

    def _may_want(self, model: str) -> bool:
        """Whether an upstream may want the thoughts of a model back, as the client names it."""
        return any(
            wanted_back(upstream, upstream.own_name(model)) is not None
            for upstream in self._upstreams
        )
