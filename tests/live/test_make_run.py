"""`make run` starts gateway and mock, and Ctrl-C stops both."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest
import requests

from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.machine import within
from tests.programs import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

VENV = os.path.relpath(sys.prefix, ROOT)


def free_ports(count: int) -> list[int]:
    """Returns different ports that are not in use."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


class Run:
    """`make run` as in a terminal: in its own process group."""

    def __init__(self, output: IO[bytes], **settings: object) -> None:
        self.gateway_port, self.mock_port = free_ports(2)
        ports = {"PORT": self.gateway_port, "MOCK_PORT": self.mock_port, "WEB_CONCURRENCY": 1}
        kept = {k: v for k, v in os.environ.items() if k not in ("UPSTREAM_URL", "MAKEFLAGS")}
        self.url = f"http://127.0.0.1:{self.gateway_port}"
        self._output = output
        self.process = subprocess.Popen(
            # -o: the virtual environment exists, these tests run in it.
            ["make", f"VENV={VENV}", "-o", f"{VENV}/.run", "run"],
            cwd=ROOT,
            env={**kept, **{k: str(v) for k, v in {**ports, **settings}.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_new_process_group,
        )

    def output(self) -> str:
        """Returns the output so far."""
        self._output.flush()
        return os.pread(self._output.fileno(), 1 << 20, 0).decode()

    def wait_for(self, text: str) -> None:
        """Waits until the output has this text."""

        def was_printed() -> bool:
            assert text in self.output() or self.process.poll() is None, self.output()
            return text in self.output()

        wait_until(was_printed)

    def ctrl_c(self) -> int:
        """Sends SIGINT to the process group, as a terminal does. Returns the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


def _new_process_group() -> None:
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def programs_on(*ports: int) -> list[int]:
    """Returns the processes that have one of these ports in their environment."""
    wanted = {f"{name}={port}".encode() for name in ("PORT", "MOCK_PORT") for port in ports}
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted & set(environ.read_bytes().split(b"\0")):
                found.append(int(environ.parent.name))
    return found


@contextmanager
def make_run(**settings: object) -> Iterator[Run]:
    with TemporaryFile() as output:
        run = Run(output, **settings)
        try:
            yield run
        finally:
            if run.process.poll() is None:
                run.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                run.process.wait(60)
            for pid in programs_on(run.gateway_port, run.mock_port):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            run.process.wait(60)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def has_stopped(run: Run) -> bool:
    ports = (run.gateway_port, run.mock_port)
    return not programs_on(*ports) and all(map(is_free, ports))


def test_make_run_serves_until_ctrl_c() -> None:
    with make_run() as run:
        with within(3):
            run.wait_for("Ctrl-C stops.")
        printed = run.output()
        assert f"{run.url}/\n" in printed
        assert (
            requests.get(f"{run.url}/", timeout=60).headers["Content-Type"].startswith("text/html")
        )
        with ask(run.url, request_body("default@tps=0", gateway={"format": "events"})) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi! Nice to meet you."
        run.ctrl_c()
        wait_until(lambda: has_stopped(run))
        assert "Traceback" not in run.output()


def test_the_printed_address_serves_a_client_of_ollamas_api() -> None:
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        found = re.search(r"OLLAMA_HOST=(\S+)", run.output())
        assert found
        tags = requests.get(f"{found[1]}/api/tags", timeout=60).json()
        assert "default:latest" in [model["name"] for model in tags["models"]]
        run.ctrl_c()


def test_the_printed_curl_command_works() -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        found = re.search(r"curl (?:.*\\\n)*.*", run.output())
        assert found
        answer = subprocess.run(
            ["sh", "-c", found.group()], capture_output=True, text=True, timeout=60
        ).stdout
        for text in ("[Prompt Summary]", "2+2", "[Reasoning Summary]", "event: phase", "[DONE]"):
            assert text in answer
        run.ctrl_c()


def test_ctrl_c_ends_open_streams_in_a_failure() -> None:
    with make_run(DRAIN_TIMEOUT_S="0.5") as run:
        run.wait_for("Ctrl-C stops.")
        body = request_body("silent@tps=0", gateway={"format": "events"})
        with ask(run.url, body) as stream:
            next(iter(stream))
            os.killpg(run.process.pid, signal.SIGINT)
            result = parse_stream("events", stream.read_all())
        assert result.error is not None
        run.process.wait(60)
        wait_until(lambda: has_stopped(run))


def test_ctrl_c_does_not_wait_for_idle_connections() -> None:
    with make_run() as run, requests.Session() as browser:
        run.wait_for("Ctrl-C stops.")
        assert browser.get(f"{run.url}/", timeout=60).status_code == 200
        with within(5):
            run.ctrl_c()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_closing_the_terminal_stops_everything(number: signal.Signals) -> None:
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        os.killpg(run.process.pid, number)
        run.process.wait(60)
        wait_until(lambda: has_stopped(run))


def test_the_mock_is_not_started_if_upstream_url_is_set(mock_url: str) -> None:
    with make_run(UPSTREAM_URL=mock_url) as run:
        run.wait_for("Ctrl-C stops.")
        assert mock_url in run.output()
        assert is_free(run.mock_port)
        with ask(run.url, request_body("default@tps=0", gateway={"format": "events"})) as stream:
            assert parse_stream("events", stream.read_all()).error is None
        run.ctrl_c()
        wait_until(lambda: has_stopped(run))
    assert get_json(f"{mock_url}/health")["status"] == "ok"


@pytest.mark.parametrize(
    "settings",
    ['upstream_url = "{}"', '[[upstreams]]\nname = "one"\nurl = "{}"'],
    ids=["url", "table"],
)
def test_the_mock_is_not_started_if_gateway_toml_has_an_upstream(
    settings: str, mock_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(settings.format(mock_url))
    with make_run(GATEWAY_CONFIG=file) as run:
        run.wait_for("Ctrl-C stops.")
        assert mock_url in run.output()
        assert is_free(run.mock_port)
        run.ctrl_c()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PORT": "x"}, "gateway: PORT: 'x' is not a whole number from 0 to 65535."),
        (
            {"HEARTBEAT_S": "0"},
            "gateway: HEARTBEAT_S: 0 is not a number above 0 and at most 86400.",
        ),
        ({"UPSTREAM_URL": "nowhere"}, "gateway: UPSTREAM_URL: "),
        ({"MOCK_PORT": "x"}, "gateway: MOCK_PORT: 'x' is not a whole number from 0 to 65535."),
    ],
)
def test_an_invalid_setting_stops_the_start_with_one_sentence(
    settings: dict[str, str], sentence: str
) -> None:
    with make_run(**settings) as run:
        assert run.process.wait(60) != 0
        lines = [line for line in run.output().splitlines() if not line.startswith("make")]
        lines = [line for line in lines if not line.startswith("mock upstream on ")]
        assert len(lines) == 1, run.output()
        assert sentence in lines[0]
        wait_until(lambda: has_stopped(run))


def test_a_port_in_use_is_reported_and_everything_stops() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with make_run(MOCK_PORT=port) as run:
            assert run.process.wait(15) != 0
            assert f"port {port} is in use" in run.output()
            assert "Ctrl-C stops." not in run.output()
            wait_until(lambda: is_free(run.gateway_port))


def test_a_second_make_run_reports_that_the_port_is_in_use() -> None:
    """And does not take the first gateway for its own."""
    with make_run() as first:
        first.wait_for("Ctrl-C stops.")
        with make_run(PORT=first.gateway_port) as second:
            assert second.process.wait(15) != 0
            assert "Ctrl-C stops." not in second.output()
            assert "in use" in second.output()
        assert get_json(f"{first.url}/health")["status"] == "ok"
        first.ctrl_c()


def test_proxies_in_the_environment_are_ignored() -> None:
    with make_run(http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1") as run:
        run.wait_for("Ctrl-C stops.")
        run.ctrl_c()
