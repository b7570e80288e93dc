"""Runs coding agents against a gateway: each with a home of its own and a clean environment."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
BIN = _HERE / "agents/node_modules/.bin"
AIDER = _ROOT / ".venv-aider/bin/aider"
FRAMEWORKS = _ROOT / ".venv-agents/bin/python"
TIMEOUT_S = 180
_OFFLINE = {"NO_PROXY": "127.0.0.1", "HTTPS_PROXY": "http://127.0.0.1:9"}
"""Nothing listens on port 9: the programs reach the gateway, and no service of their makers."""
COMPACT_AT = "compact_at"
"""A file in the home, with the tokens from which on Codex sums up the conversation."""
_CODEX_CONFIG = """
model_reasoning_summary = "auto"
"""
_CODEX_OPENAI = 'openai_base_url = "{url}/v1"'
_CODEX_PROVIDER = """
model_provider = "gateway"
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
    output: str


def _codex(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    return _codex_with(_CODEX_PROVIDER.format(url=url), home, model, prompt, turn)


def _codex_openai(
    url: str, home: Path, model: str, prompt: str, turn: int
) -> tuple[list[str], dict]:
    """With Codex's own provider, which asks the server to compact a conversation."""
    return _codex_with(_CODEX_OPENAI.format(url=url), home, model, prompt, turn)


def _codex_with(
    provider: str, home: Path, model: str, prompt: str, turn: int
) -> tuple[list[str], dict]:
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    config = _CODEX_CONFIG
    if (limit := home / COMPACT_AT).exists():
        config += f"model_auto_compact_token_limit = {limit.read_text()}\n"
    (folder / "config.toml").write_text(config + provider)
    args = ["codex", "exec", "--json", "--skip-git-repo-check", "-m", model]
    args += ["--dangerously-bypass-approvals-and-sandbox"]
    keys = {"GATEWAY_KEY": "unused", "CODEX_API_KEY": "unused"}
    return [*args, *(["resume", "--last"] if turn else []), prompt], keys


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


def _cline(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    folder = home / ".cline/data/settings"
    folder.mkdir(parents=True, exist_ok=True)
    base_url = f"{url}/openai/v1"
    known = {"provider": {"name": "gateway", "baseUrl": base_url}, "models": {model: {"id": model}}}
    models = {"version": 1, "providers": {"openai-compatible": known}}
    (folder / "models.json").write_text(json.dumps(models))
    settings = {"provider": "openai-compatible", "apiKey": "unused", "baseUrl": base_url}
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00Z", "tokenSource": "manual"}
    providers = {"version": 1, "providers": {"openai-compatible": entry}}
    (folder / "providers.json").write_text(json.dumps(providers))
    # `cline --json` goes on with no session; over the Agent Client Protocol it does.
    acp = str(_HERE / "programs/acp_prompt.py")
    args = [sys.executable, acp, str(home / "session"), prompt, str(BIN / "cline"), "--acp"]
    return args, {
        "CLINE_PROVIDER": "openai-compatible",
        "CLINE_API_KEY": "unused",
        "CLINE_MODEL": model,
        "CLINE_SESSION_BACKEND_MODE": "local",  # no daemon that outlives the program
        "CLINE_NO_AUTO_UPDATE": "1",
    }


def _aider(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
    args = [str(AIDER), "--model", f"openai/{model}", "--message", prompt, "--yes-always"]
    args += ["--no-git", "--no-pretty", "--no-check-update", "--no-show-model-warnings"]
    args += ["--analytics-disable", *(["--restore-chat-history"] if turn else [])]
    return args, {"OPENAI_API_BASE": f"{url}/openai/v1", "OPENAI_API_KEY": "unused"}


def _framework(script: str) -> "_Start":
    def args(url: str, home: Path, model: str, prompt: str, turn: int) -> tuple[list[str], dict]:
        program = str(_HERE / "programs" / script)
        return [str(FRAMEWORKS), program, url, model, str(home / "session"), prompt], {}

    return args


_Start = Callable[[str, Path, str, str, int], tuple[list[str], dict]]
AGENTS: Mapping[str, _Start] = {
    "codex": _codex,
    "claude": _claude,
    "opencode": _opencode,
    "qwen": _qwen,
    "cline": _cline,
    "aider": _aider,
    "openai-agents": _framework("openai_agents_prompt.py"),
    "pydantic-ai": _framework("pydantic_ai_prompt.py"),
}
_STARTS = {**AGENTS, "codex-openai": _codex_openai}
PROGRAMS = {
    **{name: BIN / name for name in ("codex", "claude", "opencode", "qwen", "cline")},
    "codex-openai": BIN / "codex",
    "aider": AIDER,
    **dict.fromkeys(("openai-agents", "pydantic-ai"), FRAMEWORKS),
}
"""What each needs, which `make test-real` installs."""


def start_agent(
    name: str, url: str, home: Path, model: str, prompt: str, turn: int = 0
) -> subprocess.Popen[str]:
    """Starts a program on one prompt. turn: from 1 on, it goes on with its last session."""
    args, env = _STARTS[name](url, home, model, prompt, turn)
    work = home / "work"
    work.mkdir(exist_ok=True)
    return subprocess.Popen(
        [str(BIN / args[0]), *args[1:]],  # an absolute path stays
        cwd=work,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **_OFFLINE, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end_group(process: subprocess.Popen[str]) -> None:
    """Ends a program with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_agent(
    name: str, url: str, home: Path, model: str, prompt: str, turn: int = 0, until: str = ""
) -> Run:
    """Runs a program on one prompt, to its end or until it has printed a text."""
    process = start_agent(name, url, home, model, prompt, turn)
    assert process.stdout is not None
    limit = threading.Timer(TIMEOUT_S, end_group, [process])
    limit.start()
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if until and until in one_line("".join(lines)):
                break
        else:
            process.wait()
    finally:
        limit.cancel()
        end_group(process)
        process.communicate()
    return Run(process.returncode, "".join(lines))


def one_line(text: str) -> str:
    """The text without its line breaks: some programs wrap what they print."""
    return " ".join(text.split())
