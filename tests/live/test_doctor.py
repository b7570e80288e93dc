"""`reasoning-gateway doctor` and `check` against servers that are in order, and that are not."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, as_json, chunked, say
from tests.machine import PATIENCE_S
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
        ("slow-start@delay=4,tps=0", "✗ all of the answer came at once, after 4."),
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


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.mark.parametrize("args", [(), ("--model", "m")])
def test_a_server_that_never_answers_is_told_in_time(
    silent_url: str, args: tuple[str, ...]
) -> None:
    began = time.monotonic()
    ran = doctor(silent_url, *args)
    assert time.monotonic() - began < 10 + PATIENCE_S
    assert ran.returncode == 1
    assert "… asking for its models, for up to 10 s\n" in ran.stdout
    assert "✗ it accepts connections, but has not answered within 10 s" in ran.stdout


def test_what_is_waited_for_is_told_at_once(silent_url: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "gateway.cli.main", "doctor", "--upstream", silent_url]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        lines = [ran.stdout.readline() for _ in range(4)]
        is_running = ran.poll() is None
        ran.kill()
    assert lines[-1] == "  … asking for its models, for up to 10 s\n"
    assert is_running


def test_a_list_that_never_ends_is_told_in_time() -> None:
    def drip() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    connection.sendall(b"X: y\r\n")
                    time.sleep(0.5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, daemon=True).start()
        ran = doctor(f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
    assert ran.returncode == 1
    assert "✗ it accepts connections, but has not answered within 10 s" in ran.stdout


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
