"""The kinds of model servers, one row each: how each limits thinking, and how it can be ended.

All of them speak OpenAI's `/chat/completions`. Where a server can end the thinking in more than one
way, the row lists them in the order in which they are tried:

- `control`: a second call tells the server to end the thinking of the running stream.
- `prefill`: the stream is cut, and a second request hands the thoughts so far back as the begin of
  the model's own message, so that the model goes on with its answer.
- `restart`: the stream is cut, and the same request is sent again with thinking turned off.
"""

from collections.abc import Iterable, Mapping
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
    """The path of the member that limits the tokens of the thinking; (): it has none."""
    ways: tuple[Way, ...] = ("restart",)
    """The ways to end the thinking, in the order in which they are tried."""
    off: Mapping[str, Any] = field(default_factory=lambda: THINKING_OFF)
    """Members that turn thinking off."""
    always: Mapping[str, Any] = field(default_factory=dict)
    """Members that every request to it has."""
    thoughts_in: tuple[str, ...] = ()
    """Members of a message in which it takes the model's thoughts; (): not known."""
    message: Mapping[str, Any] = field(default_factory=lambda: {"content": ""})
    """Other members of that message."""
    prefill: Mapping[str, Any] = field(default_factory=dict)
    """Members of the request for a prefill."""
    more_thinking: Mapping[str, Any] | None = None
    """The same for a prefill with which the model goes on with its thoughts; None: it can't."""
    prefill_path: str | None = None
    """Where a prefill is sent; None: where every request is."""
    hosts: tuple[str, ...] = ()
    """Globs over the hosts of its public addresses."""
    owners: tuple[str, ...] = ()
    """What it names as `owned_by` in its list of models."""
    server: str = ""
    """What its header `Server` begins with."""
    probe: tuple[str, tuple[str | int, ...]] | None = None
    """A path that no other kind has, and the way to something in the JSON that it answers with."""


CHAT = Kind(name="chat")
"""Any server with OpenAI's `/chat/completions`, of which no more is known."""
KINDS: Mapping[UpstreamKind, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="vllm",
            budget=("thinking_token_budget",),
            ways=("prefill", "restart"),
            thoughts_in=("reasoning_content", "reasoning"),  # before 0.16, and since
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
    """What a server is and can do, for `/v1/models` and `/health`; None: it is not known yet."""
    shown = kind or CHAT
    return {
        "kind": kind and kind.name,
        "thinking_budget": ".".join(shown.budget) or None,
        "answer_now": list(shown.ways),
    }


def kind_of_address(url: str) -> Kind | None:
    """Returns the kind that is known by its public address."""
    host = (urlsplit(url).hostname or "").lower()
    return _first(any(fnmatchcase(host, glob) for glob in kind.hosts) for kind in KINDS.values())


def kind_of_headers(headers: Mapping[str, str]) -> Kind | None:
    """Returns the kind that names itself in the headers of any answer."""
    server = headers.get("Server", "").lower()
    return _first(bool(kind.server) and server.startswith(kind.server) for kind in KINDS.values())


def kind_of_owners(owners: Iterable[str]) -> Kind | None:
    """Returns the kind that owns the models of a list."""
    named = {owner.lower() for owner in owners}
    return _first(not named.isdisjoint(kind.owners) for kind in KINDS.values())


def _first(fits: Iterable[bool]) -> Kind | None:
    return next((kind for kind, does in zip(KINDS.values(), fits, strict=True) if does), None)
