"""The log: one line a turn, never a prompt, an answer or a key."""

import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from gateway.config import Config


def make_logger(config: Config) -> Any:
    """A logger that writes lines to standard output, as JSON or for people."""
    renderer = (
        structlog.processors.JSONRenderer()
        if config.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    return structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, _Lossy(sys.stdout))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
    )


class _Lossy:
    """A file that loses what it can't take: no answer ends because a disk is full."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: characters that its encoding lacks
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()
