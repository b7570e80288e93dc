"""The kept answers that the client of a request may read."""

from collections.abc import Callable

from gateway.apis.kept import KeptAnswer
from gateway.config import Principal
from gateway.core.thoughts import ThoughtRecord
from gateway.relay.streams import Streams


class Answers:
    """The AnswerStore of one client."""

    def __init__(
        self,
        streams: Streams,
        principal: Principal,
        seal: Callable[[str], Callable[[ThoughtRecord], str]],
    ) -> None:
        """seal: takes a model's name; returns the function that seals its thoughts."""
        self._streams = streams
        self._principal = principal
        self._seal = seal

    def find(self, id: str) -> KeptAnswer:
        """See AnswerStore."""
        info, events = self._streams.snapshot(id, self._principal)
        return KeptAnswer(info.answer(info.dialect, self._seal(info.model)), info, events)

    def stop(self, id: str) -> KeptAnswer:
        """See AnswerStore."""
        self._streams.stop(id, self._principal)
        return self.find(id)

    def forget(self, id: str) -> None:
        """See AnswerStore."""
        self._streams.forget(id, self._principal)
