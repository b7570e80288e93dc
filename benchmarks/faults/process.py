"""The gateway as a process: start, inspect, stop."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent.parent
START_S = 20.0

_REFUSED_KEY = '"event": "upstream refused the gateway\'s key"'
"""An expected error in the log: some plans answer 401 or 403."""


class Gateway:
    """`gunicorn -c gunicorn.conf.py wsgi:app` on a free port; a context manager."""

    def __init__(self, upstreams: Sequence[tuple[str, str]], settings: dict[str, Any]) -> None:
        """upstreams: names and addresses."""
        self._folder = tempfile.TemporaryDirectory(prefix="faults-")
        folder = Path(self._folder.name)
        toml = "".join(
            f'[[upstreams]]\nname = "{name}"\nurl = "{url}"\n' for name, url in upstreams
        )
        limits = ("connect", "first_byte", "idle", "total")
        per_upstream = "".join(f"{n}_timeout_s = {settings[f'{n}_timeout_s']}\n" for n in limits)
        toml = toml.replace("[[upstreams]]\n", f"[[upstreams]]\n{per_upstream}")
        (folder / "gateway.toml").write_text(toml)
        self._log = folder / "gateway.log"
        env = {name.upper(): str(value) for name, value in settings.items()}
        env |= {
            "UPSTREAM_URL": upstreams[0][1],
            "PORT": "0",
            "WEB_CONCURRENCY": "1",
            "GATEWAY_CONFIG": str(folder / "gateway.toml"),
        }
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                [Path(sys.executable).parent / "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.address = self._wait_for(r"Listening at: http://(\S+)")
        self.worker = int(self._wait_for(r"Booting worker with pid: (\d+)"))
        self.health()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()

    def health(self) -> dict[str, Any]:
        """Returns the JSON of /health."""
        found: dict[str, Any] = json.loads(self._get("/health"))
        return found

    def metric(self, name: str) -> dict[str, float]:
        """Returns a metric's series: labels as text → value."""
        found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", self._get("/metrics"), re.M)
        return {labels: float(value) for labels, value in found}

    def turns(self) -> dict[str, list[dict[str, Any]]]:
        """Returns request id → log lines of turns."""
        turns = defaultdict(list)
        for line in self._log.read_text().splitlines():
            if line.startswith("{"):
                event = json.loads(line)
                if event["event"] == "turn":
                    turns[event["request"]].append(event)
        return turns

    def complaints(self) -> list[str]:
        """Returns the errors in the log, without those that the plans cause."""
        words = ("Traceback", '"level": "error"', '"level": "critical"')
        lines = self._log.read_text().splitlines()
        return [
            line[:300]
            for line in lines
            if any(word in line for word in words) and _REFUSED_KEY not in line
        ]

    def open_files(self) -> int:
        """Returns how many file descriptors the worker has open."""
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def memory_mb(self) -> float:
        """Returns the worker's resident memory."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def _get(self, path: str) -> str:
        with urlopen(f"http://{self.address}{path}", timeout=START_S) as response:
            text: str = response.read().decode()
        return text

    def _wait_for(self, pattern: str) -> str:
        deadline = time.monotonic() + START_S
        while not (found := re.search(pattern, self._log.read_text())):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the gateway did not start:\n{self._log.read_text()}")
            time.sleep(0.05)
        return found[1]
