"""Budgets for the thinking, in all spellings of clients and servers; and how to turn it off."""

from collections.abc import Mapping
from typing import Any

THINKING_OFF: Mapping[str, Any] = {
    "chat_template_kwargs": {"enable_thinking": False, "thinking": False}
}
"""Members that turn thinking off. The chat template of an open model reads one of the two names."""
_SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("thinking_budget",),  # Qwen, DashScope, SiliconFlow
    ("thinking_token_budget",),  # vLLM
    ("thinking_budget_tokens",),  # llama.cpp
    ("reasoning_budget_tokens",),  # llama.cpp
    ("max_thinking_tokens",),  # SGLang's /generate, Claude Code
    ("custom_params", "thinking_budget"),  # SGLang
    ("thinking", "budget_tokens"),  # Anthropic, Fireworks
    ("reasoning", "max_tokens"),  # OpenRouter
    ("chat_template_kwargs", "thinking_budget"),  # Seed-OSS, SGLang
)
"""Paths of the members that may hold a budget. The first one in a body counts."""
_SWITCHES: tuple[tuple[str, ...], ...] = (
    ("reasoning_budget",),
    ("google", "thinking_config", "thinking_budget"),
    ("extra_body", "google", "thinking_config", "thinking_budget"),
)
"""Paths of more members that turn thinking off if they hold 0. The upstream reads other values."""


def budget_of(body: Mapping[str, Any]) -> int | None:
    """Returns the budget of a request, in tokens; None if it sets no limit.

    A budget of 0 turns thinking off, and a negative one leaves it to the model.
    """
    found = (_value_at(body, path) for path in _SPELLINGS)
    return next((value for value in found if type(value) is int and value > 0), None)


def has_budget_of_zero(body: Mapping[str, Any]) -> bool:
    """Whether a budget of the request turns thinking off, in any spelling."""
    found = (_value_at(body, path) for path in (*_SPELLINGS, *_SWITCHES))
    return any(type(value) is int and value == 0 for value in found)


def without_budgets(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body without its budgets above 0."""
    kept = dict(body)
    for path in _SPELLINGS:
        value = _value_at(kept, path)
        if type(value) is not int or value <= 0:
            continue
        if len(path) == 1:
            del kept[path[0]]
            continue
        outer, inner = path
        kept[outer] = {name: value for name, value in kept[outer].items() if name != inner}
        if not kept[outer]:
            del kept[outer]
    return kept


def with_member(body: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Returns the body with a value at a path of one or two members."""
    if len(path) == 1:
        return {**body, path[0]: value}
    outer = body.get(path[0])
    return {**body, path[0]: {**(outer if isinstance(outer, Mapping) else {}), path[1]: value}}


def _value_at(body: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
