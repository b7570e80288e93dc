"""Node, with the packages of tests/sdk/node.

The newest SDKs need Node 22, and Debian 12 has 18, so Node comes from a Python package.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"
TIMEOUT_S = 120

needs_node = pytest.mark.skipif(
    not (FOLDER / "node_modules/.installed").exists(),
    reason="needs the JavaScript SDKs: run `make sdks`",
)


def run_node(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs Node in the folder of the packages; `stdout` has all its output."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "node"), *args],
        cwd=FOLDER,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
