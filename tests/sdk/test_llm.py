"""The `llm` program on the Responses API."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from llm.cli import cli

from tests.sdk.expected import ANSWER, BROKEN, REFUSED, SUMMARY

MODEL = """
- model_id: gateway
  model_name: {name}
  api_base: {url}/v1
  responses: true
  reasoning: true
"""
Llm = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("close_clients")


@pytest.fixture
def llm(gateway_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llm:
    """Runs the program with a model of the gateway, in this process: its imports take seconds."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", "unused")

    def run(name: str, *options: str) -> Result:
        settings = MODEL.format(name=name, url=gateway_url)
        (tmp_path / "extra-openai-models.yaml").write_text(settings)
        return CliRunner().invoke(cli, ["-m", "gateway", *options, "hi"])

    return run


def test_it_shows_the_reasoning_and_prints_the_answer(llm: Llm) -> None:
    ran = llm("default@tps=0")
    assert ran.stdout.strip() == ANSWER
    assert ran.stderr.split() == f"hi {SUMMARY}".split()


def test_a_non_streamed_answer_is_printed(llm: Llm) -> None:
    assert llm("default@tps=0", "--no-stream").stdout.strip() == ANSWER


def test_a_broken_stream_is_an_error(llm: Llm) -> None:
    ran = llm("cut@tps=0")
    assert ran.exit_code == 1
    assert BROKEN["cut"] in ran.stderr


def test_a_refusal_is_an_error(llm: Llm) -> None:
    ran = llm("error-400")
    assert ran.exit_code == 1
    assert REFUSED["error-400"][2] in ran.stderr
