"""The members of requests by which each kind of server limits and ends the thinking. Pure.

Each kind has its own base URL, `/kinds/<kind>/v1`. Below `/v1`, the mock is of no known kind.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.mock.errors import ErrorReply, RequestRefused
from gateway.mock.frames import Delta, split_tokens

Body = Mapping[str, Any]


def _continues(body: Body, value: object) -> bool:
    return (
        body.get("continue_final_message") == value and body.get("add_generation_prompt") is False
    )


def _template_is_off(body: Body) -> bool:
    return _at(body, "chat_template_kwargs", "enable_thinking") is False


class ServerKind(NamedTuple):
    """One kind of server."""

    owner: str = "mock"
    """The `owned_by` of its models."""
    label: str = ""
    """The member in which it sends reasoning; "": the model's own."""
    thoughts_in: str = "reasoning_content"
    """The member of a prefill's message that holds the thoughts."""
    budget: tuple[str, ...] = ()
    """The path to the request's member that limits the tokens of the thinking; (): none."""
    goes_on: Callable[[Body], bool] = lambda body: False
    """Whether a request asks it to continue the assistant's message."""
    is_off: Callable[[Body], bool] = _template_is_off
    """Whether a request turns the thinking off."""
    answers_prefill_in: str = "content"
    """The member in which it sends the answer after a prefill."""
    server: str | None = None
    """The value of its header `Server`."""
    has_control: bool = False
    """A control call can end the thinking of a running answer, as in llama.cpp."""


KINDS: Mapping[str, ServerKind] = {
    "vllm": ServerKind(
        owner="vllm",
        label="reasoning",
        thoughts_in="reasoning",
        budget=("thinking_token_budget",),
        goes_on=lambda body: _continues(body, True),
    ),
    "sglang": ServerKind(
        label="reasoning_content",
        owner="sglang",
        budget=("custom_params", "thinking_budget"),
        goes_on=lambda body: _continues(body, True),
    ),
    "llama.cpp": ServerKind(
        label="reasoning_content",
        owner="llamacpp",
        budget=("thinking_budget_tokens",),
        goes_on=lambda body: _continues(body, "content"),
        is_off=lambda body: _template_is_off(body) or body.get("reasoning_effort") == "none",
        server="llama.cpp",
        has_control=True,
    ),
    "ollama": ServerKind(
        owner="library",
        label="reasoning",
        thoughts_in="reasoning",
        goes_on=lambda body: True,
        is_off=lambda body: body.get("reasoning_effort") == "none",
        # Ollama's parser begins inside the thinking if the message has no content.
        answers_prefill_in="reasoning",
    ),
    "deepseek": ServerKind(
        label="reasoning_content",
        goes_on=lambda body: body["messages"][-1].get("prefix") is True,
        is_off=lambda body: _at(body, "thinking", "type") == "disabled",
    ),
    "dashscope": ServerKind(
        label="reasoning_content",
        budget=("thinking_budget",),
        is_off=lambda body: body.get("enable_thinking") is False,
    ),
    "openrouter": ServerKind(
        label="reasoning",
        budget=("reasoning", "max_tokens"),
        is_off=lambda body: _at(body, "reasoning", "enabled") is False,
    ),
}
NO_KIND = ServerKind()


class Thinking(NamedTuple):
    """How a request limits the thinking."""

    kind: ServerKind = NO_KIND
    is_over: bool = False
    """The request contains the thoughts, so the model continues with its answer."""
    is_off: bool = False
    """The model does not think."""
    budget: int | None = None
    """Limit for the tokens of the thinking; None: no limit."""
    quirk: str = ""
    """A misbehaviour; see the models whose names begin with `thinker`."""

    def applied(self, deltas: Sequence[Delta], after: str) -> list[Delta]:
        """The deltas with the thinking limited like this. after: the marker that ends it."""
        thoughts = [delta for delta in deltas if delta.reasoning]
        answer = [delta for delta in deltas if not delta.reasoning]
        if self.is_over or self.is_off:
            thoughts = []
        elif self.budget is not None and len(thoughts) > self.budget:
            end = split_tokens(after)
            thoughts = thoughts[: self.budget] + thoughts[len(thoughts) - len(end) :] * bool(end)
        thoughts = [
            d._replace(key=self.kind.label)
            if self.kind.label and d.key.startswith("reasoning")
            else d
            for d in thoughts
        ]
        if self.is_over:
            field = self.kind.answers_prefill_in
            if self.quirk == "answers-as-reasoning":
                field = self.kind.label or "reasoning_content"
            answer = [d._replace(key=field) if d.key == "content" else d for d in answer]
            if self.quirk == "repeats-marker":
                answer[:0] = [Delta(field, token) for token in split_tokens("</think>\n\n")]
        return thoughts + answer


def read_thinking(kind: ServerKind, body: Body, quirk: str) -> Thinking:
    """How a request to a server of this kind limits the thinking. Raises RequestRefused."""
    last = body["messages"][-1]
    has_prefill = last.get("role") == "assistant"
    thoughts = last.get(kind.thoughts_in) if has_prefill else None
    if has_prefill and quirk == "refuses-prefill":
        message = "Assistant response prefill is incompatible with enable_thinking."
        raise RequestRefused(ErrorReply(400, message))
    budget = _at(body, *kind.budget) if kind.budget else None
    if budget is not None and quirk == "refuses-budget":
        message = "thinking_token_budget is set but reasoning_config is not configured."
        raise RequestRefused(ErrorReply(400, message))
    return Thinking(
        kind,
        is_over=bool(thoughts) and kind.goes_on(body),
        is_off=kind.is_off(body),
        budget=budget if isinstance(budget, int) and quirk != "ignores-budget" else None,
        quirk=quirk,
    )


def _at(body: Any, *path: str) -> Any:
    """The value at a path; None if there is none."""
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
