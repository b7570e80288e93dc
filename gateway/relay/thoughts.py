"""What models thought before they called tools, for clients that do not hand it back."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.apis import ChatRequest
from gateway.config import UpstreamConfig
from gateway.core.families.reasoning_back import wants_reasoning_back

_KEPT_S = 3600.0
_MAX_CHARS = 32_000_000
"""Of all thoughts in one worker; beyond it the oldest go."""


class _Kept(NamedTuple):
    owner: tuple[str, str]
    """The model, by the name that the client used, and the name of the client's key."""
    thoughts: str
    expires: float


class ThoughtMemory:
    """Thoughts by the ids of the tool calls behind them, for an hour, in one worker."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """clock: monotonic seconds."""
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._chars = 0

    def keep(self, model: str, principal: str, call_ids: Sequence[str], thoughts: str) -> None:
        """Keeps what a model thought before these calls."""
        now = self._clock()
        for id in call_ids:
            self._drop(id)
            self._kept[id] = _Kept((model, principal), thoughts, now + _KEPT_S)
            self._chars += len(thoughts)
        while self._kept:
            oldest = next(iter(self._kept))
            if self._chars <= _MAX_CHARS and self._kept[oldest].expires > now:
                break
            self._drop(oldest)

    def recall(self, request: ChatRequest, principal: str) -> ChatRequest:
        """Returns the request with the thoughts that its client did not hand back."""
        if not self._kept:
            return request
        thoughts = dict(request.thoughts)
        for at, message in enumerate(request.body["messages"]):
            if at not in thoughts and (found := self._find(message, (request.model, principal))):
                thoughts[at] = found
        return replace(request, thoughts=thoughts)

    def _find(self, message: Mapping[str, Any], owner: tuple[str, str]) -> str | None:
        calls = message.get("tool_calls")
        if message.get("role") != "assistant" or not isinstance(calls, list):
            return None
        for id in (call.get("id") for call in calls if isinstance(call, dict)):
            kept = self._kept.get(id) if isinstance(id, str) else None
            if kept is not None and kept.owner == owner and kept.expires > self._clock():
                return kept.thoughts
        return None

    def _drop(self, id: str) -> None:
        if (kept := self._kept.pop(id, None)) is not None:
            self._chars -= len(kept.thoughts)


def body_for(request: ChatRequest, upstream: UpstreamConfig, model: str) -> dict[str, Any]:
    """Returns the body for an upstream, with the model's thoughts if it wants them back.

    model: the upstream's name for it.
    """
    wanted = upstream.reasoning_back == "always" or (
        upstream.reasoning_back == "auto" and wants_reasoning_back(model or request.model)
    )
    if not wanted or not request.thoughts:
        return request.body
    messages = list(request.body["messages"])
    for at, thoughts in request.thoughts.items():
        messages[at] = {**messages[at], "reasoning_content": thoughts}
    return request.body | {"messages": messages}
