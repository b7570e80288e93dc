"""A gateway in front of the mock as a server of each kind."""

import json
from pathlib import Path

from gateway.mock.models import MODELS

KINDS = ("vllm", "sglang", "llama.cpp", "ollama", "deepseek", "dashscope", "openrouter", "chat")


def write_settings(path: Path, mock_url: str, speed: int) -> Path:
    """Writes an upstream of each kind; the model `<kind>/<model>` is the mock's of that name.

    speed: tokens a second.
    """
    names = [name for name in MODELS if name.startswith("thinker")]
    tables = []
    for kind in KINDS:
        models = [f"{kind}/{name}" for name in names]
        renames = ", ".join(f'"{kind}/{name}" = "{name}@tps={speed}"' for name in names)
        base = mock_url if kind == "chat" else f"{mock_url}/kinds/{kind}/v1"
        tables.append(
            f'[[upstreams]]\nname = "{kind}"\nkind = "{kind}"\nurl = "{base}"\n'
            f"models = {json.dumps(models)}\nrename = {{ {renames} }}\n"
        )
    path.write_text("\n".join(tables))
    return path
