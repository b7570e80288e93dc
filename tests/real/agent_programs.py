"""Runs coding agents against a gateway: each with a home of its own and a clean environment."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(__file__).parent / "agents/node_modules/.bin"
TIMEOUT_S = 90
_OFFLINE = {"NO_PROXY": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9"}
"""Nothing listens on port 9: the programs reach the gateway, and no service of their makers."""
_CODEX_CONFIG = """
model_provider = "gateway"
model_reasoning_summary = "auto"
[model_providers.gateway]
name = "gateway"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
"""


@dataclass
class Run:
    """What a program did."""

    status: int
    events: list[dict[str, Any]]
    """The JSON lines that it printed."""
    output: str


def _codex(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(_CODEX_CONFIG.format(url=url))
    args = ["codex", "exec", "--json", "--skip-git-repo-check", "-m", model]
    args += ["--dangerously-bypass-approvals-and-sandbox"]
    return [*args, *(["resume", "--last"] if turn else []), prompt], {"GATEWAY_KEY": "unused"}


def _claude(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    args = ["claude", "-p", prompt, "--model", model, "--output-format", "stream-json"]
    args += ["--verbose", "--dangerously-skip-permissions", *(["--continue"] if turn else [])]
    return args, {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "unused",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "IS_SANDBOX": "1",
        "MAX_THINKING_TOKENS": "4000",
    }


def _opencode(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    config = {
        "provider": {
            "gateway": {
                "npm": "@ai-sdk/openai-compatible",
                "options": {"baseURL": f"{url}/openai/v1", "apiKey": "unused"},
                "models": {model: {"name": model, "reasoning": True}},
            }
        },
        "permission": "allow",
        "autoupdate": False,
        "share": "disabled",
    }
    (home / "opencode.json").write_text(json.dumps(config))
    args = ["opencode", "run", "--format", "json", "--thinking", "-m", f"gateway/{model}"]
    return [*args, *(["--continue"] if turn else []), prompt], {
        "OPENCODE_CONFIG": str(home / "opencode.json"),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }


def _qwen(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    folder = home / ".qwen"
    folder.mkdir(exist_ok=True)
    settings = {"privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False}}
    (folder / "settings.json").write_text(json.dumps(settings))
    args = ["qwen", "--auth-type", "openai", "-m", model, "--yolo", "-o", "stream-json"]
    return [*args, *(["--continue"] if turn else []), "-p", prompt], {
        "OPENAI_BASE_URL": f"{url}/openai/v1",
        "OPENAI_API_KEY": "unused",
        "OPENAI_MODEL": model,
        "HTTPS_PROXY": "",  # it would send everything there, whatever NO_PROXY says
    }


_Start = Callable[[str, Path, str, str, int], tuple[list[str], dict]]
AGENTS: Mapping[str, _Start] = {
    "codex": _codex,
    "claude": _claude,
    "opencode": _opencode,
    "qwen": _qwen,
}


def start_agent(
    name: str, url: str, home: Path, model: str, prompt: str, turn: int = 0
) -> subprocess.Popen[str]:
    """Starts a program on one prompt. turn: from 1 on, it goes on with its last session."""
    args, env = AGENTS[name](url, home, model, prompt, turn)
    work = home / "work"
    work.mkdir(exist_ok=True)
    return subprocess.Popen(
        [str(BIN / args[0]), *args[1:]],
        cwd=work,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **_OFFLINE, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_agent(name: str, url: str, home: Path, model: str, prompt: str, turn: int = 0) -> Run:
    """Runs a program on one prompt, to its end."""
    process = start_agent(name, url, home, model, prompt, turn)
    try:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return Run(process.returncode, [json.loads(line) for line in lines], output)
