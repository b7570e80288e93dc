"""The systemd unit starts the installed command and gives streams time to finish."""

import configparser
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.config import Config
from tests.programs import ROOT

UNIT = ROOT / "deploy/reasoning-gateway.service"


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_it_starts_the_command_with_options_that_exist(service: configparser.SectionProxy) -> None:
    program, *args = service["ExecStart"].split()
    assert program.endswith("/reasoning-gateway")
    shown = CliRunner().invoke(main, [args[0], "--help"])
    assert shown.exit_code == 0
    for option in (arg for arg in args if arg.startswith("--")):
        assert option in shown.output


def test_it_waits_until_streams_have_drained(service: configparser.SectionProxy) -> None:
    assert int(service["TimeoutStopSec"]) >= Config().drain_timeout_s + 15


def test_it_may_open_as_many_files_as_streams_need(service: configparser.SectionProxy) -> None:
    assert int(service["LimitNOFILE"]) > 2 * Config().max_streams + 300


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit() -> None:
    verify = ["systemd-analyze", "verify", str(UNIT)]
    said = subprocess.run(verify, capture_output=True, text=True, check=False).stderr
    lines = [line for line in said.splitlines() if UNIT.name in line]
    # The program is not installed where the tests run.
    assert [line for line in lines if "is not executable" not in line] == []
