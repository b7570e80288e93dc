"""The package as it is installed: built from the tree, in an environment and a home of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.programs import ROOT, Program

TOOLS_FOR_TESTS = {"pytest", "pytest-xdist", "responses", "hypothesis", "sseclient-py"}


class Installed:
    """The package in an environment that has its dependencies, and a folder that has nothing."""

    def __init__(self, programs: Path, home: Path) -> None:
        self.command = str(programs / "reasoning-gateway")
        self.home = home
        self.environ = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}

    def run(self, *args: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.command, *args],
            cwd=self.home,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Installed without its dependencies, which the tests' own environment lends it."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    programs = folder / "venv" / "bin"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "venv" / "lib" / version / "site-packages"
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(programs / "python"), "install"),
            *("--no-deps", "--no-index", "--quiet", str(wheel)),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    home = folder / "home"
    home.mkdir()
    return Installed(programs, home)


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def requirements(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def test_the_package_needs_what_requirements_txt_lists() -> None:
    extras = {needed for names in project()["optional-dependencies"].values() for needed in names}
    needed = {*project()["dependencies"], *extras}
    listed = requirements("requirements.txt") | requirements("requirements-local.txt")
    tools = {line for line in listed if re.split(r"[><=\[]", line)[0] in TOOLS_FOR_TESTS}
    assert needed == listed - tools


def test_the_wheel_has_one_package_with_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"gateway"}
    for data in ("py.typed", "templates/index.html", "core/summarizers"):
        assert any(name.startswith(f"gateway/{data}") for name in names), data
    static = [path for path in (ROOT / "gateway/static").rglob("*") if path.is_file()]
    packed = {name for name in names if name.startswith("gateway/static/")}
    assert packed == {str(path.relative_to(ROOT)) for path in static}
    packed = {name for name in names if name.endswith(".toml")}
    assert packed == {str(path.relative_to(ROOT)) for path in (ROOT / "gateway").rglob("*.toml")}


def test_every_command_has_help_and_the_program_a_version(installed: Installed) -> None:
    version = installed.run("--version").stdout
    assert re.fullmatch(r"reasoning-gateway, version \d+\.\d+\.\d+\n", version)
    listed = installed.run("--help")
    for name in ("serve", "check", "doctor", "key", "chat"):
        assert name in listed.stdout
        helped = installed.run(name, "--help")
        assert (helped.returncode, helped.stderr) == (0, "")
        assert f"Usage: reasoning-gateway {name}" in helped.stdout
    assert "_REASONING_GATEWAY_COMPLETE" in installed.run("--completion", "bash").stdout


def test_a_wrong_command_line_is_explained(installed: Installed) -> None:
    ran = installed.run("serv")
    assert ran.returncode == 2
    assert "No such command 'serv'" in ran.stderr
    ran = installed.run("serve", "--port", "http")
    assert (ran.returncode, ran.stderr) == (
        1,
        "gateway: PORT: 'http' is not a whole number from 0 to 65535.\n",
    )
    ran = installed.run("serve", "--demo", "--upstream", "http://a")
    assert ran.returncode == 2
    assert "leave --upstream out" in ran.stderr


def test_the_demo_serves_the_page_and_a_client_asks_it(installed: Installed) -> None:
    port, mock_port = free_port(), free_port()
    # A shell without a terminal ignores SIGINT for what it runs in the background, and all that
    # these programs start inherits this.
    serve = ["env", "--default-signal=INT", installed.command, "serve", "--demo"]
    serve += ["--port", str(port), "--workers", "1"]
    environ = {**installed.environ, "MOCK_PORT": str(mock_port)}
    inherited = {name: "" for name in os.environ if name not in environ}
    address = r"The demo page:\s+(\S+)/\n"
    with Program(serve, address, inherited | environ, installed.home) as program:
        page = requests.get(f"{program.url}/", timeout=60)
        assert "Reasoning Gateway" in page.text
        asked = installed.run("chat", "--url", program.url, "--prompt", "hi", "-q")
        assert (asked.returncode, asked.stdout) == (0, "Hi! Nice to meet you.\n")
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(60) == 0, program.output()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
