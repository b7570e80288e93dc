"""The log: one line for each turn. It never holds a prompt, an answer or a key."""

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from gateway.config import Config


def make_logger(config: Config) -> Any:
    """Returns a structlog logger that writes lines to standard output, as JSON or as text."""
    renderer = (
        structlog.processors.JSONRenderer()
        if config.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    return structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _LossyFile(sys.stdout))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
    )


class _LossyFile:
    """Drops what can't be written, so that a full disk doesn't break answers."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: the encoding lacks a character
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()
