"""A short run of the faults of kept streams with a fixed seed finds no fault."""

import subprocess
import sys

from tests.programs import ROOT
from tests.redis_server import needs_redis


@needs_redis
def test_every_reader_has_every_event_once_or_a_truthful_failure() -> None:
    args = ["--turns", "40", "--seconds", "7", "--seed", "1"]
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults.kept", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
