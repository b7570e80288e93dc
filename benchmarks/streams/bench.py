"""Measures CPU time per token and per request of the gateway and of other proxies.

    make bench                  the gateway, and nginx if it is installed
    make bench WITH=litellm     LiteLLM too; the first run installs it into its own directory

The gateway runs on the last core, the model server and the clients on the first. Other work on the
machine changes CPU time least, and ratios within a run even less; latencies need a quiet machine.
`docs/performance.md` explains the table. Everything runs on 127.0.0.1 and ends by itself.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_S = 90
CORES = sorted(os.sched_getaffinity(0))
LOAD_CORE, GATEWAY_CORE = CORES[0], CORES[-1]


class Case(NamedTuple):
    """One kind of load."""

    model: str
    streams: int
    seconds: float
    tokens: int
    """Tokens of one answer."""


CASES = {
    "one": Case("r20-a20", 1, 2, 40),
    "bulk": Case("r500-a500", 32, 5, 1000),
    "short": Case("r20-a20", 32, 4, 40),
    "paced": Case("r80-a80-p20", 250, 8, 160),
}
IDLE_STREAMS = 300


class Target(NamedTuple):
    """A proxy between clients and the model server."""

    name: str
    command: list[str]
    port: int
    environ: Mapping[str, str] = MappingProxyType({})
    body: Mapping[str, Any] = MappingProxyType({})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def targets(upstream: int, asked: list[str], folder: Path) -> list[Target]:
    """The proxies that this machine can run."""
    found = []
    for name, body in (
        ("gateway, phased", {}),
        ("gateway, openai raw", {"gateway": {"format": "openai", "reasoning": "raw"}}),
    ):
        port = free_port()
        environ = {
            "UPSTREAM_URL": f"http://127.0.0.1:{upstream}/v1",
            "PORT": str(port),
            "WEB_CONCURRENCY": "1",
            "LOG_LEVEL": "warning",
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        found.append(Target(name, command, port, environ, body))
    if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        port = free_port()
        settings = folder / "nginx.conf"
        settings.write_text(
            f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;"
            "events { worker_connections 4096; } http { access_log off; keepalive_requests 1000000;"
            f"upstream model {{ server 127.0.0.1:{upstream}; keepalive 512; }} server {{"
            f"listen 127.0.0.1:{port}; location / {{ proxy_pass http://model; proxy_buffering off;"
            "proxy_http_version 1.1; proxy_set_header Connection ''; } } }"
        )
        found.append(Target("nginx", [nginx, "-c", str(settings)], port))
    if "litellm" in asked:
        found.append(litellm(upstream, folder))
    return found


def litellm(upstream: int, folder: Path) -> Target:
    home = Path(tempfile.gettempdir()) / "bench-litellm"
    if not (home / "bin/litellm").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([home / "bin/pip", "install", "-q", "litellm[proxy]"], check=True)
    port = free_port()
    settings = folder / "litellm.yaml"
    where = f"{{model: 'openai/*', api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}"
    settings.write_text(f"model_list: [{{model_name: '*', litellm_params: {where}}}]\n")
    command = [str(home / "bin/litellm"), "--config", str(settings), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--num_workers", "1", "--telemetry", "False"]
    environ = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    return Target("litellm", command, port, environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})


@contextmanager
def running(command: list[str], core: int, environ: Mapping[str, str], log: Path) -> Iterator[int]:
    """Runs a program on one core, yields its process id and stops its process group."""
    pinned = ["taskset", "-c", str(core), *command]
    with log.open("w") as output:
        process = subprocess.Popen(
            pinned,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def usage(root: int) -> tuple[float, int]:
    """Returns CPU seconds and bytes of memory of a process and its descendants."""
    processes = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            cpu = sum(map(int, fields[11:15])) / TICKS
            processes[int(entry)] = (int(fields[1]), cpu, int(fields[21]) * PAGE_BYTES)
    ids, size = {root}, 0
    while size < len(ids):
        size = len(ids)
        ids |= {id for id, (parent, *_) in processes.items() if parent in ids}
    found = [processes[id] for id in ids if id in processes]
    return sum(cpu for _, cpu, _ in found), sum(memory for *_, memory in found)


def load(target: Target, case: Case, seconds: float | None = None) -> subprocess.Popen[str]:
    asked = {
        "port": target.port,
        "model": case.model,
        "streams": case.streams,
        "seconds": case.seconds if seconds is None else seconds,
        "body": dict(target.body),
    }
    command = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        sys.executable,
        str(HERE / "load.py"),
        json.dumps(asked),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    said = process.communicate(timeout=200)[0]
    return json.loads(said) if said else {"whole": 0, "requests": 0}


def wait_until_it_answers(target: Target) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", target.port), 1).close()
        except OSError:
            time.sleep(0.2)
            continue
        if result(load(target, Case("r2-a2", 1, 0, 4)))["whole"]:
            return
        time.sleep(0.5)
    sys.exit(f"{target.name} does not answer")


def measure(target: Target, folder: Path) -> dict[str, Any]:
    """Runs all cases against one target."""
    found: dict[str, Any] = {}
    log = folder / f"{target.name.replace(', ', '-').replace(' ', '-')}.log"
    with running(target.command, GATEWAY_CORE, target.environ, log) as id:
        wait_until_it_answers(target)
        result(load(target, CASES["short"], 1))
        before = usage(id)[1]
        idle = load(target, Case("r0-a1-d6", IDLE_STREAMS, 0, 1))
        time.sleep(4)
        found["idle_kb_a_stream"] = (usage(id)[1] - before) / 1024 / IDLE_STREAMS
        result(idle)
        for name, case in CASES.items():
            before_s = usage(id)[0]
            got = result(load(target, case))
            got["cpu_s"] = usage(id)[0] - before_s
            requests = max(1, got["requests"])
            got["cpu_us_a_token"] = got["cpu_s"] * 1e6 / (requests * case.tokens)
            got["cpu_ms_a_request"] = got["cpu_s"] * 1e3 / requests
            found[name] = got
            if got["whole"] < got["requests"] or not got["requests"]:
                print(f"{target.name}, {name}: {got['whole']} of {got['requests']} were complete")
    return found


COLUMNS = (
    ("bulk, µs/token", lambda r: r["bulk"]["cpu_us_a_token"]),
    ("short, ms/request", lambda r: r["short"]["cpu_ms_a_request"]),
    ("paced, µs/token", lambda r: r["paced"]["cpu_us_a_token"]),
    ("first byte p50, ms", lambda r: r["one"]["first_ms"]["p50"]),
    ("token p50, ms", lambda r: r["paced"]["late_ms"]["p50"]),
    ("token p99, ms", lambda r: r["paced"]["late_ms"]["p99"]),
    ("idle stream, KB", lambda r: r["idle_kb_a_stream"]),
)


def show(results: dict[str, dict[str, Any]]) -> None:
    """Prints the table, with the ratio to the last row in brackets."""
    *_, other = results.values()
    print("| | " + " | ".join(title for title, _ in COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, found in results.items():
        cells = []
        for _, of in COLUMNS:
            ratio = f" ({of(found) / of(other):.2f} ×)" if found is not other and of(other) else ""
            cells.append(f"{of(found):.2f}{ratio}")
        print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with", dest="others", default="", help="litellm")
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        upstream = [sys.executable, str(HERE / "upstream.py"), str(port)]
        stack.enter_context(running(upstream, LOAD_CORE, {}, folder / "upstream.log"))
        results = {
            target.name: measure(target, folder)
            for target in targets(port, asked.others.split(), folder)
        }
    show(results)
    asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
