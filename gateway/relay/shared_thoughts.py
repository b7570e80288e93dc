"""Shares the remembered thoughts between the workers of one host.

A worker remembers the thoughts of its own turns. If a conversation continues at another worker,
that worker asks the others for the ids that it does not know, and keeps their answers.
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
"""Seconds to wait for another worker's answer."""
_MAX_IDS = 200
"""The most ids to ask for: those of the newest calls of a conversation."""


class SharedThoughts:
    """The memory of this worker, with the thoughts that other workers remember."""

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
        """Returns the request with the remembered thoughts that its client did not send back.

        May wait for other workers.
        """
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
        """Asks another worker, and keeps its answer. Returns the ids that it does not know."""
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
        """Whether an upstream may want a model's thoughts back. model: the client's name for it."""
        return any(
            wanted_back(upstream, upstream.own_name(model)) is not None
            for upstream in self._upstreams
        )
