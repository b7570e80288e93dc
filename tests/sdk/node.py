"""Node, with the packages of tests/sdk/node.

The newest SDKs need Node 22, Debian 12 has 18: where a package of it exists, Node comes from npm
like everything else; elsewhere it is the one on the path.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "node"
TIMEOUT_S = 120

_own = next(FOLDER.glob("node_modules/node-linux-*/bin/node"), None)
_node = str(_own) if _own else shutil.which("node")

needs_node = pytest.mark.skipif(
    not (_node and (FOLDER / "node_modules/openai").exists()),
    reason="needs the JavaScript SDKs: run `make sdks`, with npm",
)


def run_node(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Node in the folder of the packages; what it says is in `stdout`."""
    assert _node
    return subprocess.run(
        [_node, *args],
        cwd=FOLDER,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
