"""The generated parts of docs/clients.md: the examples, and the table of tested clients."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
SDK = ROOT / "tests/sdk"

_LANGUAGES = {".py": "python", ".mjs": "js", ".js": "js", ".sh": "sh"}


class TestedClient(NamedTuple):
    """A client, and what its tests cover."""

    name: str
    packages: tuple[str, ...]
    """The newest version that is tested and, for some clients, the oldest."""
    apis: str
    not_streamed: bool
    """Whether the tests cover answers that are not streamed."""
    failures: bool
    """Whether the tests cover failures."""
    tests: str
    """The names of the test files, comma-separated."""


_TESTED = (
    TestedClient(
        "openai-python",
        ("openai", "openai-old"),
        "chat, Responses",
        True,
        True,
        "test_openai_chat.py, test_openai_responses.py, test_keys.py",
    ),
    TestedClient(
        "anthropic-python",
        ("anthropic", "anthropic-old"),
        "Messages",
        True,
        True,
        "test_anthropic_messages.py, test_keys.py",
    ),
    TestedClient(
        "openai-node",
        ("npm:openai", "npm:openai-5"),
        "chat, Responses",
        True,
        True,
        "openai_chat.test.mjs, openai_responses.test.mjs, keys.test.mjs",
    ),
    TestedClient(
        "@anthropic-ai/sdk",
        ("npm:@anthropic-ai/sdk", "npm:@anthropic-ai/sdk-old"),
        "Messages",
        True,
        True,
        "anthropic_messages.test.mjs, keys.test.mjs",
    ),
    TestedClient(
        "AI SDK",
        ("npm:ai", "npm:ai-5"),
        "chat, Responses, Messages",
        True,
        True,
        "ai_sdk.test.mjs, keys.test.mjs",
    ),
    TestedClient(
        "langchain-deepseek", ("langchain-deepseek",), "chat", True, True, "test_langchain.py"
    ),
    TestedClient(
        "langchain-openai", ("langchain-openai",), "Responses", True, True, "test_langchain.py"
    ),
    TestedClient("ollama-python", ("ollama", "ollama-old"), "Ollama", True, True, "test_ollama.py"),
    TestedClient(
        "langchain-ollama", ("langchain-ollama",), "Ollama", True, True, "test_langchain_ollama.py"
    ),
    TestedClient(
        "ollama-js", ("npm:ollama", "npm:ollama-old"), "Ollama", True, True, "ollama.test.mjs"
    ),
    TestedClient(
        "@langchain/ollama", ("npm:@langchain/ollama",), "Ollama", True, True, "ollama.test.mjs"
    ),
    TestedClient(
        "ollama-ai-provider-v2",
        ("npm:ollama-ai-provider-v2",),
        "Ollama",
        True,
        True,
        "ollama.test.mjs",
    ),
    TestedClient("llm", ("llm",), "Responses", True, True, "test_llm.py"),
    TestedClient("Open WebUI", ("open-webui",), "chat", True, True, "test_open_webui.py"),
    TestedClient("curl", (), "chat", True, True, "test_examples.py"),
    TestedClient("fetch in Chromium", (), "events", False, True, "test_page_example.py"),
    TestedClient(
        "eventsource-parser",
        ("npm:eventsource-parser",),
        "events",
        False,
        False,
        "test_examples.py",
    ),
)


def tested_clients_table() -> str:
    """The tested clients as a Markdown table."""
    rows = [
        "| client | versions | API | streamed | not streamed | failures | tests |",
        "|---|---|---|---|---|---|---|",
    ]
    pins = _pins()
    for client in _TESTED:
        versions = ", ".join(pins[package] for package in client.packages) or "Debian 12's"
        cells = (
            client.name,
            versions,
            client.apis,
            "yes",
            "yes" if client.not_streamed else "not tested",
            "yes" if client.failures else "not tested",
            ", ".join(f"`{name}`" for name in client.tests.split(", ")),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


class TestedAgent(NamedTuple):
    """A coding agent, and how it behaved in its tests."""

    name: str
    package: str
    api: str
    summary: str
    """Whether it shows the summaries."""
    error: str
    """Whether it shows an error that persists, and when."""
    tools: str = "yes"
    """Whether its tool calls work."""


_AGENTS = (
    TestedAgent("Codex", "@openai/codex", "Responses", "yes", "yes, after five retries in 7 s"),
    TestedAgent("Claude Code", "@anthropic-ai/claude-code", "Messages", "yes", "yes, at once"),
    TestedAgent("opencode", "opencode-ai", "chat", "yes", "yes"),
    TestedAgent("Qwen Code", "@qwen-code/qwen-code", "chat", "yes", "yes"),
    TestedAgent("Cline", "cline", "chat", "yes", "yes, at once"),
    TestedAgent(
        "aider",
        "aider-chat",
        "chat",
        "yes",
        "yes, at each of its tries in a minute",
        "it uses none",
    ),
    TestedAgent("openai-agents", "openai-agents", "Responses", "yes", "yes, at once"),
    TestedAgent("pydantic-ai", "pydantic-ai-slim", "chat", "yes", "yes, at once"),
)


def tested_agents_table() -> str:
    """The tested agents as a Markdown table; tests/real/test_agents.py asserts what it says."""
    pins = json.loads((ROOT / "tests/real/agents/package.json").read_text())["dependencies"]
    for name in ("requirements-agents.txt", "requirements-aider.txt"):
        pins |= _pinned(ROOT / name)
    rows = [
        "| agent | version | API | streamed | tools | summary shown | history right "
        "| error shown |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for agent in _AGENTS:
        head = f"| {agent.name} | {pins[agent.package]} | {agent.api} | yes | {agent.tools}"
        rows.append(f"{head} | {agent.summary} | yes | {agent.error} |")
    return "\n".join(rows)


def _pins() -> dict[str, str]:
    """Returns package → the version that the tests use."""
    pins = _pinned(ROOT / "requirements-dev.txt") | _pinned(ROOT / "requirements-webui.txt")
    pins |= {
        f"{name}-old": version for name, version in _pinned(SDK / "requirements-old.txt").items()
    }
    packages = json.loads((SDK / "node/package.json").read_text())["dependencies"]
    return pins | {f"npm:{name}": _version(text) for name, text in packages.items()}


def _pinned(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w-]+)(?:\[.*\])?==(\S+)", path.read_text(), re.MULTILINE))


def _version(text: str) -> str:
    """Returns `5.23.2` for both `5.23.2` and `npm:openai@5.23.2`."""
    return text.rpartition("@")[2]


def _snippet(path: Path) -> str:
    return f"```{_LANGUAGES[path.suffix]}\n{path.read_text().rstrip()}\n```"


def parts() -> dict[str, Callable[[], str]]:
    """Returns the name of each generated part → a function that makes it."""
    examples = sorted((ROOT / "examples").iterdir())
    snippets = {path.name: partial(_snippet, path) for path in examples}
    return {**snippets, "tested": tested_clients_table, "agents": tested_agents_table}
