"""Options, help, shell completion."""

import pytest
import responses
from click.testing import CliRunner

from gateway.terminal import cli
from tests.web.terminal.fake_gateway import URL, connection_refused, run_client


@pytest.mark.parametrize(
    "args",
    [
        ["--format", "xml"],
        ["--reasoning", "loud"],
        ["--timeout", "0"],
        ["--health", "--check"],
        ["--nonsense"],
        [],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2(gateway: responses.RequestsMock, args: list[str]) -> None:
    result = run_client(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not gateway.calls


def test_no_prompt_on_a_terminal_shows_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "stdin_is_terminal", lambda: True)
    result = run_client()
    assert (result.exit_code, result.stdout.split(maxsplit=1)[0]) == (0, "Usage:")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_completes_client_py(shell: str) -> None:
    result = run_client("--completion", shell)
    assert result.exit_code == 0
    assert "_CLIENT_PY_COMPLETE" in result.stdout
    assert "client.py" in result.stdout


def completions(typed: str) -> list[str]:
    words = f"client.py --url {URL} {typed}"
    env = {"_CLIENT_PY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    result = CliRunner().invoke(cli.main, prog_name="client.py", env=env)
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_model_names_are_completed_from_the_gateway(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/v1/models", json={"data": [{"id": "qwen3-8b"}, {"id": "other"}]})
    assert completions("--model q") == ["qwen3-8b"]


def test_model_completion_is_empty_without_a_gateway(gateway: responses.RequestsMock) -> None:
    gateway.get(f"{URL}/v1/models", body=connection_refused())
    assert completions("--model q") == []


def test_every_option_and_exit_status_is_in_the_help() -> None:
    shown = run_client("--help").stdout
    for parameter in cli.main.params:
        assert parameter.opts[-1] in shown
    for status in ("0 ", "1 ", "2 ", "130 "):
        assert f"\n    {status}" in shown
