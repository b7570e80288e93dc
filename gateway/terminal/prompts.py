"""Where prompts come from: the command line, a pipe, or a person at the keyboard."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

HINT_S = 2.0
HELP = "Enter sends, Alt+Enter breaks the line, Ctrl-C stops an answer, Ctrl-D ends."


def whole_prompt(given: str | None) -> str | None:
    """What was given on the command line and what is piped in, as one prompt; None: neither."""
    piped = _piped().strip()
    return "\n\n".join(filter(None, (given, piped))) or given


def _piped() -> str:
    """All of standard input, if it is a pipe or a file."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    with _hint_if_silent():
        return sys.stdin.read()


@contextmanager
def _hint_if_silent() -> Iterator[None]:
    """Says what is being waited for, if standard input stays open."""
    hint = "Reading standard input until it ends; `< /dev/null` if there is nothing to read."
    timer = threading.Timer(HINT_S, click.secho, [hint], {"err": True, "dim": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def prompts(first: str | None) -> Iterator[str]:
    """`first`, then what is typed or piped in, until it ends or says /quit."""
    if first:
        yield first
    for text in _typed() if sys.stdin.isatty() else sys.stdin:
        prompt = text.strip()
        if prompt == "/quit":
            return
        if prompt:
            yield prompt


def _typed() -> Iterator[str]:
    """What a person types: edited over several lines, with a history."""
    from prompt_toolkit import PromptSession  # here, because it takes a tenth of a second
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
    click.secho(HELP, err=True, dim=True)
    while True:
        try:
            click.echo(err=True)
            yield session.prompt("> ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def history_path() -> Path | None:
    """Where the prompts are kept, for this user's eyes only; None if GATEWAY_HISTORY is empty."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    named = os.environ.get("GATEWAY_HISTORY", f"{home}/reasoning-gateway/history")
    if not named:
        return None
    path = Path(named).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    except OSError:
        return None
    return path
