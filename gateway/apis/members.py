"""Members of a request that have to change before a model server accepts the request."""

import hashlib
from collections.abc import Mapping
from typing import Any

_DROPPED = frozenset(
    {
        "allowed_openai_params",
        "client_metadata",
        "drop_params",
        "extra_body",
        "extra_headers",
        "extra_query",
    }
)
"""Members that clients send by mistake or for other services. Strict servers refuse them."""
_MAX_ID_CHARS = 64
"""OpenAI refuses a longer one. Claude Code's has 150 characters."""
_USER_IDS = ("user", "safety_identifier", "prompt_cache_key")


def for_servers(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body without the members in _DROPPED, and with hashes of too long user ids."""
    kept = {name: value for name, value in body.items() if name not in _DROPPED}
    for name in _USER_IDS:
        if isinstance(id := kept.get(name), str) and len(id) > _MAX_ID_CHARS:
            kept[name] = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
    return kept
