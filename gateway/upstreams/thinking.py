"""Bodies of requests that limit the thinking, end it, or continue an answer, for each kind."""

from collections.abc import Mapping
from typing import Any

from gateway.core.budgets import with_member, without_budgets
from gateway.core.families.evidence import CONSTRAINTS
from gateway.upstreams.kinds import CHAT, Kind

_LOWEST_EFFORT = {"reasoning_effort": "low"}
"""For gpt-oss, which has no switch for the thinking."""


def first_body(
    kind: Kind, body: Mapping[str, Any], budget: int | None, *, takes_budget: bool
) -> dict[str, Any]:
    """Returns the body for a server, with the budget in the member that its kind has for it.

    A server of an unknown kind gets the budget as the client wrote it.

    budget: tokens; 0 turns thinking off, None sets no limit. takes_budget: False if the server has
    refused that member.
    """
    sent = dict(body) if kind is CHAT else {**without_budgets(body), **kind.always}
    if kind is not CHAT and kind.name != "openrouter":
        effort = _effort_of(sent)
        if effort is not None:
            sent.setdefault("reasoning_effort", effort)
    if budget == 0:
        return without_thinking(kind, sent)
    if budget is not None and kind.budget and takes_budget:
        return with_member(sent, kind.budget, budget)
    return sent


def prefilled_body(
    kind: Kind, body: Mapping[str, Any], thoughts: str, limits: Mapping[str, int]
) -> dict[str, Any]:
    """Returns the body with which the model continues after its thoughts.

    limits: members that limit the answer.
    """
    message = {"role": "assistant", **kind.message, **dict.fromkeys(kind.thoughts_in, thoughts)}
    return {
        **without_budgets(body),
        **kind.prefill,
        **limits,
        "messages": [*body["messages"], message],
    }


def taken_over_body(
    kind: Kind, body: Mapping[str, Any], thoughts: str, answer: str, limits: Mapping[str, int]
) -> dict[str, Any]:
    """Returns the body with which the model continues in the middle of its answer or its thoughts.

    answer: the answer so far; "" in the middle of the thoughts.
    """
    sent = prefilled_body(kind, body, thoughts, limits)
    if answer:
        sent["messages"][-1]["content"] = answer
        return sent
    return sent | dict(kind.more_thinking or {})


def can_take_over(kind: Kind, body: Mapping[str, Any], *, in_thinking: bool) -> bool:
    """Whether a server can continue an answer to this request.

    With a grammar it can't: the server would match the rest of the answer from the grammar's start.
    """
    if not CONSTRAINTS.isdisjoint(body):
        return False
    return kind.more_thinking is not None if in_thinking else "prefill" in kind.ways


def restarted_body(
    kind: Kind, body: Mapping[str, Any], limits: Mapping[str, int], *, can_be_off: bool
) -> dict[str, Any]:
    """Returns the body with which the model answers without thinking.

    can_be_off: False for a model without a switch for the thinking; it is asked to think little.
    """
    sent = {**without_budgets(body), **limits}
    return without_thinking(kind, sent) if can_be_off else {**sent, **_LOWEST_EFFORT}


def without_thinking(kind: Kind, body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body with the members that turn thinking off."""
    sent = dict(body)
    for name, value in kind.off.items():
        given = sent.get(name)
        merges = isinstance(value, Mapping) and name == "chat_template_kwargs"
        sent[name] = {**given, **value} if merges and isinstance(given, Mapping) else value
    return sent


def _effort_of(body: Mapping[str, Any]) -> str | None:
    """Returns the effort in OpenRouter's member, which other kinds do not know."""
    reasoning = body.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    return effort if isinstance(effort, str) else None
