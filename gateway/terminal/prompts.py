"""Where prompts come from: the command line, a pipe or the keyboard."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

HINT_DELAY_S = 2.0
KEYS = "Enter sends, Alt+Enter inserts a line break, Ctrl-C stops an answer, /help lists commands."


def read_prompt(option: str | None) -> str | None:
    """The value of `--prompt` followed by the piped input; None if there is neither."""
    piped = _piped().strip()
    return "\n\n".join(filter(None, (option, piped))) or option


def _piped() -> str:
    """All of standard input, if it is a pipe or a file."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with _hint_if_silent():
        return sys.stdin.read()


@contextmanager
def _hint_if_silent() -> Iterator[None]:
    """Prints a hint if standard input stays open without data."""
    hint = "Reading standard input until it ends; use `< /dev/null` if there is nothing to read."
    timer = threading.Timer(HINT_DELAY_S, click.secho, [hint], {"err": True, "dim": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_prompts(first: str | None) -> Iterator[str]:
    """The prompts of a conversation: `first`, then each that is typed or piped in.

    Ends at the end of the input or at /quit.
    """
    if first:
        yield first
    for text in _typed() if sys.stdin.isatty() else sys.stdin:
        prompt = text.strip()
        if prompt == "/quit":
            return
        if prompt:
            yield prompt


def _typed() -> Iterator[str]:
    """Prompts from the keyboard, edited over several lines, with a history."""
    from prompt_toolkit import PromptSession  # imported here because it takes 0.1 s
    from prompt_toolkit.history import FileHistory, InMemoryHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import create_output

    keys = KeyBindings()
    keys.add("enter")(lambda press: press.current_buffer.validate_and_handle())
    for chord in (("escape", "enter"), ("c-j",)):
        keys.add(*chord)(lambda press: press.current_buffer.insert_text("\n"))
    path = history_path()
    session: PromptSession[str] = PromptSession(
        history=FileHistory(path) if path else InMemoryHistory(),
        key_bindings=keys,
        multiline=True,
        prompt_continuation="… ",
        output=create_output(stdout=sys.stderr),
    )
    click.secho(KEYS, err=True, dim=True)
    while True:
        try:
            click.echo(err=True)
            yield session.prompt("> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def history_path() -> Path | None:
    """The history file, created with mode 600.

    None if GATEWAY_HISTORY is empty or the file cannot be created.
    """
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    name = os.environ.get("GATEWAY_HISTORY", f"{home}/reasoning-gateway/history")
    if not name:
        return None
    path = Path(name).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    except OSError:
        return None
    return path
