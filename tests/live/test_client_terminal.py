"""`python client.py` on a terminal: what the screen shows while it runs and afterwards."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.live.pseudo_terminal import PseudoTerminal
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, frame, say
from tests.live.wire import get_json, wait_until
from tests.programs import ROOT, start_gateway

SUMMARY = "I should greet in one sentence and keep it short."
ANSWER = "Hi! Nice to meet you."
SLOW = ("--prompt", "Explain recursion", "--model", "long-thinking@tps=300")


def run_client(url: str, *args: str, **screen: object) -> PseudoTerminal:
    """Starts the client on a terminal of its own."""
    return PseudoTerminal("client.py", "--url", url, *args, **screen)  # type: ignore[arg-type]


def mask_times(text: str) -> str:
    return re.sub(r"\d+\.\d s · about \d+", "N s · about N", text)


def test_live_lines_are_replaced_by_the_summary(gateway_url: str) -> None:
    with run_client(gateway_url, *SLOW) as screen:
        screen.wait_for(r"^. Thinking for \d+\.\d s · about \d+ tokens$")
        live = screen.wait_for(r"tokens\n  (\S.*)$")[1]
        screen.wait_for(r"^\[FINAL RESPONSE\]\nRecursion means")
        text = screen.text()
        assert screen.end() == 0
    assert "Thinking for" not in text
    assert f"  {live}" not in text
    assert re.match(
        r"\[REASONING SUMMARY\]  Thought for \d+\.\d s · about \d+ tokens\n\S",
        text,
    )


@pytest.mark.parametrize("format", ["events", "phased", "responses", "messages"])
def test_the_key_a_ends_the_thinking(gateway_url: str, format: str) -> None:
    slow = ("--prompt", "Explain recursion", "--model", "thinker@tps=40", "--format", format)
    with run_client(gateway_url, *slow, columns=120) as screen:
        screen.wait_for(r"^. Thinking for .*\n(  .*\n)*  a: answer now$")
        screen.press("xa")
        seconds = screen.wait_for(r"^\[REASONING SUMMARY\]  Thought for (\d+\.\d) s")[1]
        screen.wait_for(r"^\[FINAL RESPONSE\]\nRecursion means")
        text = screen.text()
    assert float(seconds) < 6  # the whole thinking takes twelve
    assert "answer now" not in text
    assert "xa" not in text


def test_a_refusal_to_end_the_thinking_is_shown() -> None:
    never = threading.Event()
    thinks = (CHUNKED, *chunked([frame({"reasoning_content": "I count."})], end=False), never)
    refuses = (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}",)
    with Upstream() as upstream, start_gateway(upstream.url) as gateway:
        upstream.set_scripts("m", thinks, refuses, thinks)
        args = ("--prompt", "hi", "--model", "m")
        with run_client(gateway.url, *args, columns=120) as screen:
            screen.wait_for("a: answer now$")
            screen.press("a")
            assert screen.end() == 1
        with run_client(gateway.url, *args, columns=120) as screen:
            screen.wait_for("a: answer now$")
            screen.press("a")
            screen.wait_for("409: The upstream has refused every way to end the thinking")


def test_the_terminal_is_as_it_was_after_a_turn(gateway_url: str) -> None:
    shell = "stty -a; echo; $PYTHON client.py --url $URL --prompt hi > /dev/null 2>&1; stty -a"
    program = f"import os; os.execlp('sh', 'sh', '-c', {shell!r})"
    with PseudoTerminal("-c", program, URL=gateway_url, PYTHON=sys.executable) as screen:
        assert screen.end() == 0
        before, after = screen.text().split("\n\n")
    assert "echo" in before
    assert before == after


@pytest.mark.parametrize("columns", [24, 80, 250])
def test_a_short_answer_fits_a_screen_of_any_width(gateway_url: str, columns: int) -> None:
    with run_client(gateway_url, "--prompt", "hi", columns=columns) as screen:
        assert screen.end() == 0
        words = mask_times(" ".join(screen.text().split()))
    assert words == (
        f"[REASONING SUMMARY] Thought for N s · about N tokens {SUMMARY} [FINAL RESPONSE] {ANSWER}"
    )


def test_the_answer_is_markdown_on_a_terminal(gateway_url: str) -> None:
    with run_client(
        gateway_url, "--prompt", "Explain photosynthesis", "--model", "default@tps=0"
    ) as screen:
        assert screen.end() == 0
    assert "What is real here." in screen.text()
    assert "**" not in screen.text()


def test_a_piped_answer_is_plain_text_and_the_region_is_still_live(gateway_url: str) -> None:
    read, write = os.pipe()
    args = ("--prompt", "Explain photosynthesis", "--model", "default@tps=300")
    with run_client(gateway_url, *args, stdout=write) as screen:
        os.close(write)
        screen.wait_for("Thinking for")
        with open(read) as pipe:
            answer = pipe.read()
        assert screen.end() == 0
        shown = screen.text()
    assert answer.startswith("I am a scripted model")
    assert "**What is real here.**" in answer
    assert "\x1b" not in answer
    assert "[REASONING SUMMARY]" in shown
    assert "I am a scripted model" not in shown


def test_the_trace_is_shown_when_requested(gateway_url: str) -> None:
    with run_client(gateway_url, "--prompt", "hi", "--reasoning", "both") as screen:
        assert screen.end() == 0
    assert mask_times(screen.text()) == (
        f"[REASONING]\n{SUMMARY}\n\n"
        f"[REASONING SUMMARY]  Thought for N s · about N tokens\n{SUMMARY}\n\n"
        f"[FINAL RESPONSE]\n{ANSWER}"
    )


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]+)m")


@pytest.mark.parametrize(
    ("args", "env", "coloured"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
def test_colour_can_be_switched_off(
    gateway_url: str, args: tuple[str, ...], env: dict[str, str], coloured: bool
) -> None:
    with run_client(gateway_url, "--prompt", "hi", *args, **env) as screen:
        assert screen.end() == 0
    assert bool(COLOUR.search(screen.raw)) is coloured
    assert ANSWER in screen.text()


def test_a_dumb_terminal_gets_plain_sections(gateway_url: str) -> None:
    with run_client(gateway_url, "--prompt", "hi", TERM="dumb", NO_COLOR="1") as screen:
        assert screen.end() == 0
    assert "\x1b" not in screen.raw
    assert screen.text() == (f"[REASONING SUMMARY]\n{SUMMARY}\n\n[FINAL RESPONSE]\n{ANSWER}")


@pytest.mark.parametrize("format", ["events", "phased", "openai", "responses", "messages"])
def test_a_broken_stream_keeps_the_partial_answer_and_shows_the_error(
    gateway_url: str, format: str
) -> None:
    args = ("--prompt", "hi", "--model", "cut", "--format", format)
    with run_client(gateway_url, *args) as screen:
        assert screen.end() == 1
        text = screen.text()
    assert "[FINAL RESPONSE]\nHi! Nice\nError: the turn failed: " in text
    assert text.count("Error") == 1


def test_what_was_read_of_the_summary_stays_when_the_turn_is_stopped(gateway_url: str) -> None:
    with run_client(gateway_url, *SLOW) as screen:
        live = screen.wait_for(r"tokens\n  (\S.{20})")[1]
        screen.press("\x03")
        assert screen.end() == 130
    assert re.search(r"\[REASONING SUMMARY\]  Thought for \d", screen.text())
    assert live in screen.text()


def test_live_lines_wrap(gateway_url: str) -> None:
    with run_client(gateway_url, *SLOW, columns=40) as screen:
        wrapped = screen.wait_for(r"tokens\n((?:  \S.*\n){2})")[1]
    assert "…" not in wrapped
    assert all(len(line) <= 40 for line in wrapped.splitlines())


def test_an_image_keeps_its_place_in_the_text() -> None:
    text = "Before ![a cat](http://127.0.0.1/cat.png) and behind."
    with Upstream() as upstream, start_gateway(upstream.url) as gateway:
        upstream.set_script("m", CHUNKED, *chunked([*say(text), FINISH, DONE]))
        with run_client(gateway.url, "--prompt", "hi", "--model", "m", columns=100) as screen:
            assert screen.end() == 0
    assert "Before [image: a cat] (http://127.0.0.1/cat.png) and behind." in screen.text()


def test_an_unreachable_gateway_is_one_line() -> None:
    with run_client("http://127.0.0.1:1", "--prompt", "hi", columns=200) as screen:
        assert screen.end() == 1
        assert screen.text().startswith("Error: cannot reach a gateway at http://127.0.0.1:1: ")
        assert "\n" not in screen.text()


def test_ctrl_c_exits_with_130_and_stops_the_model(gateway_url: str, mock_url: str) -> None:
    before = get_json(f"{mock_url}/stats")["aborted"]
    with run_client(
        gateway_url, "--prompt", "Explain recursion", "--model", "default@tps=20"
    ) as screen:
        screen.wait_for("Thinking for")
        screen.press("\x03")
        assert screen.end() == 130
        assert "Thinking" not in screen.text()
        assert "Traceback" not in screen.text()
        shown_at, hidden_at = screen.raw.rindex("\x1b[?25h"), screen.raw.rindex("\x1b[?25l")
        assert shown_at > hidden_at, "the cursor is left hidden"
    wait_until(lambda: get_json(f"{mock_url}/stats")["aborted"] > before)


def test_the_timeline_shows_how_long_each_phase_took(gateway_url: str) -> None:
    with run_client(gateway_url, "--prompt", "hi", "--timeline", columns=100) as screen:
        assert screen.end() == 0
    rows = screen.text().split(ANSWER)[1].strip().splitlines()
    names = [row[:16].strip() for row in rows]
    assert names == [
        "prompt summary",
        "waiting",
        "thinking",
        "whole summary",
        "answer",
        "end",
        "longest silence",
    ]
    assert re.search(r"█+ +\d\.\d{3} – \d\.\d{3} s  16 tokens, [\d,]+ a second$", rows[2])
    assert rows[5].endswith(" s  stop")


def test_a_conversation_with_history_and_multi_line_prompts(
    gateway_url: str, tmp_path: Path
) -> None:
    history = tmp_path / "history"
    with run_client(gateway_url, "--interactive", GATEWAY_HISTORY=str(history)) as screen:
        screen.wait_for("^>$")
        screen.press("hi\r")
        screen.wait_for(rf"{re.escape(ANSWER)}\n\n>$")
        screen.press("Explain\x1b\rrecursion\r")  # Alt+Enter
        screen.wait_for(r"^> Explain\n… recursion$")
        screen.wait_for(r"^\[FINAL RESPONSE\]\nRecursion means")
        screen.press("\x03")
        screen.wait_for(r"^Stopped\.\n\n>$")
        screen.press("\x1b[A\x1b[A\x1b[A")  # up within the lines, then to the first prompt
        screen.wait_for(r"Stopped\.\n\n> hi$")
        screen.press("\r")
        screen.wait_for(rf"(?s)Stopped.*{re.escape(ANSWER)}\n\n>$")
        screen.press("\x04")
        assert screen.end() == 0
    assert history.stat().st_mode & 0o777 == 0o600
    with run_client(gateway_url, "--interactive", GATEWAY_HISTORY=str(history)) as screen:
        screen.wait_for("^>$")
        screen.press("\x1b[A")
        screen.wait_for("^> hi$")
        screen.press("\x03")
        screen.wait_for(r"^> hi\n\n>$")
        screen.press("\x04")
        assert screen.end() == 0


def test_a_silent_pipe_prints_a_hint(gateway_url: str) -> None:
    client = subprocess.Popen(
        [sys.executable, "client.py", "--url", gateway_url, "--prompt", "hi"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stderr is not None
    try:
        assert "Reading standard input" in client.stderr.readline()
    finally:
        out, _ = client.communicate(timeout=60)
    assert (client.returncode, out) == (0, f"{ANSWER}\n")


def test_a_closed_pipe_ends_the_client(gateway_url: str) -> None:
    command = f"{sys.executable} client.py --url {gateway_url} --prompt 'Explain recursion' -q"
    command += " --model default@tps=0 | head -c 20"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    assert (done.stdout, done.stderr) == ("Recursion means that", "")
