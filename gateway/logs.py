"""The log: one line a turn, never a prompt, an answer or a key."""

import sys
from typing import Any

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
        structlog.WriteLogger(sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(config.log_level),
    )
