"""What is kept of a stream beside its events, so that it can be read again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from gateway.apis.base import Answer, Keep
from gateway.config import ReasoningMode
from gateway.core.events import Done, Event, Failed, end_of
from gateway.core.thoughts import ThoughtRecord


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A kept stream, without its events. It is plain data, for other workers and hosts."""

    id: str
    principal: str
    """The name of the key that opened it. Nobody else may read it."""
    dialect: str
    keep: Keep
    model: str
    """As the client named it; "" if it did not."""
    created: int
    """Unix seconds."""
    request_id: str = ""
    reasoning: ReasoningMode = "summary"
    seals_thoughts: bool = False
    include_usage: bool = False
    echo: Mapping[str, Any] = {}
    prompt_tokens: int = 0
    streamed: bool = True
    """Its client asked for a stream."""
    input: list[Any] | None = None
    """The items that the model was given, for the API whose clients may ask for them."""

    def answer(self, dialect: str, seal: Callable[[ThoughtRecord], str]) -> Answer:
        """What the frames of the answer have in common, in its own dialect or another one.

        seal: seals what the model thought.
        """
        is_own = dialect == self.dialect
        return Answer(
            id=self.id,
            model=self.model or "default",
            created=self.created,
            request_id=self.request_id,
            reasoning=self.reasoning,
            seal=seal if self.seals_thoughts else None,
            include_usage=self.include_usage or not is_own,
            echo=self.echo if is_own else {},
            prompt_tokens=self.prompt_tokens,
        )


@dataclass(frozen=True)
class KeptAnswer:
    """A kept stream as it is now."""

    answer: Answer
    info: StreamInfo
    events: Sequence[Event]

    @property
    def end(self) -> Done | Failed | None:
        """The last event, once there is one."""
        return end_of(self.events)


class AnswerStore(Protocol):
    """The kept answers that one client may read. Each method raises StreamNotFound or StreamGone
    for an id that names none of them."""

    def find(self, id: str) -> KeptAnswer:
        """A kept answer as it is now."""

    def stop(self, id: str) -> KeptAnswer:
        """Stops the turn if it is under way, and returns what was kept."""

    def forget(self, id: str) -> None:
        """Keeps the answer no longer."""
