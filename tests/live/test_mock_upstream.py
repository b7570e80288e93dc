"""The mock model server as a program: sockets, pacing, signals and the command line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.machine import PATIENCE_S, allowed, within

ROOT = Path(__file__).parents[2]
PROGRAM = ("mock_upstream.py",)
MODULE = ("-m", "gateway.mock")


def start(
    *options: str, program: tuple[str, ...] = PROGRAM, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program, *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("mock upstream on http://127.0.0.1:")
    return line.split()[-1]


def stop(process: subprocess.Popen[str]) -> None:
    """Ends the process; it must have exited with 0 and printed nothing on stderr."""
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    process = start("--port", "0")
    try:
        yield address(process)
        stop(process)
    finally:
        process.kill()
        process.communicate()


def ask(url: str, model: str, prompt: str = "hi", **more) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
    return requests.post(f"{url}/v1/chat/completions", json=body | more, stream=True, timeout=60)


def stats(url: str) -> dict:
    return requests.get(f"{url}/stats", timeout=60).json()


def until(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("program", [PROGRAM, MODULE])
def test_a_silent_stream_does_not_block_the_server(program: tuple[str, ...]) -> None:
    process = start("--port", "0", program=program)
    try:
        url = address(process)
        with ask(url, "slow-start@delay=0,silence=60,tps=0") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith(b"data: {")
            health = requests.get(f"{url}/health", timeout=60).json()
            assert health == {"status": "ok", "open_streams": 1}
        stop(process)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("model", ["cut", "cut-thinking"])
@pytest.mark.parametrize("streamed", [True, False])
def test_cut_leaves_the_body_unfinished(url: str, model: str, streamed: bool) -> None:
    response = ask(url, model, stream=streamed, mock={"tokens_per_second": 0})
    received = []
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        received.extend(response.iter_content(None))
    assert received
    assert b"[DONE]" not in b"".join(received)


@pytest.mark.parametrize("mock", [{"silence_s": 60}, {"delay_s": 60}, {"tokens_per_second": 1}])
def test_a_client_that_leaves_is_noticed_at_once(url: str, mock: dict[str, float]) -> None:
    before = stats(url)
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True, "mock": mock}
    with pytest.raises(requests.exceptions.RequestException):
        for _ in requests.post(
            f"{url}/chat/completions", json=body, stream=True, timeout=(5, 0.5)
        ).iter_lines():
            pass
    until(lambda: stats(url)["aborted"] == before["aborted"] + 1)
    assert stats(url)["open_streams"] == 0


def test_tokens_are_paced(url: str) -> None:
    begin = time.monotonic()
    lines = ask(url, "default@tps=50", "Explain streaming APIs", max_tokens=51).iter_lines()
    times = [time.monotonic() - begin for line in lines if line.startswith(b"data: {")]
    assert times[0] < allowed(0.2)  # the chunk with the role
    assert times[1] < allowed(0.2)  # the first token
    assert 0.5 <= times[26] < allowed(0.9)  # 25 tokens later
    assert 1.0 <= times[51] < allowed(1.5)  # 50 tokens later


def test_delay_comes_before_the_first_byte(url: str) -> None:
    begin = time.monotonic()
    response = ask(url, "slow-start@delay=0.4")
    assert 0.4 <= time.monotonic() - begin < allowed(1.5)
    assert response.content.endswith(b"data: [DONE]\n\n")


def test_a_whole_answer_takes_as_long_as_its_tokens(url: str) -> None:
    begin = time.monotonic()
    usage = ask(url, "no-reasoning@tps=20", stream=False).json()["usage"]
    assert usage["completion_tokens"] == 7
    assert 0.35 <= time.monotonic() - begin < allowed(1.5)


def test_bursts_arrive_in_few_pieces(url: str) -> None:
    pieces = list(ask(url, "bursts@tps=0").iter_content(None))
    assert [piece.count(b"data: ") for piece in pieces] == [16, 10]


def test_connections_are_reused(url: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
            body["model"] = "no-reasoning@tps=0"
            answer = session.post(f"{url}/v1/chat/completions", json=body, timeout=60)
            assert answer.content.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_at_once(number: signal.Signals) -> None:
    process = start("--port", "0")
    try:
        url = address(process)
        streams = [ask(url, "default@tps=5") for _ in range(5)]
        assert all(stream.status_code == 200 for stream in streams)
        with within(2):
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        for stream in streams:
            stream.close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("port", ["nine", "-1", "65536", "80.5"])
def test_an_invalid_port_is_reported_in_one_sentence(port: str) -> None:
    process = start(MOCK_PORT=port)
    _, errors = process.communicate(timeout=60)
    sentence = f"--port or MOCK_PORT must be a number from 0 to 65535, not {port!r}."
    assert (process.returncode, errors) == (2, f"Error: {sentence}\n")


def test_a_port_in_use_is_reported_in_one_sentence(url: str) -> None:
    port = url.rpartition(":")[2]
    process = start(MOCK_PORT=port)
    _, errors = process.communicate(timeout=60)
    sentence = f"Cannot listen on 127.0.0.1:{port}: Address already in use."
    assert (process.returncode, errors) == (1, f"Error: {sentence}\n")


def test_help_names_every_option_and_model() -> None:
    help_text, _ = start("--help").communicate(timeout=60)
    for word in ("--host", "--port", "MOCK_PORT", "--tokens-per-second", "long-thinking"):
        assert word in help_text
