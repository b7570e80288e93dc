"""A short run of the benchmark of worst clients: the others hardly notice them."""

import subprocess
import sys

import pytest

from tests.machine import allowed
from tests.programs import ROOT

pytestmark = pytest.mark.alone

KINDS = ("many small parts", "a huge event", "malformed heads", "reasoning without sentences")


def test_the_worst_clients_do_not_keep_the_others_waiting() -> None:
    # What is not bounded takes seconds on any machine.
    longest_ms = str(allowed(250))
    args = [sys.executable, "-m", "benchmarks.worst", "--seconds", "1", "--longest-ms", longest_ms]
    args += [arg for kind in KINDS for arg in ("--only", kind)]
    ran = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
