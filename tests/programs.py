"""Starts the mock and the gateway as processes on free ports, and stops them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from urllib.parse import urlsplit

from tests.machine import PATIENCE_S
from tests.starter import ForkedProcess

ROOT = Path(__file__).parent.parent
DRIVERS = ("auto", "plain")
"""The values of RELAY_DRIVER. Tests of how bytes pass through run with each."""


Process = ForkedProcess | subprocess.Popen[bytes]


def run_command(args: list[str], cwd: Path, env: dict[str, str], output: str) -> Process:
    """Starts a command that writes to the file `output`."""
    with open(output, "w") as file:
        return subprocess.Popen(
            args, cwd=cwd, env=env, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )


class Program:
    """A process that prints the address it listens on; a context manager."""

    def __init__(
        self,
        args: list[str],
        address: str,
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
        start_s: float = PATIENCE_S,
        start: Callable[..., Process] = run_command,
    ) -> None:
        """address: a pattern whose first group is the address, printed within `start_s`."""
        self._log = NamedTemporaryFile(mode="r", suffix=".log")  # noqa: SIM115
        env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self.process = start(args, cwd, env, self._log.name)
        self.url = self.wait_for(address, start_s)

    def output(self, after: int = 0) -> str:
        """Returns what the process has printed so far. after: without so many bytes."""
        with open(self._log.name, "rb") as log:
            log.seek(after)
            return log.read().decode()

    def output_size(self) -> int:
        """Returns how many bytes the process has printed so far."""
        return os.stat(self._log.name).st_size

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S) -> str:
        """Waits until the output matches; returns the first group, or the whole match.

        Raises AssertionError if the process ends or `timeout_s` passes before.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if found := re.search(pattern, self.output()):
                return found.group(found.lastindex or 0)
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"no {pattern!r} in the output:\n{self.output()}")
            time.sleep(0.02)

    def stop(self) -> int:
        """Sends SIGTERM, after PATIENCE_S SIGKILL; returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._log.close()


def start_mock(*options: str) -> Program:
    """Starts `python mock_upstream.py` on a free port."""
    args = ["mock_upstream.py", "--port", "0", *options]
    return Program(args, r"mock upstream on (http://\S+)", start=ForkedProcess)


def boot_gateway(upstream_url: str, *options: str, **settings: object) -> Program:
    """Starts gunicorn with one worker on a free port, and does not wait until it is ready.

    options: more command-line options for gunicorn.
    """
    env = {"UPSTREAM_URL": upstream_url, "PORT": "0", "WEB_CONCURRENCY": "1"}
    env |= {name.upper(): str(value) for name, value in settings.items()}
    if "PYTHONPATH" in env:  # Python reads it when it starts
        args = [sys.executable, "-m", "gateway", *options]
        gateway = Program(args, r"Listening at: (\S+)", env)
    else:
        gateway = Program(["gateway", *options], r"Listening at: (\S+)", env, start=ForkedProcess)
    gateway.wait_for(r"Booting worker")
    return gateway


def start_gateway(upstream_url: str, **settings: object) -> Program:
    """Starts a gateway as :func:`boot_gateway` does, and waits until it answers."""
    gateway = boot_gateway(upstream_url, **settings)
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=60)
    try:
        connection.request("GET", "/health", headers={"Connection": "close"})
        connection.getresponse().read()
    except OSError as error:
        gateway.stop()
        raise AssertionError(f"the gateway does not answer:\n{gateway.output()}") from error
    finally:
        connection.close()
    return gateway


def workers_of(gateway: Program) -> list[int]:
    """Returns the process ids of a gateway's running workers."""
    booted = re.findall(r"Booting worker with pid: (\d+)", gateway.output())
    return [int(pid) for pid in booted if Path(f"/proc/{pid}").exists()]


def resident_mb(pid: int) -> float:
    """Returns the resident memory of a process in MB."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6
