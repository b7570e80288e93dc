"""The made parts of docs/clients.md: the examples as they are, and what was run."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SDK = ROOT / "tests/sdk"

_LANGUAGES = {".py": "python", ".mjs": "js", ".js": "js", ".sh": "sh"}


class Run(NamedTuple):
    """A client, and what its tests make it do."""

    client: str
    packages: tuple[str, ...]
    """Newest and, where there is one, oldest."""
    doors: str
    in_one_piece: bool
    failures: bool
    tests: str


_RUNS = (
    Run(
        "openai-python",
        ("openai", "openai-old"),
        "chat, Responses",
        True,
        True,
        "test_openai_chat.py, test_openai_responses.py, test_keys.py",
    ),
    Run(
        "anthropic-python",
        ("anthropic", "anthropic-old"),
        "Messages",
        True,
        True,
        "test_anthropic_messages.py, test_keys.py",
    ),
    Run(
        "openai-node",
        ("npm:openai", "npm:openai-5"),
        "chat, Responses",
        True,
        True,
        "openai_chat.test.mjs, openai_responses.test.mjs, keys.test.mjs",
    ),
    Run(
        "@anthropic-ai/sdk",
        ("npm:@anthropic-ai/sdk", "npm:@anthropic-ai/sdk-old"),
        "Messages",
        True,
        True,
        "anthropic_messages.test.mjs, keys.test.mjs",
    ),
    Run(
        "AI SDK",
        ("npm:ai", "npm:ai-5"),
        "chat, Responses, Messages",
        True,
        True,
        "ai_sdk.test.mjs, keys.test.mjs",
    ),
    Run("langchain-deepseek", ("langchain-deepseek",), "chat", True, True, "test_langchain.py"),
    Run("langchain-openai", ("langchain-openai",), "Responses", True, True, "test_langchain.py"),
    Run(
        "ollama-python",
        ("ollama", "ollama-old"),
        "Ollama",
        True,
        True,
        "test_ollama.py",
    ),
    Run(
        "langchain-ollama", ("langchain-ollama",), "Ollama", True, True, "test_langchain_ollama.py"
    ),
    Run(
        "ollama-js",
        ("npm:ollama", "npm:ollama-old"),
        "Ollama",
        True,
        True,
        "ollama.test.mjs",
    ),
    Run("@langchain/ollama", ("npm:@langchain/ollama",), "Ollama", True, True, "ollama.test.mjs"),
    Run(
        "ollama-ai-provider-v2",
        ("npm:ollama-ai-provider-v2",),
        "Ollama",
        True,
        True,
        "ollama.test.mjs",
    ),
    Run("llm", ("llm",), "Responses", True, True, "test_llm.py"),
    Run("Open WebUI", ("open-webui",), "chat", True, True, "test_open_webui.py"),
    Run("curl", (), "chat", True, True, "test_examples.py"),
    Run("fetch in Chromium", (), "events", False, True, "test_page_example.py"),
    Run(
        "eventsource-parser",
        ("npm:eventsource-parser",),
        "events",
        False,
        False,
        "test_examples.py",
    ),
)


def runs_table() -> str:
    """What was run, as a Markdown table."""
    rows = [
        "| client | versions | door | streamed | in one piece | failures | tests |",
        "|---|---|---|---|---|---|---|",
    ]
    pins = _pins()
    for run in _RUNS:
        versions = ", ".join(pins[package] for package in run.packages) or "Debian 12's"
        cells = (
            run.client,
            versions,
            run.doors,
            "yes",
            "yes" if run.in_one_piece else "not tried",
            "yes" if run.failures else "not tried",
            ", ".join(f"`{name}`" for name in run.tests.split(", ")),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _pins() -> dict[str, str]:
    """Package → the version that the tests run."""
    pins = _pinned(ROOT / "requirements-dev.txt") | _pinned(ROOT / "requirements-webui.txt")
    pins |= {
        f"{name}-old": version for name, version in _pinned(SDK / "requirements-old.txt").items()
    }
    packages = json.loads((SDK / "node/package.json").read_text())["dependencies"]
    return pins | {f"npm:{name}": _version(text) for name, text in packages.items()}


def _pinned(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)==(\S+)", path.read_text(), re.MULTILINE))


def _version(text: str) -> str:
    """`npm:openai@5.23.2` and `5.23.2` are the same version."""
    return text.rpartition("@")[2]


def _snippet(path: Path) -> str:
    return f"```{_LANGUAGES[path.suffix]}\n{path.read_text().rstrip()}\n```"


def parts() -> dict[str, Callable[[], str]]:
    """Every example by its file's name, and the table."""
    examples = sorted((ROOT / "examples").iterdir())
    return {path.name: partial(_snippet, path) for path in examples} | {"runs": runs_table}
