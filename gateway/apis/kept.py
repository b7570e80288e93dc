"""Kept streams as the APIs see them: the data beside the events, and the store of answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from gateway.apis.base import Answer, Keep
from gateway.config import ReasoningMode
from gateway.core.events import Done, Event, Failed, end_of
from gateway.core.thoughts import ThoughtRecord


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A kept stream without its events: plain data, which other workers and hosts can read."""

    id: str
    principal: str
    """The name of the key that opened the stream. Only clients with this key may read it."""
    dialect: str
    keep: Keep
    model: str
    """The client's name for the model; "" if the request named none."""
    created: int
    """Unix seconds."""
    request_id: str = ""
    reasoning: ReasoningMode = "summary"
    seals_thoughts: bool = False
    include_usage: bool = False
    echo: Mapping[str, Any] = {}
    prompt_tokens: int = 0
    streamed: bool = True
    """The request asked for a stream."""
    input: list[Any] | None = None
    """The items of the input, for the API whose clients may ask for them; None for other APIs."""

    def answer(self, dialect: str, seal: Callable[[ThoughtRecord], str]) -> Answer:
        """Returns the common members of the answer's frames, in its own dialect or another one.

        seal: seals the model's thoughts.
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
    """A kept stream in its present state."""

    answer: Answer
    info: StreamInfo
    events: Sequence[Event]

    @property
    def end(self) -> Done | Failed | None:
        """The last event, once there is one."""
        return end_of(self.events)


class AnswerStore(Protocol):
    """The kept answers that one client may read.

    Each method raises StreamNotFound or StreamGone if there is no such answer.
    """

    def find(self, id: str) -> KeptAnswer:
        """Returns a kept answer in its present state."""

    def stop(self, id: str) -> KeptAnswer:
        """Stops the turn if it has not ended yet; returns the kept answer."""

    def forget(self, id: str) -> None:
        """Deletes a kept answer."""
