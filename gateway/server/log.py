"""gunicorn's own log lines, in the format and with the lowest level of the gateway's log."""

import logging
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger

from gateway.loaded import loaded_config
from gateway.observe.log import renderer_of


class ServerLog(Logger):
    """gunicorn's logger with the gateway's format; gunicorn 27.0's own is text for people."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn when it starts, and on a reload."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_LineFormatter())


class _LineFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__()
        self._render = renderer_of(loaded_config())

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "event": record.getMessage(),
            "pid": record.process,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return str(self._render(None, "", event))
