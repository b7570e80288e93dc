"""A short run of the fault benchmark with a fixed seed finds no fault."""

import subprocess
import sys

import pytest

from tests.programs import ROOT

pytestmark = pytest.mark.alone

SECONDS = 12


def test_the_fault_benchmark_finds_no_fault() -> None:
    args = [sys.executable, "-m", "benchmarks.faults", "--turns", "200", "--seconds", str(SECONDS)]
    ran = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
