"""`python -m gateway` starts the server, or ends with one sentence."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.wire import ask, parse_stream, request_body, wait_until
from tests.programs import ROOT, Program, boot_gateway, start_gateway


def start(*options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *options],
        cwd=ROOT,
        env={**os.environ, "PORT": "0", **environ},
        capture_output=True,
        text=True,
        timeout=60,
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
    args = [sys.executable, "-m", "gateway"]
    empty = {"UPSTREAM_URL": "http://127.0.0.1:1", "PORT": "0"}
    empty |= {"WEB_CONCURRENCY": "", "LOG_LEVEL": ""}
    with Program(args, r"Booting worker", empty) as gateway:
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


def lines_of(gateway: Program, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in gateway.output().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_the_start_says_what_each_upstream_lists(mock_url: str, tmp_path: Path) -> None:
    """Once, whatever the number of workers, and the gateway goes on."""
    file = tmp_path / "gateway.toml"
    file.write_text(
        f'[[upstreams]]\nname = "good"\nurl = "{mock_url}"\n'
        '[[upstreams]]\nname = "away"\nurl = "http://u:secret@127.0.0.1:9"\npriority = 2\n'
    )
    with start_gateway(mock_url, gateway_config=file, web_concurrency=2) as gateway:
        wait_until(lambda: lines_of(gateway, "upstream lists its models"))
        wait_until(lambda: lines_of(gateway, "upstream does not list its models"))
        [good] = lines_of(gateway, "upstream lists its models")
        [away] = lines_of(gateway, "upstream does not list its models")
        assert (good["upstream"], good["url"], good["level"]) == ("good", mock_url, "info")
        assert good["models"] > 20
        assert (away["url"], away["level"]) == ("http://127.0.0.1:9", "warning")
        assert away["cause"] == (
            "The upstream at http://127.0.0.1:9 could not be reached: connection refused."
        )
        with ask(gateway.url, request_body("default@tps=0")) as stream:
            assert parse_stream("phased", stream.read_all()).error is None
        assert "secret" not in gateway.output()


def test_gunicorns_lines_have_the_format_and_the_level_of_the_log(mock_url: str) -> None:
    with start_gateway(mock_url, log_format="json") as gateway:
        lines = gateway.output().splitlines()
        assert all(json.loads(line)["event"] for line in lines)
        [listening] = [line for line in map(json.loads, lines) if "Listening" in line["event"]]
        assert listening["level"] == "info"
        assert {"timestamp", "pid"} <= listening.keys()
    with boot_gateway(mock_url, log_format="console") as gateway:
        assert re.search(r"^\d\d:\d\d:\d\d Listening at: http", gateway.output(), re.MULTILINE)
    args = [sys.executable, "-m", "gateway"]
    quiet = {"UPSTREAM_URL": "http://127.0.0.1:9", "PORT": "0", "LOG_LEVEL": "warning"}
    with Program(args, "does not list its models", quiet) as gateway:
        assert "Listening" not in gateway.output()
