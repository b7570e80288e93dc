"""The log: one line for each turn. It never holds a prompt, an answer or a key."""

import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from gateway.config import Config
from gateway.observe.console import ConsoleRenderer


def make_logger(config: Config) -> Any:
    """Returns a structlog logger that writes lines to standard output."""
    return structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _LossyFile(sys.stdout))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_empty_members,
            renderer_of(config),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
    )


def renderer_of(config: Config) -> Any:
    """Returns structlog's last processor, which makes a line of JSON or text for people.

    LOG_FORMAT chooses; `auto` is text on a terminal, and JSON elsewhere.
    """
    is_terminal = sys.stdout.isatty()
    if config.log_format == "console" or (config.log_format == "auto" and is_terminal):
        return ConsoleRenderer(colors=is_terminal)
    return structlog.processors.JSONRenderer()


def _without_empty_members(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {name: value for name, value in event.items() if value not in (None, "", [], {})}


class _LossyFile:
    """Drops lines that can't be written, so that a full disk does not break answers."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: the encoding lacks a character
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()
