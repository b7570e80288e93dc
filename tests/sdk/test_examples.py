"""Every example runs with only its address changed, and prints what docs/clients.md shows."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import ROOT
from tests.sdk.node import FOLDER, needs_node, run_node

EXAMPLES = ROOT / "examples"
ADDRESS = "http://127.0.0.1:8080"
TIMEOUT_S = 120

DOCS = (ROOT / "docs/clients.md").read_text()
SHOWN = DOCS.partition("shows this:\n\n```\n")[2].partition("\n```\n")[0]


def names(pattern: str) -> list[str]:
    return sorted(path.name for path in EXAMPLES.glob(pattern))


@pytest.fixture
def copy(gateway_url: str, tmp_path: Path) -> Callable[[str], str]:
    """Copies an example, with the address of the gateway; returns its path."""

    def make(name: str) -> str:
        source = (EXAMPLES / name).read_text()
        assert ADDRESS in source
        made = tmp_path / name
        made.write_text(source.replace(ADDRESS, gateway_url))
        return str(made)

    return make


def run(*command: str, **env: str) -> str:
    """The standard output of a program, which must succeed."""
    ran = subprocess.run(
        command,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", names("*.py"))
@pytest.mark.usefixtures("close_clients")
def test_a_python_example_prints_what_the_docs_show(
    copy: Callable[[str], str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, because a new one would take seconds to import the SDK again."""
    if name.startswith("langchain"):  # it keeps its connections for whatever comes later
        printed = run(sys.executable, copy(name))
    else:
        runpy.run_path(copy(name), run_name="__main__")
        printed = capsys.readouterr().out
    assert printed.strip() == SHOWN


@needs_node
@pytest.mark.parametrize("name", names("*.mjs"))
def test_a_javascript_example_prints_what_the_docs_show(
    copy: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    printed = run_node(copy(name)).stdout
    if name == "event_source.mjs":
        names = [line.split()[0] for line in printed.splitlines() if line[0].isalpha()]
        # Texts that arrive in one read are one delta.
        assert list(dict.fromkeys(names)) == [
            "prompt_summary",
            "reasoning_summary",
            "final_output_delta",
            "done",
        ]
    else:
        assert printed.strip() == SHOWN


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_curl_example_streams_an_answer(copy: Callable[[str], str]) -> None:
    printed = run("sh", copy("curl.sh"))
    assert '"reasoning_content":"hi\\n\\n","reasoning":"hi\\n\\n"' in printed
    assert printed.endswith("data: [DONE]\n\n")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_gets_non_streamed_answers_and_errors(copy: Callable[[str], str]) -> None:
    script = Path(copy("curl.sh"))
    whole = script.read_text().replace('"stream": true', '"stream": false')
    answer = json.loads(run("sh", "-c", whole))
    assert answer["choices"][0]["message"]["reasoning"] == SHOWN.splitlines()[2]
    assert answer["choices"][0]["message"]["content"] == SHOWN.splitlines()[-1]
    refused = script.read_text().replace('"default"', '"no-such-model"')
    assert json.loads(run("sh", "-c", refused))["error"]["code"] == "model_not_found"
    cut = script.read_text().replace('"default"', '"cut@tps=0"')
    *_, failure, end = run("sh", "-c", cut).strip().split("\n\n")
    assert json.loads(failure.removeprefix("data: "))["error"]["code"] == "upstream_broke_off"
    assert end == "data: [DONE]"


def test_the_llm_example_prints_the_answer(copy: Callable[[str], str], tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    key = {"OPENAI_API_KEY": "unused"}
    printed = run("sh", copy("llm.sh"), LLM_USER_PATH=str(tmp_path), PATH=path, **key)
    assert printed.strip() == SHOWN.splitlines()[-1]  # the reasoning is on standard error


@pytest.mark.parametrize("name", names("*.sh"))
def test_a_shell_example_has_valid_syntax(name: str) -> None:
    run("sh", "-n", str(EXAMPLES / name))
