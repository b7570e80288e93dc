"""`python -m gateway` starts the server, or ends with one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT, boot_gateway


def start(*options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *options],
        cwd=ROOT,
        env={**os.environ, "PORT": "0", **environ},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WEB_CONCURRENCY", "1e3", "'1e3' is not a whole number of 1 or more."),
        ("PORT", "http", "'http' is not a whole number from 0 to 65535."),
        (
            "FORWARDED_ALLOW_IPS",
            "proxy",
            "'proxy' is not an address, a network like '10.0.0.0/8' or *.",
        ),
    ],
)
def test_an_invalid_setting_ends_it_with_one_sentence(name: str, value: str, sentence: str) -> None:
    run = start(**{name: value})
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"gateway: {name}: {sentence}\n"


def test_an_empty_variable_counts_as_not_set() -> None:
    with boot_gateway("http://127.0.0.1:1", web_concurrency="", log_level="") as gateway:
        assert "Traceback" not in gateway.output()


def test_a_mistake_in_the_file_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('log_level = "debug"\n\n[[models]]\nmatch = "m"\nfamily = "harmoni"\n')
    run = start(GATEWAY_CONFIG=str(file))
    assert run.stderr == (
        f"gateway: {file}, line 5: models[0].family: 'harmoni' is not a family; "
        "did you mean harmony?\n"
    )


def test_settings_without_effect_are_in_the_log() -> None:
    with boot_gateway("http://127.0.0.1:1", max_stream=5) as gateway:
        gateway.wait_for(r"MAX_STREAM in the environment has no effect; did you mean MAX_STREAMS\?")
