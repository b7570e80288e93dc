"""`reasoning-gateway doctor` and `check` against servers that are in order, and that are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, as_json, chunked, say
from tests.programs import ROOT, start_gateway

MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]}


def command(*args: str, cwd: Path = ROOT, **environ: str) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if k not in ("UPSTREAM_URL", "GATEWAY_CONFIG")}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *args],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )


def doctor(url: str, *args: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return command("doctor", "--upstream", url, "--timeout", "5", *args, **environ)


def test_the_scripted_server_is_in_order(mock_url: str) -> None:
    ran = doctor(mock_url, "--model", "default@tps=200")
    assert ran.returncode == 0, ran.stdout
    for text in ("✓ it lists", "the reasoning is marked in the text", "which ends as it should"):
        assert text in ran.stdout
    assert "✗" not in ran.stdout


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("html", "✗ its answer breaks off: The upstream answered with a web page: Sign in."),
        ("error-500", "✗ it does not answer: The server had an error"),
        ("rate-limited", "✗ it does not answer: Rate limit reached."),
        ("garbage@tps=0", "✗ its answer breaks off: The upstream sent a chunk"),
        ("cut@tps=0", "✗ it does not answer: The connection to the upstream broke off."),
        ("silent", "✗ it fell silent in the middle of its answer, for 5 s"),
        ("no-such-model", "✗ it does not answer: The model `no-such-model` does not exist"),
        ("slow-start@delay=2,tps=0", "✗ all of the answer came at once, after 2."),
    ],
)
def test_a_server_that_is_not_in_order_is_told(mock_url: str, model: str, says: str) -> None:
    ran = doctor(mock_url, "--model", model)
    assert ran.returncode == 1
    assert says in ran.stdout, ran.stdout


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "could not be reached: connection refused."),
        ("http://no-such-name.invalid:1", "could not be reached: there is no such name."),
    ],
)
def test_a_wrong_address_is_told_with_its_cause(url: str, says: str) -> None:
    ran = doctor(url)
    assert ran.returncode == 1
    assert f"✗ The upstream at {url} {says}" in ran.stdout
    assert "set UPSTREAM_URL" in ran.stdout


def test_plain_http_where_tls_is_expected_is_told(mock_url: str) -> None:
    ran = doctor(mock_url.replace("http://", "https://"))
    assert ran.returncode == 1
    assert "No TLS connection to the upstream" in ran.stdout


def test_a_refused_key_is_told_with_its_setting() -> None:
    with Upstream() as upstream:
        upstream.listing = as_json("401 Unauthorized", {"error": {"message": "no"}})
        ran = doctor(f"{upstream.url}/v1")
    assert ran.returncode == 1
    assert "refused the gateway's key (401)" in ran.stdout


def test_a_server_with_labels_is_in_order() -> None:
    with Upstream() as upstream:
        upstream.listing = as_json("200 OK", MODELS)
        upstream.set_script("m", CHUNKED, *chunked([*say("9.9 is larger."), FINISH, DONE]))
        ran = doctor(f"{upstream.url}/v1")
    assert ran.returncode == 0, ran.stdout
    assert "✓ it lists 1 model (vllm)" in ran.stdout
    assert "! no reasoning was found in the answer" in ran.stdout


def test_a_mistake_in_the_settings_comes_first(tmp_path: Path) -> None:
    ran = command("doctor", cwd=tmp_path, PORT="http")
    assert ran.returncode == 1
    assert "✗ settings: PORT: 'http' is not a whole number from 0 to 65535." in ran.stdout


def test_check_says_what_the_settings_are(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[[upstreams]]\nname = "big"\nurl = "http://u:secret@big.example/v1"\n')
    ran = command("check", str(file), cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "upstreams  big (http://big.example/v1)" in ran.stdout
    assert "secret" not in ran.stdout


def test_check_ends_with_1_on_a_mistake_and_warns_of_what_has_no_effect(tmp_path: Path) -> None:
    bad = tmp_path / "gateway.toml"
    bad.write_text("log_levle = 'debug'\n")
    ran = command("check", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "gateway: gateway.toml, line 1: log_levle: no such setting; did you mean log_level?\n"
    )
    bad.unlink()
    ran = command("check", cwd=tmp_path, UPSTREAM="http://127.0.0.1:1")
    assert ran.returncode == 0
    assert ran.stderr == (
        "warning: UPSTREAM in the environment has no effect; did you mean UPSTREAM_URL?\n"
    )


def test_a_new_key_opens_a_gateway_that_knows_its_hash(mock_url: str) -> None:
    ran = command("key", "new")
    [key, hashed] = (line.split()[1] for line in ran.stdout.splitlines())
    assert command("key", "new").stdout != ran.stdout
    with start_gateway(mock_url, api_keys=hashed) as gateway:

        def status(sent: str) -> int:
            headers = {"Authorization": f"Bearer {sent}"}
            return requests.get(f"{gateway.url}/v1/models", headers=headers, timeout=60).status_code

        assert status(key) == 200
        assert status(hashed) == status(f"{key}x") == 401
