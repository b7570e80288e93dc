"""Remembers the thoughts before tool calls, for clients that do not send them back.

The thoughts before the answer to a tool's result are remembered too: DeepSeek wants them back.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.apis import ChatRequest
from gateway.core.thoughts import ThoughtRecord

_KEPT_S = 3600.0
_MAX_CHARS = 32_000_000
"""The most characters of all thoughts in one worker. Beyond it, the oldest are forgotten."""


class _Kept(NamedTuple):
    owner: tuple[str, str]
    """The client's name for the model, and the name of the client's key."""
    thoughts: ThoughtRecord
    expires: float
    """In monotonic seconds."""


class ThoughtMemory:
    """Thoughts by the ids of tool calls and answers, for an hour, in one worker."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """clock: monotonic seconds."""
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._chars = 0

    def keep(
        self, model: str, principal: str, call_ids: Sequence[str], thoughts: ThoughtRecord
    ) -> None:
        """Keeps the thoughts before these calls, or before an answer; see answer_id."""
        now = self._clock()
        for id in call_ids:
            self._drop(id)
            self._kept[id] = _Kept((model, principal), thoughts, now + _KEPT_S)
            self._chars += thoughts.chars
        while self._kept:
            oldest = next(iter(self._kept))
            if self._chars <= _MAX_CHARS and self._kept[oldest].expires > now:
                break
            self._drop(oldest)

    def recall(self, request: ChatRequest, principal: str) -> ChatRequest:
        """Returns the request with the remembered thoughts that its client did not send back."""
        if not self._kept:
            return request
        thoughts = dict(request.thoughts)
        for at, ids in ids_without_thoughts(request):
            found = self.find(request.model, principal, ids)
            if found:
                thoughts[at] = next(iter(found.values()))
        return replace(request, thoughts=thoughts)

    def find(self, model: str, principal: str, ids: Sequence[str]) -> dict[str, ThoughtRecord]:
        """Returns those of the ids whose thoughts are remembered → the thoughts."""
        known = ((id, self._kept[id]) for id in ids if id in self._kept)
        owner, now = (model, principal), self._clock()
        return {
            id: kept.thoughts for id, kept in known if kept.owner == owner and kept.expires > now
        }

    def _drop(self, id: str) -> None:
        if (kept := self._kept.pop(id, None)) is not None:
            self._chars -= kept.thoughts.chars


def ids_without_thoughts(request: ChatRequest) -> list[tuple[int, list[str]]]:
    """Returns the numbers of the assistant's messages without thoughts, with the ids of these:
    those of the tool calls, or that of the answer (see answer_id)."""
    messages = request.body["messages"]
    found = []
    for at, message in enumerate(messages):
        if at in request.thoughts or message.get("role") != "assistant":
            continue
        if isinstance(calls := message.get("tool_calls"), list):
            ids = [call.get("id") for call in calls if isinstance(call, dict)]
            found.append((at, [id for id in ids if isinstance(id, str)]))
        elif (id := answer_id(messages, at)) is not None:
            found.append((at, [id]))
    return found


def answer_id(messages: Sequence[Mapping[str, Any]], number: int) -> str | None:
    """Returns the id of the thoughts before an answer that calls no tool, which is made from the id
    of the last tool's result. None: the answer does not follow a result.

    number: the answer's number among the messages, which may end before it.
    """
    for at in range(number - 1, -1, -1):
        role, id = messages[at].get("role"), messages[at].get("tool_call_id")
        if role == "tool":
            return f"answer to {id}" if isinstance(id, str) else None
        if role == "assistant":
            break
    return None
