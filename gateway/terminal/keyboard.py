"""Calls actions when keys are pressed while an answer arrives. A thread reads the terminal."""

import os
import select
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from contextlib import suppress

_TERMINAL = "/dev/tty"


class Keyboard:
    """Calls an action for each key that is pressed, until it is stopped.

    Meanwhile the terminal does not show what is typed, and passes each key on without Enter. Ctrl-C
    and Ctrl-Z keep their meaning. No key works if there is no terminal, or another program owns it.
    """

    def __init__(self, actions: Mapping[str, Callable[[], object]]) -> None:
        """actions: key → function, which is called in a thread of its own."""
        self._actions = actions
        self._terminal = -1
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> bool:
        """Begins to read. Returns False if no key works."""
        try:
            self._terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
            # A program in the background would be stopped when it changes the terminal.
            if os.tcgetpgrp(self._terminal) != os.getpgrp():
                return False
            self._modes = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal, termios.TCSANOW)
        except (OSError, termios.error):
            return False
        self._thread.start()
        return True

    def stop(self) -> None:
        """Restores the terminal's modes. Later calls do nothing."""
        if self._stop_write < 0:
            return
        os.close(self._stop_write)
        self._stop_write = -1
        if self._thread.ident:
            self._thread.join()
            with suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._modes)
        os.close(self._stop_read)
        if self._terminal >= 0:
            os.close(self._terminal)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._terminal, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for key in os.read(self._terminal, 100).decode("utf-8", "replace"):
                if action := self._actions.get(key):
                    threading.Thread(target=action, daemon=True).start()
