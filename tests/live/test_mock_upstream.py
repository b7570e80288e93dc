"""The scripted model server as a program: what only a socket, a clock or a signal can show."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

PROGRAM = Path(__file__).parents[2] / "mock_upstream.py"


def start(*options: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *options],
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
    """Ends the process and shows that it had nothing to complain about."""
    process.terminate()
    _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")


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
    return requests.post(f"{url}/v1/chat/completions", json=body | more, stream=True, timeout=20)


def stats(url: str) -> dict:
    return requests.get(f"{url}/stats", timeout=5).json()


def until(holds: Callable[[], bool], seconds: float = 2) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


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


def test_tokens_keep_their_pace(url: str) -> None:
    begin = time.monotonic()
    lines = ask(url, "default@tps=50", "Explain streaming APIs", max_tokens=51).iter_lines()
    times = [time.monotonic() - begin for line in lines if line.startswith(b"data: {")]
    assert times[0] < 0.2  # the role
    assert times[1] < 0.2  # the first token
    assert 0.95 < times[51] - times[1] < 1.5  # fifty tokens later
    assert times[26] - times[1] == pytest.approx(0.5, abs=0.2)


def test_delay_comes_before_the_first_byte(url: str) -> None:
    begin = time.monotonic()
    response = ask(url, "slow-start@delay=0.4")
    assert 0.4 <= time.monotonic() - begin < 1.5
    assert response.content.endswith(b"data: [DONE]\n\n")


def test_an_answer_that_is_not_streamed_takes_its_time(url: str) -> None:
    begin = time.monotonic()
    usage = ask(url, "no-reasoning@tps=20", stream=False).json()["usage"]
    assert usage["completion_tokens"] == 7
    assert 0.35 <= time.monotonic() - begin < 1.5


def test_bursts_arrive_in_few_pieces(url: str) -> None:
    pieces = list(ask(url, "bursts@tps=0").iter_content(None))
    assert [piece.count(b"data: ") for piece in pieces] == [16, 10]


def test_a_connection_is_used_again(url: str) -> None:
    with requests.Session() as session:
        for _ in range(3):
            body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
            body["model"] = "no-reasoning@tps=0"
            answer = session.post(f"{url}/v1/chat/completions", json=body, timeout=5)
            assert answer.content.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(number: signal.Signals) -> None:
    process = start("--port", "0")
    try:
        url = address(process)
        streams = [ask(url, "default@tps=5") for _ in range(5)]
        assert all(stream.status_code == 200 for stream in streams)
        begin = time.monotonic()
        process.send_signal(number)
        _, complaints = process.communicate(timeout=10)
        assert time.monotonic() - begin < 2
        assert (process.returncode, complaints) == (0, "")
        for stream in streams:
            stream.close()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("port", ["nine", "-1", "65536", "80.5"])
def test_a_bad_port_is_one_clear_sentence(port: str) -> None:
    _, complaints = (process := start(MOCK_PORT=port)).communicate(timeout=10)
    sentence = f"--port or MOCK_PORT must be a number from 0 to 65535, not {port!r}."
    assert (process.returncode, complaints) == (2, f"Error: {sentence}\n")


def test_a_port_in_use_is_one_clear_sentence(url: str) -> None:
    port = url.rpartition(":")[2]
    _, complaints = (process := start(MOCK_PORT=port)).communicate(timeout=10)
    sentence = f"Can not listen on 127.0.0.1:{port}: Address already in use."
    assert (process.returncode, complaints) == (1, f"Error: {sentence}\n")


def test_help_names_every_option_and_model() -> None:
    help_text, _ = start("--help").communicate(timeout=10)
    for word in ("--host", "--port", "MOCK_PORT", "--tokens-per-second", "long-thinking"):
        assert word in help_text
