"""A pseudo-terminal with a screen, for programs that behave differently on a terminal."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType

import pyte

from tests.machine import PATIENCE_S
from tests.programs import ROOT

_ENVIRON = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
"""Without the size of the tests' own terminal: readline sets it, and it would override the size of
the pseudo-terminal."""


def _take_terminal() -> None:
    """Makes stdin the controlling terminal and restores SIGINT, as a shell does."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class PseudoTerminal:
    """A Python program on a screen of its own; a context manager."""

    def __init__(
        self, *args: str, columns: int = 80, rows: int = 24, stdout: int | None = None, **env: str
    ) -> None:
        """stdout: a file descriptor to use instead of the screen."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._screen.write_process_input = self.press  # replies to cursor queries
        self._stream = pyte.Stream(self._screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.raw = ""
        """Everything the program has sent to the screen."""
        self.process = subprocess.Popen(
            [sys.executable, *args],
            cwd=ROOT,
            env={**_ENVIRON, "TERM": "xterm-256color", "GATEWAY_HISTORY": "", **env},
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def press(self, keys: str) -> None:
        """Types these keys."""
        os.write(self._master, keys.encode())

    def lines(self) -> list[str]:
        """All lines from the first one on, also those that have scrolled out, as they look now."""
        scrolled = [
            "".join(row[x].data for x in range(self._screen.columns)) for row in self._history()
        ]
        return [line.rstrip() for line in [*scrolled, *self._screen.display]]

    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines()).strip("\n")

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S) -> "re.Match[str]":
        """Reads until the screen matches the pattern."""
        deadline = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.text(), re.MULTILINE)):
            alive = self._read(deadline - time.monotonic())
            if not alive and not (found := re.search(pattern, self.text(), re.MULTILINE)):
                raise AssertionError(f"no {pattern!r} on the screen:\n{self.text()}")
        return found

    def end(self, timeout_s: float = PATIENCE_S) -> int:
        """Reads until the program ends; returns its exit status."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _history(self) -> "list[dict[int, pyte.screens.Char]]":
        return list(self._screen.history.top)

    def _read(self, timeout_s: float) -> bool:
        """Reads once. Returns False when the program has ended or the time is over."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, timeout_s))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux: EIO once the program has closed its side
            return False
        text = self._decoder.decode(data)
        self.raw += text
        self._stream.feed(text)
        return bool(data)

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)
