"""The kinds of model servers, one row each: how each limits thinking, and how it can be ended.

All of them speak OpenAI's `/chat/completions`. Where a server can end the thinking in more than one
way, the row lists them in the order in which they are tried:

- `control`: a second request tells the server to end the thinking. The stream goes on.
- `prefill`: the gateway closes the stream. A second request contains the thoughts so far as the
  beginning of the model's own message, so that the model continues with its answer.
- `restart`: the gateway closes the stream, and sends the same request with thinking turned off.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import urlsplit

from gateway.config import UpstreamKind
from gateway.core.budgets import THINKING_OFF

Way = Literal["control", "prefill", "restart"]
"""A way to end the thinking."""

_CONTINUES = {"continue_final_message": True, "add_generation_prompt": False}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of model server."""

    name: UpstreamKind
    budget: tuple[str, ...] = ()
    """The path of the request's member that limits the tokens of the thinking; (): none."""
    ways: tuple[Way, ...] = ("restart",)
    """The ways to end the thinking, in the order in which they are tried."""
    off: Mapping[str, Any] = field(default_factory=lambda: THINKING_OFF)
    """Members that turn thinking off."""
    always: Mapping[str, Any] = field(default_factory=dict)
    """Members of every request."""
    thoughts_in: tuple[str, ...] = ()
    """Members of a message in which the server takes the model's thoughts; (): not known."""
    message: Mapping[str, Any] = field(default_factory=lambda: {"content": ""})
    """Members of the model's message in a prefill, beside its thoughts."""
    prefill: Mapping[str, Any] = field(default_factory=dict)
    """Members of the request for a prefill."""
    more_thinking: Mapping[str, Any] | None = None
    """Members of the request with which the model continues its thoughts, not its answer; None: the
    server can't do that."""
    prefill_path: str | None = None
    """The path for a prefill; None: the same as for every request."""
    hosts: tuple[str, ...] = ()
    """Globs over the host names of the kind's public addresses."""
    owners: tuple[str, ...] = ()
    """Values of `owned_by` in the server's list of models."""
    server: str = ""
    """The first characters of the server's header `Server`, in lower case."""
    probe: tuple[str, tuple[str | int, ...]] | None = None
    """A path that no other kind has, and the path of a member in the JSON of its answer."""


CHAT = Kind(name="chat")
"""Any server with OpenAI's `/chat/completions` whose kind is not known."""
KINDS: Mapping[UpstreamKind, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="vllm",
            budget=("thinking_token_budget",),
            ways=("prefill", "restart"),
            thoughts_in=("reasoning_content", "reasoning"),  # vLLM before 0.16, and since then
            prefill=_CONTINUES,
            owners=("vllm",),
            probe=("/version", ("version",)),
        ),
        Kind(
            name="sglang",
            budget=("custom_params", "thinking_budget"),
            ways=("prefill", "restart"),
            thoughts_in=("reasoning_content",),
            prefill=_CONTINUES,
            owners=("sglang",),
            probe=("/get_model_info", ("model_path",)),
        ),
        Kind(
            name="llama.cpp",
            budget=("thinking_budget_tokens",),
            ways=("control", "prefill", "restart"),
            always={"reasoning_control": True},
            thoughts_in=("reasoning_content",),
            prefill=_CONTINUES | {"continue_final_message": "content"},
            more_thinking=_CONTINUES | {"continue_final_message": "reasoning_content"},
            owners=("llamacpp",),
            server="llama.cpp",
            probe=("/props", ("default_generation_settings",)),
        ),
        Kind(
            name="ollama",
            ways=("prefill", "restart"),
            off={"reasoning_effort": "none"},
            thoughts_in=("reasoning",),
            owners=("library",),
            probe=("/api/version", ("version",)),
        ),
        Kind(
            name="lmstudio",
            ways=("prefill", "restart"),
            off={**THINKING_OFF, "reasoning_effort": "none"},
            thoughts_in=("reasoning_content",),
            owners=("organization_owner",),
            probe=("/api/v0/models", ("data", 0, "max_context_length")),
        ),
        Kind(
            name="deepseek",
            ways=("prefill", "restart"),
            off={"thinking": {"type": "disabled"}},
            thoughts_in=("reasoning_content",),
            # With an empty content the model may go on thinking.
            message={"content": "\n", "prefix": True},
            prefill_path="/beta/chat/completions",
            hosts=("api.deepseek.com",),
        ),
        Kind(
            name="dashscope",
            budget=("thinking_budget",),
            off={"enable_thinking": False},
            hosts=("dashscope*.aliyuncs.com", "api.siliconflow.*"),
        ),
        Kind(
            name="openrouter",
            budget=("reasoning", "max_tokens"),
            off={"reasoning": {"enabled": False}},
            thoughts_in=("reasoning",),
            hosts=("openrouter.ai", "*.openrouter.ai"),
        ),
        CHAT,
    )
}


def described(kind: Kind | None) -> dict[str, Any]:
    """Returns a kind and its abilities, for `/v1/models` and `/health`; None: not known yet."""
    shown = kind or CHAT
    return {
        "kind": kind and kind.name,
        "thinking_budget": ".".join(shown.budget) or None,
        "answer_now": list(shown.ways),
    }


def kind_of_address(url: str) -> Kind | None:
    """Returns the kind that has this public address; None: no kind has it."""
    host = (urlsplit(url).hostname or "").lower()
    return _first(lambda kind: any(fnmatchcase(host, glob) for glob in kind.hosts))


def kind_of_headers(headers: Mapping[str, str]) -> Kind | None:
    """Returns the kind that the headers of an answer name; None: they name none."""
    server = headers.get("Server", "").lower()
    return _first(lambda kind: bool(kind.server) and server.startswith(kind.server))


def kind_of_owners(owners: Iterable[str]) -> Kind | None:
    """Returns the kind that these owners of models belong to; None: to no kind."""
    named = {owner.lower() for owner in owners}
    return _first(lambda kind: not named.isdisjoint(kind.owners))


def _first(fits: Callable[[Kind], bool]) -> Kind | None:
    return next(filter(fits, KINDS.values()), None)
