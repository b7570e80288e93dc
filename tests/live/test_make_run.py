"""`make run`: one command starts everything, and Ctrl-C stops all of it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest
import requests

from tests.live.wire import ask, get_json, parse_stream, request_body, wait_until
from tests.programs import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

VENV = os.path.relpath(sys.prefix, ROOT)


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens; all differ."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


class Run:
    """`make run` as a terminal would run it: in a process group of its own."""

    def __init__(self, output: IO[bytes], **settings: object) -> None:
        self.gateway_port, self.mock_port = free_ports(2)
        ports = {"PORT": self.gateway_port, "MOCK_PORT": self.mock_port, "WEB_CONCURRENCY": 1}
        kept = {k: v for k, v in os.environ.items() if k not in ("UPSTREAM_URL", "MAKEFLAGS")}
        self.url = f"http://127.0.0.1:{self.gateway_port}"
        self._output = output
        self.process = subprocess.Popen(
            # The environment is there already: these tests run in it.
            ["make", f"VENV={VENV}", "-o", f"{VENV}/.run", "run"],
            cwd=ROOT,
            env={**kept, **{k: str(v) for k, v in {**ports, **settings}.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_as_in_a_terminal,
        )

    def output(self) -> str:
        """All that was printed so far."""
        self._output.flush()
        return os.pread(self._output.fileno(), 1 << 20, 0).decode()

    def wait_for(self, text: str) -> None:
        """Waits until this was printed."""

        def there() -> bool:
            assert text in self.output() or self.process.poll() is None, self.output()
            return text in self.output()

        wait_until(there, 15)

    def ctrl_c(self) -> int:
        """What the terminal does with Ctrl-C; gives the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(10)


def _as_in_a_terminal() -> None:
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def programs_on(*ports: int) -> list[int]:
    """The processes whose environment has one of these ports; none may be left over."""
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
                run.process.wait(5)
            for pid in programs_on(run.gateway_port, run.mock_port):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            run.process.wait(5)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def nothing_is_left(run: Run) -> bool:
    ports = (run.gateway_port, run.mock_port)
    return not programs_on(*ports) and all(map(is_free, ports))


def test_one_command_serves_and_ctrl_c_stops_it() -> None:
    began = time.monotonic()
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        assert time.monotonic() - began < 3
        printed = run.output()
        assert f"{run.url}/\n" in printed
        assert (
            requests.get(f"{run.url}/", timeout=5).headers["Content-Type"].startswith("text/html")
        )
        with ask(run.url, request_body("default@tps=0", gateway={"format": "events"})) as stream:
            assert parse_stream("events", stream.read_all()).answer == "Hi! Nice to meet you."
        run.ctrl_c()
        wait_until(lambda: nothing_is_left(run), 2)
        assert "Traceback" not in run.output()


def test_the_curl_line_that_it_prints_works() -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        found = re.search(r"curl (?:.*\\\n)*.*", run.output())
        assert found
        answer = subprocess.run(
            ["sh", "-c", found.group()], capture_output=True, text=True, timeout=20
        ).stdout
        for text in ("[Prompt Summary]", "2+2", "[Reasoning Summary]", "event: phase", "[DONE]"):
            assert text in answer
        run.ctrl_c()


def test_ctrl_c_ends_an_open_stream_in_a_failure_that_says_so() -> None:
    with make_run(DRAIN_TIMEOUT_S="0.5") as run:
        run.wait_for("Ctrl-C stops.")
        body = request_body("silent@tps=0", gateway={"format": "events"})
        with ask(run.url, body) as stream:
            next(iter(stream))
            os.killpg(run.process.pid, signal.SIGINT)
            said = parse_stream("events", stream.read_all())
        assert said.error is not None
        run.process.wait(10)
        wait_until(lambda: nothing_is_left(run), 2)


def test_ctrl_c_does_not_wait_for_a_browser_that_keeps_its_connection() -> None:
    with make_run() as run, requests.Session() as browser:
        run.wait_for("Ctrl-C stops.")
        assert browser.get(f"{run.url}/", timeout=5).status_code == 200
        began = time.monotonic()
        run.ctrl_c()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_closed_leaves_nothing(number: signal.Signals) -> None:
    with make_run() as run:
        run.wait_for("Ctrl-C stops.")
        os.killpg(run.process.pid, number)
        run.process.wait(10)
        wait_until(lambda: nothing_is_left(run), 5)


def test_with_an_upstream_no_mock_is_started(mock_url: str) -> None:
    with make_run(UPSTREAM_URL=mock_url) as run:
        run.wait_for("Ctrl-C stops.")
        assert mock_url in run.output()
        assert is_free(run.mock_port)
        with ask(run.url, request_body("default@tps=0", gateway={"format": "events"})) as stream:
            assert parse_stream("events", stream.read_all()).error is None
        run.ctrl_c()
        wait_until(lambda: nothing_is_left(run), 2)
    assert get_json(f"{mock_url}/health")["status"] == "ok"


@pytest.mark.parametrize(
    "settings",
    ['upstream_url = "{}"', '[[upstreams]]\nname = "one"\nurl = "{}"'],
    ids=["url", "table"],
)
def test_an_upstream_of_the_settings_file_is_asked_and_no_mock(
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
        ({"PORT": "x"}, "gateway: PORT: expected `int`, got `str`."),
        ({"HEARTBEAT_S": "0"}, "gateway: HEARTBEAT_S: expected `float` > 0.0."),
        ({"UPSTREAM_URL": "nowhere"}, "gateway: UPSTREAM_URL must be"),
        ({"MOCK_PORT": "x"}, "gateway: MOCK_PORT: expected `int`, got `str`."),
    ],
)
def test_a_bad_setting_stops_with_one_sentence(settings: dict[str, str], sentence: str) -> None:
    with make_run(**settings) as run:
        assert run.process.wait(10) != 0
        said = [line for line in run.output().splitlines() if not line.startswith("make")]
        said = [line for line in said if not line.startswith("mock upstream on ")]
        assert len(said) == 1, run.output()
        assert sentence in said[0]
        wait_until(lambda: nothing_is_left(run), 2)


def test_a_port_that_is_taken_is_said_and_nothing_stays() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with make_run(MOCK_PORT=port) as run:
            assert run.process.wait(15) != 0
            assert f"port {port} is in use" in run.output()
            assert "Ctrl-C stops." not in run.output()
            wait_until(lambda: is_free(run.gateway_port), 2)


def test_a_second_one_does_not_take_the_first_for_its_own() -> None:
    """It says that the port is in use, and not that it serves."""
    with make_run() as first:
        first.wait_for("Ctrl-C stops.")
        with make_run(PORT=first.gateway_port) as second:
            assert second.process.wait(15) != 0
            assert "Ctrl-C stops." not in second.output()
            assert "in use" in second.output()
        assert get_json(f"{first.url}/health")["status"] == "ok"
        first.ctrl_c()


def test_a_proxy_in_the_environment_does_no_harm() -> None:
    with make_run(http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1") as run:
        run.wait_for("Ctrl-C stops.")
        run.ctrl_c()
