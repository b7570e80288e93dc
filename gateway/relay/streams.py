"""The streams of all workers of this host, by their ids.

The id of a stream names the worker that serves it. So any worker can hand a request about a stream
on to the one that has it.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from gateway.config import Principal
from gateway.errors import StreamNotFound
from gateway.relay.relay import Relay
from gateway.server.channel import Channel, WorkerGone

_NUMBER_DIGITS = 4
_ID_CHARS = 32


class Streams:
    """Reaches the streams of this worker and of the others."""

    def __init__(self, relay: Relay, channel: Channel) -> None:
        self._relay = relay
        self._channel = channel
        channel.add("answer_now", self._answer_now)

    def new_id(self) -> str:
        """Returns the id of a new stream of this worker: 32 hexadecimal digits."""
        head = uuid.uuid4().hex[: _ID_CHARS - _NUMBER_DIGITS]
        return f"{head}{self._channel.worker:0{_NUMBER_DIGITS}x}"

    def answer_now(self, id: str, principal: Principal) -> None:
        """Has a stream end its thinking. Raises StreamNotFound, or Conflict with the reason."""
        self._call(id, "answer_now", principal=principal.name)

    def _call(self, id: str, name: str, **arguments: Any) -> list[Any]:
        """Calls the worker that has a stream."""
        try:
            worker = int(id[-_NUMBER_DIGITS:], 16) if len(id) == _ID_CHARS else -1
        except ValueError:
            worker = -1
        if worker < 0:
            raise StreamNotFound(id)
        try:
            return list(self._channel.call(worker, name, id=id, **arguments))
        except WorkerGone:
            raise StreamNotFound(id) from None

    def _answer_now(self, id: str, principal: str) -> Iterator[Any]:
        run = self._relay.find(id, principal)
        if run is None:
            raise StreamNotFound(id)
        self._relay.answer_now(run)
        yield True
