"""Runs the tests of the Python SDKs with the oldest versions in use."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT

HERE = Path(__file__).parent
OLD = Path(sys.prefix) / "sdk-old"
PINS = dict(re.findall(r"^(\w+)==(\S+)", (HERE / "requirements-old.txt").read_text(), re.MULTILINE))
TESTS = [
    *("test_openai_chat.py", "test_openai_responses.py", "test_anthropic_messages.py"),
    *("test_ollama.py", "test_keys.py"),
]
TIMEOUT_S = 600

pytestmark = pytest.mark.skipif(not OLD.exists(), reason="needs the old SDKs: run `make sdks`")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with the old SDKs on its path, before the new ones."""
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(OLD)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


@pytest.mark.parametrize("package", PINS)
def test_the_old_version_is_imported(package: str) -> None:
    ran = run("-c", f"from importlib.metadata import version; print(version('{package}'))")
    assert ran.stdout.strip() == PINS[package]


def test_the_old_sdks_pass() -> None:
    ran = run("-m", "pytest", *(str(HERE / name) for name in TESTS))
    assert ran.returncode == 0, ran.stdout[-5000:]
