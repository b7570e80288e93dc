"""Members of a request that model servers need otherwise than clients send them."""

import hashlib
from collections.abc import Mapping
from typing import Any

STRANGERS = frozenset(
    {
        "allowed_openai_params",
        "client_metadata",
        "drop_params",
        "extra_body",
        "extra_headers",
        "extra_query",
    }
)
"""Members that clients send by mistake or for other services; strict servers refuse them."""
_MAX_ID_CHARS = 64
"""OpenAI refuses a longer one. Claude Code's has 150 characters."""
_USER_IDS = ("user", "safety_identifier", "prompt_cache_key")


def for_servers(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the body without strangers, and with the ids of its user hashed where too long."""
    kept = {name: value for name, value in body.items() if name not in STRANGERS}
    for name in _USER_IDS:
        if isinstance(id := kept.get(name), str) and len(id) > _MAX_ID_CHARS:
            kept[name] = hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
    return kept
