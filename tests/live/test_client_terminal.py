"""`python client.py` on a terminal: what a person sees while it runs, and what is left after."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.terminal import Terminal
from tests.live.wire import get_json, wait_until
from tests.programs import ROOT

SUMMARY = "I should greet in one sentence. Keep it short."
ANSWER = "Hi! Nice to meet you."
SLOW = ("--prompt", "Explain recursion", "--model", "long-thinking@tps=300")


def ask(url: str, *args: str, **screen: object) -> Terminal:
    """The client on a terminal of its own."""
    return Terminal("client.py", "--url", url, *args, **screen)  # type: ignore[arg-type]


def without_clock(text: str) -> str:
    return re.sub(r"\d+\.\d s · about \d+", "N s · about N", text)


def test_the_live_lines_collapse_to_the_summary(gateway_url: str) -> None:
    with ask(gateway_url, *SLOW) as screen:
        screen.wait_for(r"^. Thinking for \d+\.\d s · about \d+ tokens$")
        live = screen.wait_for(r"tokens\n  (\S.*)$")[1]
        screen.wait_for(r"^\[FINAL RESPONSE\]\nRecursion means")
        text = screen.text()
        assert screen.end() == 0
    assert "Thinking for" not in text
    assert f"  {live}" not in text
    assert re.match(
        r"\[PROMPT\]\nExplain recursion\n\n"
        r"\[REASONING SUMMARY\]  Thought for \d+\.\d s · about \d+ tokens\n\S",
        text,
    )


@pytest.mark.parametrize("columns", [24, 80, 250])
def test_a_short_answer_on_a_screen_of_any_width(gateway_url: str, columns: int) -> None:
    with ask(gateway_url, "--prompt", "hi", columns=columns) as screen:
        assert screen.end() == 0
        words = without_clock(" ".join(screen.text().split()))
    assert words == (
        f"[PROMPT] hi [REASONING SUMMARY] Thought for N s · about N tokens {SUMMARY} "
        f"[FINAL RESPONSE] {ANSWER}"
    )


def test_the_answer_is_markdown_on_a_terminal(gateway_url: str) -> None:
    with ask(
        gateway_url, "--prompt", "Explain photosynthesis", "--model", "default@tps=0"
    ) as screen:
        assert screen.end() == 0
    assert "What it is about." in screen.text()
    assert "**" not in screen.text()


def test_in_a_pipe_the_answer_is_text_and_the_screen_still_moves(gateway_url: str) -> None:
    read, write = os.pipe()
    args = ("--prompt", "Explain photosynthesis", "--model", "default@tps=300")
    with ask(gateway_url, *args, stdout=write) as screen:
        os.close(write)
        screen.wait_for("Thinking for")
        with open(read) as pipe:
            said = pipe.read()
        assert screen.end() == 0
        shown = screen.text()
    assert said.startswith("Here is a way to understand photosynthesis")
    assert "**What it is about.**" in said
    assert "\x1b" not in said
    assert "[REASONING SUMMARY]" in shown
    assert "understand photosynthesis" not in shown


def test_the_trace_is_shown_when_asked_for(gateway_url: str) -> None:
    with ask(gateway_url, "--prompt", "hi", "--reasoning", "both") as screen:
        assert screen.end() == 0
    assert without_clock(screen.text()) == (
        f"[PROMPT]\nhi\n\n[REASONING]\n{SUMMARY}\n\n"
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
    with ask(gateway_url, "--prompt", "hi", *args, **env) as screen:
        assert screen.end() == 0
    assert bool(COLOUR.search(screen.raw)) is coloured
    assert ANSWER in screen.text()


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_sections(gateway_url: str) -> None:
    with ask(gateway_url, "--prompt", "hi", TERM="dumb", NO_COLOR="1") as screen:
        assert screen.end() == 0
    assert "\x1b" not in screen.raw
    assert screen.text() == (
        f"[PROMPT]\nhi\n\n[REASONING SUMMARY]\n{SUMMARY}\n\n[FINAL RESPONSE]\n{ANSWER}"
    )


@pytest.mark.parametrize("format", ["events", "phased", "openai", "responses", "messages"])
def test_a_stream_that_breaks_keeps_what_came_and_says_so(gateway_url: str, format: str) -> None:
    args = ("--prompt", "hi", "--model", "cut", "--format", format)
    with ask(gateway_url, *args) as screen:
        assert screen.end() == 1
        text = screen.text()
    assert "[FINAL RESPONSE]\nHi! Nice\nError: the turn failed: " in text
    assert text.count("Error") == 1


def test_a_dead_gateway_is_one_line() -> None:
    with ask("http://127.0.0.1:1", "--prompt", "hi", columns=200) as screen:
        assert screen.end() == 1
        assert screen.text().startswith("Error: no gateway can be reached at http://127.0.0.1:1: ")
        assert "\n" not in screen.text()


def test_ctrl_c_ends_with_130_and_stops_the_model_too(gateway_url: str, mock_url: str) -> None:
    before = get_json(f"{mock_url}/stats")["aborted"]
    with ask(gateway_url, "--prompt", "Explain recursion", "--model", "default@tps=20") as screen:
        screen.wait_for("Thinking for")
        screen.press("\x03")
        assert screen.end() == 130
        assert "Thinking" not in screen.text()
        assert "Traceback" not in screen.text()
        assert screen.raw.rindex("\x1b[?25h") > screen.raw.rindex("\x1b[?25l")  # the cursor is back
    wait_until(lambda: get_json(f"{mock_url}/stats")["aborted"] > before, 10)


def test_the_timeline_says_what_took_how_long(gateway_url: str) -> None:
    with ask(gateway_url, "--prompt", "hi", "--timeline", columns=100) as screen:
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


def test_a_conversation_with_history_and_several_lines(gateway_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "history"
    with ask(gateway_url, "--interactive", GATEWAY_HISTORY=str(kept)) as screen:
        screen.wait_for("^>$")
        screen.press("hi\r")
        screen.wait_for(rf"{re.escape(ANSWER)}\n\n>$")
        screen.press("Explain\x1b\rrecursion\r")  # Alt+Enter
        screen.wait_for(r"^> Explain\n… recursion$")
        screen.wait_for(r"^\[FINAL RESPONSE\]\nRecursion means")
        screen.press("\x03")
        screen.wait_for(r"^Stopped\.\n\n>$")
        screen.press("\x1b[A\x1b[A\x1b[A")  # up: within the lines, then back to the first prompt
        screen.wait_for(r"Stopped\.\n\n> hi$")
        screen.press("\r")
        screen.wait_for(rf"(?s)Stopped.*{re.escape(ANSWER)}\n\n>$")
        screen.press("\x04")
        assert screen.end() == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    with ask(gateway_url, "--interactive", GATEWAY_HISTORY=str(kept)) as screen:
        screen.wait_for("^>$")
        screen.press("\x1b[A")
        screen.wait_for("^> hi$")
        screen.press("\x03")
        screen.wait_for(r"^> hi\n\n>$")
        screen.press("\x04")
        assert screen.end() == 0


def test_a_prompt_on_a_silent_pipe_says_what_it_waits_for(gateway_url: str) -> None:
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
        out, _ = client.communicate(timeout=30)
    assert (client.returncode, out) == (0, f"{ANSWER}\n")


def test_a_reader_that_leaves_ends_the_client(gateway_url: str) -> None:
    command = f"{sys.executable} client.py --url {gateway_url} --prompt 'Explain recursion' -q"
    command += " --model default@tps=0 | head -c 20"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    assert (done.stdout, done.stderr) == ("Recursion means that", "")
